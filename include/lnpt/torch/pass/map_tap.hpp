#pragma once
/// Watches where the feature maps of convolutions are, in one pass of a module.
#include <ATen/record_function.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/torch/pass/norm_watch.hpp>
#include <lnpt/torch/pass/observer.hpp>
#include <lnpt/torch/pass/operator_call.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

namespace lnpt::detail {

/// Whether an operator is an activation function, in place or not: what acts on every value alone and is no arithmetic.
[[nodiscard]] constexpr bool activates(std::string_view name) {
  constexpr std::array names{"aten::relu",        "aten::relu6",     "aten::hardtanh",   "aten::leaky_relu", "aten::prelu",
                             "aten::rrelu",       "aten::elu",       "aten::celu",       "aten::selu",       "aten::gelu",
                             "aten::silu",        "aten::mish",      "aten::tanh",       "aten::sigmoid",    "aten::softplus",
                             "aten::hardsigmoid", "aten::hardswish", "aten::softsign",   "aten::clamp",      "aten::clamp_min",
                             "aten::clamp_max",   "aten::threshold", "aten::log_sigmoid"};
  if (name.ends_with('_')) name.remove_suffix(1);
  return std::ranges::find(names, name) != names.end();
}

/// The maps [N, C, H, W] of one convolution, and the weight whose filters made them.
struct seen_maps {
  held_parameter const* weight;
  at::Tensor maps;
};

/// While it lives, follows the output of every convolution over images through the batch norm and the first activation function that read
/// it alone, as far as they follow at once: what `filter_outputs` finds in the library's own networks.
class map_tap : public operator_observer {
 public:
  explicit map_tap(model_layout const& layout) : parameters_(layout) {}

  /// In the order of execution.
  [[nodiscard]] std::vector<seen_maps> maps() const {
    std::vector<seen_maps> found;
    for (auto const& each : followed_) {
      std::size_t last = 0;
      while (last + 1 < each.stages.size() && each.stages[last].readers == 1) ++last;
      found.push_back({each.weight, each.stages[last].values()});
    }
    return found;
  }

 private:
  /// What a convolution, the batch norm behind it or an activation function gave.
  struct stage {
    at::Tensor output;
    at::Tensor before_change = {};  ///< its values, where an operator wrote over them since
    int readers = 0;

    [[nodiscard]] at::Tensor values() const { return before_change.defined() ? before_change : output; }
  };
  struct follower {
    held_parameter const* weight;
    std::vector<stage> stages;
    bool is_done = false;  ///< behind its activation function

    /// An operator in place gives the tensor that it read, which is the later stage's from then on.
    void note_reader(at::Tensor const& read) {
      for (auto i = stages.size(); i-- > 0;)
        if (stages[i].output.is_same(read)) return void(++stages[i].readers);
    }
  };
  /// An operator that is running: the convolution that it is, or the output that it normalises or activates.
  struct running : at::ObserverContext {
    held_parameter const* weight = nullptr;
    follower* continues = nullptr;
    bool activates = false;
  };

  [[nodiscard]] std::unique_ptr<at::ObserverContext> start(at::RecordFunction const& record) override {
    auto context = std::make_unique<running>();
    operator_call const call(record);
    if (depth_++ == 0) {
      outermost_ = context.get();
      std::string_view const name = record.name();
      note_readers(call, name.ends_with('_'));
      context->activates = lnpt::detail::activates(name);
      if (context->activates || is_batch_norm(name)) context->continues = follower_of(call);
    }
    for (auto const& use :
         weight_uses_of(call, parameters_))  // a convolution is made of others, the innermost of which tells its weight
      if (use.form == weight_form::convolution && use.operand.sizes() == use.parameter->value.sizes())
        outermost_->weight = use.parameter;
    return context;
  }

  void end(at::RecordFunction const& record, at::ObserverContext& context) override {
    if (--depth_ > 0) return;
    auto const& done = static_cast<running&>(context);
    auto const results = operator_call(record).results();
    if (results.empty() || !results[0].isTensor()) return;  // the call threw
    auto const output = results[0].toTensor();
    if (done.continues != nullptr) {
      done.continues->stages.push_back({output});
      done.continues->is_done = done.activates;
    } else if (done.weight != nullptr && output.dim() == 4) {
      followed_.push_back({done.weight, {{output}}});
    }
  }

  /// Counts who reads what is followed, and keeps the values of what an operator in place is about to change.
  void note_readers(operator_call const& call, bool in_place) {
    for (auto const& argument : call.arguments())
      for (auto const& read : tensors_of(argument))
        for (auto& each : followed_) each.note_reader(read);
    if (!in_place || call.arguments().empty() || !call.arguments()[0].isTensor()) return;
    auto const changed = call.arguments()[0].toTensor();
    for (auto& each : followed_)
      for (auto& at : each.stages)
        if (!at.before_change.defined() && at.output.is_alias_of(changed)) at.before_change = at.output.clone();
  }

  [[nodiscard]] static std::vector<at::Tensor> tensors_of(at::IValue const& argument) {
    if (argument.isTensorList()) return argument.toTensorVector();
    if (argument.isTensor() && argument.toTensor().defined()) return {argument.toTensor()};
    return {};
  }

  /// Whose last output this is; null where it is nobody's, or that of an activation function.
  [[nodiscard]] follower* follower_of(operator_call const& call) {
    if (call.arguments().empty() || !call.arguments()[0].isTensor()) return nullptr;
    auto const input = call.arguments()[0].toTensor();
    for (auto& each : followed_)
      if (!each.is_done && each.stages.back().output.is_same(input)) return &each;
    return nullptr;
  }

  parameter_table parameters_;
  int depth_ = 0;                  ///< operators that are running
  running* outermost_ = nullptr;   ///< of those
  std::deque<follower> followed_;  ///< each stays where it is
};

}  // namespace lnpt::detail
