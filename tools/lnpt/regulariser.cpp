#include "regulariser.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include <lnpt/structure/inner_filters.hpp>

#include "text.hpp"

namespace cli {

namespace {

constexpr spelling<lnpt::gram_form> form_names[]{{"mean_times_1000", lnpt::gram_form::mean_times_1000},
                                                 {"frobenius_sum", lnpt::gram_form::frobenius_sum}};
constexpr spelling<lnpt::weight_group> group_names[]{
    {"element", lnpt::weight_group::element}, {"output", lnpt::weight_group::output}, {"input", lnpt::weight_group::input}};

/// The options of one: each is asked for once, and whatever was not asked for is refused.
class option_reader {
 public:
  explicit option_reader(hook_spec const& spec) : spec_(spec) {}

  template <class Number = double>
  [[nodiscard]] Number number(std::string_view key) {
    return parse_number<Number>(key, text(key));
  }
  /// Of options whose default the run decides.
  template <class Number>
  [[nodiscard]] Number number(std::string_view key, Number otherwise) {
    auto const* const given = find(key);
    return given ? parse_number<Number>(key, *given) : otherwise;
  }
  template <class Choice, std::size_t N>
  [[nodiscard]] Choice choice(std::string_view key, spelling<Choice> const (&choices)[N]) {
    return parse_choice(key, choices, text(key));
  }
  [[nodiscard]] double lambda() {
    auto const value = number("lambda");
    if (!(value >= 0)) refuse(spec_.text, ": a lambda of ", value, " rewards what it should shrink: pass 0 or more");
    if (!std::isfinite(value)) refuse(spec_.text, ": a lambda of ", value, " leaves no number: pass a finite one");
    return value;
  }
  void refuse_others() const {
    for (auto const& [key, value] : spec_.options)
      if (std::ranges::find(asked_, key) == asked_.end())
        refuse("\"", key, "\" is no option of ", spec_.name, ": choose from ", fmt::format("{}", fmt::join(asked_, ", ")));
  }

 private:
  [[nodiscard]] std::string_view text(std::string_view key) {
    auto const* const given = find(key);
    return given ? *given : default_option(spec_.kind, key).value();
  }
  [[nodiscard]] std::string const* find(std::string_view key) {
    asked_.emplace_back(key);
    auto const found = spec_.options.find(key);
    return found == spec_.options.end() ? nullptr : &found->second;
  }

