#pragma once
/// Chooses how LibTorch computes scaled_dot_product_attention.
#include <ATen/Context.h>

#include <array>

namespace lnpt::detail {

/// While it lives, attention is computed by products and a softmax, which have derivatives of every order. The fused kernels, which
/// LibTorch 2.x prefers, have none beyond the first. The choice is LibTorch's own, one for all threads.
class plain_attention_guard {
 public:
  plain_attention_guard() : own_(read(at::globalContext())) { write(at::globalContext(), {false, false, false, true}); }
  plain_attention_guard(plain_attention_guard const&) = delete;
  plain_attention_guard& operator=(plain_attention_guard const&) = delete;
  ~plain_attention_guard() { write(at::globalContext(), own_); }

 private:
  using kernels = std::array<bool, 4>;  ///< flash, memory-efficient, cuDNN's, plain; older versions have fewer

  template <class Context>
  [[nodiscard]] static kernels read(Context const& context) {
    kernels on{false, false, false, true};
    if constexpr (requires { context.userEnabledFlashSDP(); }) on[0] = context.userEnabledFlashSDP();
    if constexpr (requires { context.userEnabledMemEfficientSDP(); }) on[1] = context.userEnabledMemEfficientSDP();
    if constexpr (requires { context.userEnabledCuDNNSDP(); }) on[2] = context.userEnabledCuDNNSDP();
    if constexpr (requires { context.userEnabledMathSDP(); }) on[3] = context.userEnabledMathSDP();
    return on;
  }

  template <class Context>
  static void write(Context& context, kernels const& on) {
    if constexpr (requires { context.setSDPUseFlash(true); }) context.setSDPUseFlash(on[0]);
    if constexpr (requires { context.setSDPUseMemEfficient(true); }) context.setSDPUseMemEfficient(on[1]);
    if constexpr (requires { context.setSDPUseCuDNN(true); }) context.setSDPUseCuDNN(on[2]);
    if constexpr (requires { context.setSDPUseMath(true); }) context.setSDPUseMath(on[3]);
  }

  kernels own_;
};

}  // namespace lnpt::detail
