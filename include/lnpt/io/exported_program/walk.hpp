#pragma once
/// Reading a whole graph, call by call.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/exported_program/operator_names.hpp>
#include <lnpt/io/exported_program/operators.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/io/exported_program/spelt_out.hpp>

namespace lnpt::io::exported {

/// One reading of a program's graph into a draft of its network.
template <class Backend>
class walk {
 public:
  walk(program const& source, findings const* known) : source_(source), draft_(source, known), values_(draft_, source.graph()) {
    for (auto const& each : source.held_inputs())
      values_.bind(each.value, {.is = value::kind::tensor,
                                .at = source.canonical(each.tensor),
                                .extents = source.tensors()[source.canonical(each.tensor)].extents});
    for (auto const& each : source.unread_inputs())
      values_.bind(each.value, {.is = value::kind::unread, .because = each.because});
    bind_batch();
    run(values_, 0);
    draft_.begin_call(std::numeric_limits<std::size_t>::max());
  }
  walk(walk const&) = delete;
  walk& operator=(walk const&) = delete;

  [[nodiscard]] draft<Backend>& network() { return draft_; }
  [[nodiscard]] reading<Backend>& values() { return values_; }

  /// Throws if any of the given nodes needs a result that no layer computes: one sentence that names every such operator.
  void refuse_missing(std::vector<std::size_t> const& results) const {
    auto const needed = draft_.needed_by(results);
    std::vector<std::pair<std::string, std::size_t>> found;  // the first refusal of each operator, and how many there are
    std::map<std::string, std::size_t> index;
    for (std::size_t i = 1; i < needed.size(); ++i) {
      auto const& node = draft_.nodes()[i];
      if (!needed[i] || !node.refusal || node.refusal->empty()) continue;
      auto const operation = node.refusal->substr(0, node.refusal->find(','));
      if (auto const [at, added] = index.try_emplace(operation, found.size()); !added)
        ++found[at->second].second;
      else
        found.emplace_back(*node.refusal + " in " + places_.at(node.call), 1);
    }
    if (found.empty()) return;
    std::string all;
    for (auto const& [what, count] : found) {
      all += (all.empty() ? "" : "; ") + what;
      if (count > 1) all += " and " + std::to_string(count - 1) + (count > 2 ? " other places" : " other place");
    }
    fail(source_.name(), ": no layer of this engine does what these operators ask: ", all,
         ". Prune this network as a LibTorch module (lnpt/torch.hpp), which runs them all, or export it without them");
  }

 private:
  void bind_batch() {
    auto sample = source_.sample_shape(source_.batch());
    if (sample.empty() || sample.size() > 3)
      fail(source_.name(), " reads a tensor of ", sample.size() + 1,
           " axes; networks of [B, C, H, W], [B, C, L] or [B, F] are what is read");
    auto extents = sample.size() == 1   ? shape{1, sample[0]}
                   : sample.size() == 2 ? shape{sample[0], 1, 1, sample[1]}
                                        : shape{sample[0], 1, sample[1], sample[2]};
    values_.set_batch(source_.graph().extents(source_.batch()).front());
    values_.bind(source_.batch(),
                 {.is = value::kind::node, .at = draft_.add_input(std::move(extents)), .extents = std::move(sample)});
  }

  void run(reading<Backend>& values, std::size_t depth) {
    spelt_out_functions const spelt_out(values.graph());
    auto const calls = values.graph().calls();
    for (std::size_t i = 0; i < calls.size(); ++i) {
      auto const& each = calls[i];
      auto const number = places_.size();
      places_.push_back(place_of(each));
      draft_.begin_call(number);
      if (each.outputs().empty()) continue;  // assertions, and numbers such as the size of the batch
      if (draft_.leaves_out(number) || values.leaves_out(each)) {
        for (auto const& name : each.outputs()) values.bind(name, {});
        continue;
      }
      try {
        if (auto const* const inner = each.first("as_graph"))
          run_inner(values, each, inner->at("graph"), depth + 1);
        else if (auto const* const x = spelt_out.step_towards(i))
          values.bind_step(each, *x);
        else if (auto const* const function = spelt_out.completed_by(i))
          read_spelt_out(values, each, *function);
        else
          read(values, each);
      } catch (no_layer const& reason) {
        give_refused(values, each, reason);
      }
    }
  }
  static void give_refused(reading<Backend>& values, call const& each, no_layer const& reason) {
    values.give_refused(each, values.reads_refused(each) ? "" : std::string(each.target()) + ", which " + reason.because + ',');
  }

  [[nodiscard]] static std::string place_of(call const& each) {
    auto const [module, type] = each.module();
    return module.empty() ? type.empty() ? "the graph" : "the network itself (" + type + ")" : module + " (" + type + ")";
  }

  void read(reading<Backend>& values, call const& each) {
    auto const target = each.target();
    auto const operation = plain_name(target);
    auto const in_place = target.substr(operation.size()).starts_with('_');
    if (operation == "empty") return values.bind(values.result_of(each), {});  // memory that another operator fills
    try {
      auto const read_by = handler_of<Backend>(operation);
      if (!read_by) {
        auto const why = is_random(operation) ? ", which draws at random (export the network in eval mode)," : "";
        values.give_refused(each, std::string(target) + why);
      } else {
        read_by(values, each);
        if (has_by_products(operation)) values.refuse_by_products(each);
      }
    } catch (no_layer const& reason) {
      give_refused(values, each, reason);
    }
    if (in_place) values.overwrite(each.first_tensor(), values.at(values.result_of(each)));
  }

  /// Operators that run a graph of their own under autocast or without gradients, which changes neither layers nor their order.
  void run_inner(reading<Backend>& values, call const& each, json const& inner, std::size_t depth) {
    constexpr std::size_t deepest = 16;
    auto const target = each.target();
    if (depth > deepest || (!target.ends_with("wrap_with_autocast") && !target.ends_with("wrap_with_set_grad_enabled"))) {
      values.give_refused(each, std::string(target));
      return;
    }
    graph const body(inner);
    reading<Backend> within(draft_, body);
    within.set_batch(*values.batch());
    auto const arguments = each.inputs();
    auto const names = body.inputs();
    auto const results = body.outputs();
    auto const outer = each.outputs();
    if (arguments.size() != names.size() || results.size() != outer.size())
      fail(source_.name(), ": ", target, " passes ", arguments.size(), " tensors to a graph of ", names.size());
    for (std::size_t i = 0; i < names.size(); ++i) within.take(names[i], values, arguments[i]);
    run(within, depth);
    for (std::size_t i = 0; i < names.size(); ++i) within.hand_back(names[i], values, arguments[i]);
    for (std::size_t i = 0; i < results.size(); ++i) values.take(outer[i], within, results[i]);
  }

  program const& source_;
  draft<Backend> draft_;
  reading<Backend> values_;
  std::vector<std::string> places_;  ///< of the calls, for messages
};

}  // namespace lnpt::io::exported