  hook_spec const& spec_;
  std::vector<std::string> asked_;
};

/// 0 up to step `after`, then growing evenly to 1 over `over` steps.
std::function<double(std::size_t)> read_schedule(option_reader& options) {
  auto const after = options.number<std::size_t>("after"), over = options.number<std::size_t>("over");
  return [after, over](std::size_t step) {
    if (step < after) return 0.0;
    return step - after >= over ? 1.0 : static_cast<double>(step - after) / static_cast<double>(over);
  };
}

lnpt::preserve_trainability read_tpp(option_reader& options, hook_spec const& spec, cpu_network<float>& network,
                                     hooked_run const& run) {
  auto const pruned = options.number("pruned");
  auto const form = options.choice("form", form_names);
  lnpt::growing_strength const strength{options.number("step"), options.number<std::size_t>("every"), options.number("ceiling")};
  auto const layers = lnpt::inner_filters(network, run.input);
  if (layers.empty())
    refuse(spec.text,
           " has no filters to choose from: it takes convolutions behind the first, each with a batch norm of its own");
  lnpt::preserve_trainability hook({lnpt::lowest_filters(network.parameters(), layers, pruned), form}, strength,
                                   options.number<std::size_t>("zero-every"));
  if (auto const needed = hook.steps(network.parameters()); needed > run.steps)
    refuse(spec.text, " needs ", needed, " steps until its filters are zero, and the run has ", run.steps,
           ": pass more --epochs, or a smaller every, a larger step or a smaller zero-every");
  return hook;
}

/// By default until three quarters of the run and every hundredth step, as published, or more often where that makes fewer than ten moves.
lnpt::rigl read_rigl(option_reader& options, hook_spec const& spec, hooked_run const& run) {
  auto const until = options.number("until", std::max<std::size_t>(run.steps * 3 / 4, 1));
  auto const every = options.number("every", std::clamp<std::size_t>(until / 10, 1, 100));
  if (every >= std::min(until, run.steps))
    refuse(spec.text, " moves nothing: its first move is at step ", every, ", it ends at step ", until, " and the run has ",
           run.steps, ": pass more --epochs, or a smaller every");
  auto const fraction = options.number("fraction");
  return lnpt::rigl(until, every, fraction);
}

lnpt::deep_rewiring read_deep_rewiring(option_reader& options, hooked_run const& run) {
  auto const alpha = options.number("alpha");
  auto const temperature = options.number("temperature");
  return lnpt::deep_rewiring(alpha, temperature, run.seed);
}

}  // namespace

training_hooks::training_hooks(std::vector<hook_spec> const& specs, cpu_network<float>& network, hooked_run const& run) {
  for (auto const& spec : specs) {
    option_reader options(spec);
    auto const scheduled = [&](auto regulariser) {
      auto const factor = read_schedule(options);
      auto const lambda = regulariser.lambda;
      hooks_.push_back({spec.name, lnpt::regularise(regulariser, factor), [=](std::size_t t) { return lambda * factor(t); }});
    };
    auto const constant = [&](double lambda, auto hook) {
      hooks_.push_back({spec.name, std::move(hook), [lambda](std::size_t) { return lambda; }});
    };
    if ((spec.kind == hook_kind::rigl || spec.kind == hook_kind::deep_rewiring) && !run.masked)
      refuse(spec.text, " moves masks, and there are none: give --mask a file that lnpt prune --masks-out wrote");
    switch (spec.kind) {
      case hook_kind::slimming: scheduled(lnpt::slimming{options.lambda()}); break;
      case hook_kind::polarization: scheduled(lnpt::polarization{options.lambda()}); break;
      case hook_kind::deep_hoyer: scheduled(lnpt::deep_hoyer{options.lambda(), options.choice("by", group_names)}); break;
      case hook_kind::group_lasso: scheduled(lnpt::group_lasso{options.lambda(), options.choice("by", group_names)}); break;
      case hook_kind::sss: {
        auto const lambda = options.lambda();
        auto const momentum = options.number("momentum");
        if (!(momentum >= 0 && momentum < 1))
          refuse(spec.text, ": a momentum of ", momentum, " is outside [0, 1): pass one within");
        constant(lambda, lnpt::structure_selection(lambda, momentum));
        break;
      }
      case hook_kind::gal_lite: {
        auto const lambda = options.lambda();
        constant(lambda, lnpt::soft_masks(lambda));
        break;
      }
      case hook_kind::tpp: {
        auto hook = read_tpp(options, spec, network, run);
        hooks_.push_back({spec.name, hook, [hook](std::size_t t) { return hook.strength(t); }});
        break;
      }
      case hook_kind::rigl: {
        auto hook = read_rigl(options, spec, run);
        hooks_.push_back({spec.name, hook, [hook](std::size_t t) { return hook.moved_share(t); }, "share that moves"});
        break;
      }
      case hook_kind::deep_rewiring: hooks_.push_back({spec.name, read_deep_rewiring(options, run), nullptr}); break;
    }
    options.refuse_others();
  }
}

void training_hooks::save(lnpt::hook_state& state) const {
  for (auto const& each : hooks_)
    std::visit(
        [&](auto const& hook) {
          if constexpr (requires { hook.save(state); }) hook.save(state);
        },
        each.hook);
}

void training_hooks::restore(lnpt::hook_state const& state) {
  for (auto& each : hooks_)
    std::visit(
        [&](auto& hook) {
          if constexpr (requires { hook.restore(state); }) hook.restore(state);
        },
        each.hook);
}

std::string training_hooks::describe(named_hook const& each, std::size_t step, double measured) const {
  auto const moves = std::holds_alternative<lnpt::rigl>(each.hook) || std::holds_alternative<lnpt::deep_rewiring>(each.hook);
  auto text = fmt::format(", {}:", each.name);
  if (each.strength) text += fmt::format(" {} {:.4g},", each.quantity, each.strength(step));
  if (moves) return text + fmt::format(" {} weights moved", moved_);
  if (std::holds_alternative<lnpt::preserve_trainability>(each.hook))
    return text + fmt::format(" norm of what is to go {:.4g}", measured);
  if (auto const* const masks = std::get_if<lnpt::soft_masks>(&each.hook))
    return text + fmt::format(" {} channels closed", masks->closed());
  return text + fmt::format(" penalty {:.4g}", measured);
}

std::size_t training_hooks::woken(lnpt::mask_set const& before, lnpt::mask_set const& after) {
  std::size_t count = 0;
  for (auto const& now : after)
    if (auto const* const old = before.find(now.name()))
      for (std::size_t i = 0; i < now.size(); ++i) count += now[i] && !(*old)[i];
  return count;
}

}  // namespace cli
