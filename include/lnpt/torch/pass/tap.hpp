#pragma once
/// Watches the operators of one forward pass.
#include <ATen/record_function.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/torch/pass/norm_watch.hpp>
#include <lnpt/torch/pass/observer.hpp>
#include <lnpt/torch/pass/operator_call.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

namespace lnpt::detail {

/// While it lives, keeps the uses of parameters that this thread's operators make, and tells when norm layers or dropout do not do as
/// the module was told.
class forward_tap : public operator_observer {
 public:
  /// Looks on.
  explicit forward_tap(model_layout const& layout) : forward_tap(layout, std::nullopt, false) {}

  /// Checks that the module is in this mode. `own_moments` and `sum`: see norm_watch.
  forward_tap(model_layout const& layout, std::optional<norm_mode> mode, bool own_moments, moment_sum sum = {})
      : parameters_(layout), norms_(layout.norms, mode, own_moments, std::move(sum)), checks_(mode.has_value()) {}

  /// The uses of parameters, in the order of execution.
  [[nodiscard]] std::vector<weight_use>& uses() { return uses_; }
  /// What batch norms with scales among the parameters read.
  [[nodiscard]] std::vector<norm_read> const& norm_reads() const { return norm_reads_; }
  /// The norm layers, by their place in the layout, that no operator of batch norm was called for.
  [[nodiscard]] std::vector<std::size_t> unseen_norms() const { return norms_.unseen(); }
  /// The parameters that rows were read from, as an embedding does.
  [[nodiscard]] std::unordered_set<held_parameter const*> const& tables() const { return tables_; }

 private:
  /// An operator that is running: the uses it makes if it is the outermost of those that are watched.
  struct running : at::ObserverContext {
    std::vector<weight_use> uses;
  };

  [[nodiscard]] std::unique_ptr<at::ObserverContext> start(at::RecordFunction const& record) override {
    std::string_view const name = record.name();
    auto const batch_norm = is_batch_norm(name), instance_norm = name == "aten::instance_norm";
    auto const normalises = batch_norm || instance_norm;
    if (normalises || multiplies(name)) {
      auto context = std::make_unique<running>();
      if (depth_ == 0) {
        operator_call const call(record);
        if (batch_norm) see_scales(call);
        if (normalises && !has_complained())  // after which other processes hear of it before any further sum
          disapprove(batch_norm ? norms_.see_batch_norm(call) : norms_.see_instance_norm(call));
        else if (!normalises)
          context->uses = weight_uses_of(call, parameters_);
        if (draws(name)) check_draws(call);
      }
      ++depth_;
      return context;
    }
    if (reads_table(name)) {
      for (auto const* const table : tables_of(operator_call(record), parameters_)) tables_.insert(table);
    } else if (draws(name)) {
      check_draws(operator_call(record));
    }
    return nullptr;
  }

  void end(at::RecordFunction const& record, at::ObserverContext& context) override {
    auto& done = static_cast<running&>(context);
    --depth_;
    auto const results = operator_call(record).results();
    auto const output = !results.empty() && results[0].isTensor() ? results[0].toTensor() : at::Tensor();
    auto const node = output.defined() ? output.grad_fn() : node_pointer{};
    if (depth_ > 0) {
      if (node) inner_.push_back(node);
      return;
    }
    for (auto& use : done.uses) {
      if (!output.defined()) break;  // the call threw
      use.node = node;
      use.output_number = static_cast<std::uint32_t>(output.output_nr());
      if (use.form != weight_form::other && output.dim() > 1)
        use.channel_stride = stride_along(output, use.form == weight_form::convolution ? 1 : output.dim() - 1);
      use.inner = inner_;
      uses_.push_back(std::move(use));
    }
    inner_.clear();
  }

  void see_scales(operator_call const& call) {
    auto const scales = call.tensor("weight"), x = call.tensor("input");
    auto const* const held = parameters_.find(scales);
    if (held != nullptr && held->value.is_same(scales) && x.dim() > 1 && x.grad_fn())
      norm_reads_.push_back({held, x.grad_fn(), stride_along(x, 1)});
  }

  /// Whether an operator may draw random numbers in training: dropout by any name, leaky ReLUs of random slope, recurrent layers.
  [[nodiscard]] static bool draws(std::string_view name) {
    return mentions(name, "dropout") || mentions(name, "rrelu") || name == "aten::lstm" || name == "aten::gru" ||
           name == "aten::rnn_tanh" || name == "aten::rnn_relu";
  }

  void check_draws(operator_call const& call) {
    if (!call.flag("train") && !call.flag("training")) return;
    auto probability = call.number("p");
    if (!probability) probability = call.number("dropout");
    if (probability && *probability <= 0) return;
    disapprove(
        std::string(call.name().substr(call.name().rfind(':') + 1)) +
        " draws although the module was told to evaluate: script the module rather than trace it, or trace it in eval mode");
  }

  void disapprove(std::string const& sentence) {
    if (checks_ && !sentence.empty()) complain(sentence);
  }

  parameter_table parameters_;
  norm_watch norms_;
  bool checks_;
  int depth_ = 0;                    ///< watched operators that are running
  std::vector<node_pointer> inner_;  ///< of the operators inside the outermost
  std::vector<weight_use> uses_;
  std::vector<norm_read> norm_reads_;
  std::unordered_set<held_parameter const*> tables_;
};

}  // namespace lnpt::detail
