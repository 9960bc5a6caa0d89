#include "regulariser.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include <lnpt/structure/inner_filters.hpp>

#include "text.hpp"

namespace cli {

namespace {

enum class regulariser_kind { slimming, polarization, deep_hoyer, group_lasso, sss, gal_lite, tpp };
constexpr spelling<regulariser_kind> regulariser_names[]{{"slimming", regulariser_kind::slimming},
                                                         {"polarization", regulariser_kind::polarization},
                                                         {"deep_hoyer", regulariser_kind::deep_hoyer},
                                                         {"group_lasso", regulariser_kind::group_lasso},
                                                         {"sss", regulariser_kind::sss},
                                                         {"gal_lite", regulariser_kind::gal_lite},
                                                         {"tpp", regulariser_kind::tpp}};
constexpr spelling<lnpt::gram_form> form_names[]{{"mean_times_1000", lnpt::gram_form::mean_times_1000},
                                                 {"frobenius_sum", lnpt::gram_form::frobenius_sum}};
constexpr spelling<lnpt::weight_group> group_names[]{
    {"element", lnpt::weight_group::element}, {"output", lnpt::weight_group::output}, {"input", lnpt::weight_group::input}};

/// The options of one regulariser: each is asked for once, and whatever was not asked for is refused.
class option_reader {
 public:
  explicit option_reader(regulariser_spec const& spec) : spec_(spec) {}

  template <class Number>
  [[nodiscard]] Number number(std::string_view key, Number otherwise) {
    auto const* const text = find(key);
    return text ? parse_number<Number>(key, *text) : otherwise;
  }
  template <class Choice, std::size_t N>
  [[nodiscard]] Choice choice(std::string_view key, spelling<Choice> const (&choices)[N], Choice otherwise) {
    auto const* const text = find(key);
    return text ? parse_choice(key, choices, *text) : otherwise;
  }
  [[nodiscard]] double lambda(double otherwise) {
    auto const value = number("lambda", otherwise);
    if (!(value >= 0)) refuse(spec_.text, ": a lambda of ", value, " rewards what it should shrink: pass 0 or more");
    return value;
  }
  void refuse_others() const {
    for (auto const& [key, value] : spec_.options)
      if (std::ranges::find(asked_, key) == asked_.end())
        refuse("\"", key, "\" is no option of ", spec_.name, ": choose from ", fmt::format("{}", fmt::join(asked_, ", ")));
  }

 private:
  [[nodiscard]] std::string const* find(std::string_view key) {
    asked_.emplace_back(key);
    auto const found = spec_.options.find(key);
    return found == spec_.options.end() ? nullptr : &found->second;
  }

  regulariser_spec const& spec_;
  std::vector<std::string> asked_;
};

/// 0 up to step `after`, then growing evenly to 1 over `over` steps.
std::function<double(std::size_t)> read_schedule(option_reader& options) {
  auto const after = options.number<std::size_t>("after", 0), over = options.number<std::size_t>("over", 0);
  return [after, over](std::size_t step) {
    if (step < after) return 0.0;
    return step - after >= over ? 1.0 : static_cast<double>(step - after) / static_cast<double>(over);
  };
}

lnpt::preserve_trainability read_tpp(option_reader& options, regulariser_spec const& spec, cpu_network<float>& network,
                                     lnpt::shape const& input, std::size_t steps) {
  auto const pruned = options.number("pruned", 0.5);
  auto const form = options.choice("form", form_names, lnpt::gram_form::mean_times_1000);
  lnpt::growing_strength const strength{options.number("step", 1e-4), options.number<std::size_t>("every", 10),
                                        options.number("ceiling", 1.0)};
  auto const layers = lnpt::inner_filters(network, input);
  if (layers.empty())
    refuse(spec.text,
           " has no filters to choose from: it takes convolutions behind the first, each with a batch norm of its own");
  lnpt::preserve_trainability hook({lnpt::lowest_filters(network.parameters(), layers, pruned), form}, strength,
                                   options.number<std::size_t>("zero-every", 100));
  if (auto const needed = hook.steps(network.parameters()); needed > steps)
    refuse(spec.text, " needs ", needed, " steps until its filters are zero, and the run has ", steps,
           ": pass more --epochs, or a smaller every, a larger step or a smaller zero-every");
  return hook;
}

}  // namespace

regulariser_spec parse_regulariser(std::string_view text) {
  auto const colon = text.find(':');
  auto const kind = parse_choice("regulariser", regulariser_names, text.substr(0, colon));
  regulariser_spec spec{std::string(text), std::string(spell(regulariser_names, kind)), {}};
  if (colon == text.npos) return spec;
  for (auto const option : split(text.substr(colon + 1), ',')) {
    auto const [key, value] = key_and_value(option, text, "regulariser", "lambda=1e-4");
    spec.options.emplace(key, value);
  }
  return spec;
}

regularisers::regularisers(std::vector<regulariser_spec> const& specs, cpu_network<float>& network, lnpt::shape const& input,
                           std::size_t steps) {
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
    switch (parse_choice("regulariser", regulariser_names, spec.name)) {
      case regulariser_kind::slimming: scheduled(lnpt::slimming{options.lambda(1e-4)}); break;
      case regulariser_kind::polarization: scheduled(lnpt::polarization{options.lambda(1e-4)}); break;
      case regulariser_kind::deep_hoyer:
        scheduled(lnpt::deep_hoyer{options.lambda(1e-3), options.choice("by", group_names, lnpt::weight_group::element)});
        break;
      case regulariser_kind::group_lasso:
        scheduled(lnpt::group_lasso{options.lambda(1e-4), options.choice("by", group_names, lnpt::weight_group::output)});
        break;
      case regulariser_kind::sss: {
        auto const lambda = options.lambda(1e-4);
        constant(lambda, lnpt::structure_selection(lambda, options.number("momentum", 0.9)));
        break;
      }
      case regulariser_kind::gal_lite: {
        auto const lambda = options.lambda(1e-4);
        constant(lambda, lnpt::soft_masks(lambda));
        break;
      }
      case regulariser_kind::tpp: {
        auto hook = read_tpp(options, spec, network, input, steps);
        hooks_.push_back({spec.name, hook, [hook](std::size_t t) { return hook.strength(t); }});
        break;
      }
    }
    options.refuse_others();
  }
}

void regularisers::save(lnpt::hook_state& state) const {
  for (auto const& each : hooks_)
    std::visit(
        [&](auto const& hook) {
          if constexpr (requires { hook.save(state); }) hook.save(state);
        },
        each.hook);
}

void regularisers::restore(lnpt::hook_state const& state) {
  for (auto& each : hooks_)
    std::visit(
        [&](auto& hook) {
          if constexpr (requires { hook.restore(state); }) hook.restore(state);
        },
        each.hook);
}

std::string regularisers::describe(named_hook const& each, std::size_t step, double norm) {
  auto text = fmt::format(", {}: lambda {:.4g}", each.name, each.strength(step));
  if (std::holds_alternative<lnpt::preserve_trainability>(each.hook)) text += fmt::format(", norm of what is to go {:.4g}", norm);
  if (auto const* const masks = std::get_if<lnpt::soft_masks>(&each.hook))
    text += fmt::format(", {} channels closed", masks->closed());
  return text;
}

}  // namespace cli
