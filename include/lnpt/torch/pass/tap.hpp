#pragma once
/// Watches the operators of one forward pass. LibTorch's C++ modules have no hooks; the dispatcher's observers see every operator of
/// every module, scripted ones among them, with its tensors as autograd knows them.
#include <ATen/record_function.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/torch/pass/norm_watch.hpp>
#include <lnpt/torch/pass/operator_call.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

namespace lnpt::detail {

/// While it lives, keeps the uses of parameters that this thread's operators make, and tells when norm layers or dropout do not do as
/// the module was told. A tap made while another lives takes over from it for as long.
class forward_tap {
 public:
  /// Looks on.
  explicit forward_tap(model_layout const& layout) : forward_tap(layout, std::nullopt, false) {}

  /// Checks that the module is in this mode. `own_moments`: see norm_watch.
  forward_tap(model_layout const& layout, std::optional<norm_mode> mode, bool own_moments)
      : parameters_(layout), norms_(layout.norms, mode, own_moments), checks_(mode.has_value()), outer_(current()) {
    current() = this;
    if (outer_ == nullptr)  // one observer calls the innermost tap
      handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&on_start, &on_end)
                                               .needsInputs(true)
                                               .needsOutputs(true)
                                               .scopes({at::RecordScope::FUNCTION}));
  }
  forward_tap(forward_tap const&) = delete;
  forward_tap& operator=(forward_tap const&) = delete;
  ~forward_tap() {
    if (outer_ == nullptr) at::removeCallback(handle_);
    current() = outer_;
  }

  /// The uses of parameters, in the order of execution.
  [[nodiscard]] std::vector<weight_use>& uses() { return uses_; }
  /// The parameters that rows were read from, as an embedding does.
  [[nodiscard]] std::unordered_set<held_parameter const*> const& tables() const { return tables_; }

  /// Throws where the module did not do as it was told; an observer cannot.
  void check() const {
    if (!complaint_.empty()) fail(complaint_);
  }

 private:
  /// An operator that is running: the uses it makes if it is the outermost of those that are watched.
  struct running : at::ObserverContext {
    std::vector<weight_use> uses;
  };

  static forward_tap*& current() {
    static thread_local forward_tap* active = nullptr;
    return active;
  }

  static std::unique_ptr<at::ObserverContext> on_start(at::RecordFunction const& call) {
    auto* const tap = current();
    if (tap == nullptr) return nullptr;  // a thread of autograd's, for another device
    at::RecordFunctionGuard const quiet(/*is_enabled=*/false);
    try {
      return tap->start(call);
    } catch (std::exception const& reason) {
      tap->complain(std::string(call.name()) + " could not be watched (" + reason.what() + ")");
      return nullptr;
    }
  }

  static void on_end(at::RecordFunction const& call, at::ObserverContext* context) {
    auto* const tap = current();
    if (context == nullptr || tap == nullptr) return;
    at::RecordFunctionGuard const quiet(/*is_enabled=*/false);
    tap->end(operator_call(call), *static_cast<running*>(context));
  }

  [[nodiscard]] std::unique_ptr<running> start(at::RecordFunction const& record) {
    std::string_view const name = record.name();
    auto const batch_norm = name == "aten::batch_norm", instance_norm = name == "aten::instance_norm";
    auto const normalises = batch_norm || instance_norm;
    if (normalises || multiplies(name)) {
      auto context = std::make_unique<running>();
      if (depth_ == 0) {
        operator_call const call(record);
        if (normalises)
          complain(batch_norm ? norms_.see_batch_norm(call) : norms_.see_instance_norm(call));
        else
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

  void end(operator_call const& call, running& done) {
    --depth_;
    auto const results = call.results();
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
      use.inner = inner_;
      uses_.push_back(std::move(use));
    }
    inner_.clear();
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
    complain(std::string(call.name().substr(call.name().rfind(':') + 1)) +
             " draws although the module was told to evaluate: script the module rather than trace it, or trace it in eval mode");
  }

  void complain(std::string sentence) {
    if (checks_ && complaint_.empty()) complaint_ = std::move(sentence);
  }

  parameter_table parameters_;
  norm_watch norms_;
  bool checks_;
  int depth_ = 0;                    ///< watched operators that are running
  std::vector<node_pointer> inner_;  ///< of the operators inside the outermost
  std::vector<weight_use> uses_;
  std::unordered_set<held_parameter const*> tables_;
  std::string complaint_;
  forward_tap* outer_;
  at::CallbackHandle handle_ = 0;
};

}  // namespace lnpt::detail
