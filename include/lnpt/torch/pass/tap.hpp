#pragma once
/// Watches the operators of one forward pass: where each weight met its input, and what batch norm was given.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/function.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// The arguments of the call that is being recorded. RecordFunction::inputs() would do, but where NDEBUG is not defined it checks a
/// flag that LibTorch's own release build never sets; so this reads the member, by the one way the language leaves open: access is not
/// checked in an explicit instantiation.
[[nodiscard]] inline c10::ArrayRef<at::IValue const> arguments_of(at::RecordFunction const& call);
template <auto Inputs>
struct recorded_arguments {
  friend c10::ArrayRef<at::IValue const> arguments_of(at::RecordFunction const& call) { return call.*Inputs; }
};
template struct recorded_arguments<&at::RecordFunction::inputs_>;

/// How a convolution was called.
struct torch_convolution {
  std::vector<std::int64_t> stride, padding, dilation, output_padding;
  bool transposed = false;
  std::int64_t groups = 1;
};

/// A node of the graph as this LibTorch holds it: by a std::shared_ptr, or since 2.15 by a c10::intrusive_ptr.
using node_pointer = std::remove_cvref_t<decltype(std::declval<at::Tensor const&>().grad_fn())>;

/// One place where a weight met its input. `node` is where the gradient of the output arrives, also when the output is later changed
/// in place.
struct weight_use {
  at::Tensor operand, input;                       ///< the weight, or a transposed view of it
  std::unique_ptr<torch_convolution> convolution;  ///< null: a linear layer
  node_pointer node = {};
  std::uint32_t output_number = 0;

  /// Whether it is this parameter that met the input. LibTorch's linear layers multiply by a transposed view.
  [[nodiscard]] bool is_of(at::Tensor const& parameter) const {
    if (operand.is_same(parameter)) return true;
    return !convolution && operand.dim() == 2 && parameter.dim() == 2 && operand.data_ptr() == parameter.data_ptr() &&
           operand.sizes().equals({parameter.size(1), parameter.size(0)}) &&
           operand.strides().equals({parameter.stride(1), parameter.stride(0)});
  }
};

/// What a forward pass is to do with batch norm, and what was seen of it. LibTorch's C++ modules have no hooks; the record-function
/// callbacks of the dispatcher reach every module, scripted ones among them, and see tensors as autograd does.
class forward_tap {
 public:
  /// Looks on.
  explicit forward_tap(std::vector<norm_layer> const& norms) : forward_tap(norms, std::nullopt, false) {}

  /// `own_moments`: the running statistics of each norm layer become those of the batch it is about to normalise.
  forward_tap(std::vector<norm_layer> const& norms, std::optional<bool> expects_training, bool own_moments)
      : norms_(norms),
        uses_of_norm_(norms.size()),
        expects_training_(expects_training),
        own_moments_(own_moments),
        outer_(current()) {
    current() = this;
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(&on_start, &on_end).needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION}));
  }
  forward_tap(forward_tap const&) = delete;
  forward_tap& operator=(forward_tap const&) = delete;
  ~forward_tap() {
    at::removeCallback(handle_);
    current() = outer_;
  }

  [[nodiscard]] std::vector<weight_use>& uses() { return uses_; }

  /// Throws where the module did not do as it was told; callbacks cannot.
  void check() const {
    if (!complaint_.empty()) fail(complaint_);
  }

 private:
  struct pending_use : at::ObserverContext {
    explicit pending_use(weight_use u) : use(std::move(u)) {}
    weight_use use;
  };

  static forward_tap*& current() {
    static thread_local forward_tap* active = nullptr;
    return active;
  }

  static std::unique_ptr<at::ObserverContext> on_start(at::RecordFunction const& call) {
    if (current() == nullptr) return nullptr;  // a thread of autograd's, for another device
    at::RecordFunctionGuard const quiet(/*is_enabled=*/false);
    std::string_view const name = call.name();
    auto inputs = arguments_of(call);
    if (auto const op = call.operator_name())
      if (auto const found = c10::Dispatcher::singleton().findSchema(*op))
        if (auto const own = found->schema().arguments().size(); own < inputs.size()) inputs = inputs.slice(inputs.size() - own);
    if (name == "aten::batch_norm" && inputs.size() >= 6)
      current()->see_batch_norm(inputs);
    else if ((name == "aten::dropout" || name == "aten::feature_dropout") && inputs[2].toBool() && inputs[1].toDouble() > 0)
      current()->complain(
          "dropout runs although the module was told to evaluate: script the module rather than trace it, or trace it in eval "
          "mode");
    else if (name == "aten::linear" || name == "aten::matmul" || name == "aten::mm")
      return std::make_unique<pending_use>(weight_use{inputs[1].toTensor(), inputs[0].toTensor(), nullptr});
    else if (name == "aten::addmm" && inputs[3].toScalar().toDouble() == 1 && inputs[4].toScalar().toDouble() == 1)
      return std::make_unique<pending_use>(weight_use{inputs[2].toTensor(), inputs[1].toTensor(), nullptr});
    else if ((name == "aten::convolution" || name == "aten::_convolution") && inputs.size() >= 9)
      return std::make_unique<pending_use>(
          weight_use{inputs[1].toTensor(), inputs[0].toTensor(),
                     std::make_unique<torch_convolution>(torch_convolution{inputs[3].toIntVector(), inputs[4].toIntVector(),
                                                                           inputs[5].toIntVector(), inputs[7].toIntVector(),
                                                                           inputs[6].toBool(), inputs[8].toInt()})});
    return nullptr;
  }

  static void on_end(at::RecordFunction const& call, at::ObserverContext* context) {
    if (context == nullptr || call.outputs().empty()) return;
    auto& use = static_cast<pending_use*>(context)->use;
    auto const output = call.outputs().back().toTensor();
    use.node = output.grad_fn();
    use.output_number = static_cast<std::uint32_t>(output.output_nr());
    auto& seen = current()->uses_;
    // Operators that call one another are seen twice, with the same node or, beneath autograd, without one.
    for (auto const& each : seen)
      if (use.node && each.node == use.node) return;
    seen.push_back(std::move(use));
  }

  void see_batch_norm(c10::ArrayRef<at::IValue const> inputs) {
    if (!inputs[3].isTensor()) return;
    auto const mean = inputs[3].toTensor();
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      if (!mean.is_same(norms_[i].mean)) continue;
      if (expects_training_ && inputs[5].toBool() != *expects_training_)
        complain("batch norm " + norms_[i].path +
                 (*expects_training_ ? " evaluates although it was told to train" : " trains although it was told to evaluate") +
                 ": script the module rather than trace it");
      if (!own_moments_) return;
      if (++uses_of_norm_[i] > 1)
        complain("batch norm " + norms_[i].path +
                 " runs twice in one forward pass, so its statistics cannot be frozen: score with norm_mode::eval");
      at::NoGradGuard const plain;
      auto const [m, v] = at::batch_norm_update_stats(inputs[0].toTensor().detach(), {}, {}, 0.0);
      mean.set_data(m);
      norms_[i].variance.set_data(v);
    }
  }

  void complain(std::string sentence) {
    if (expects_training_ && complaint_.empty()) complaint_ = std::move(sentence);
  }

  std::vector<norm_layer> const& norms_;
  std::vector<int> uses_of_norm_;
  std::optional<bool> expects_training_;
  bool own_moments_;
  std::vector<weight_use> uses_;
  std::string complaint_;
  forward_tap* outer_;
  at::CallbackHandle handle_;
};

}  // namespace lnpt::detail
