#pragma once
/// Automatic mixed precision for one scope.
#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include <lnpt/core/error.hpp>

namespace lnpt::detail {

/// Whether automatic mixed precision is on for this kind of device.
[[nodiscard]] inline bool is_autocasting(at::DeviceType device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  return at::autocast::is_autocast_enabled(device);
#else
  return device == at::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
#endif
}

/// Refuses to score what autocast would round on its way.
inline void require_full_precision(at::DeviceType device) {
  if (is_autocasting(device))
    fail(
        "a module is not scored under autocast, which rounds weights, activations and gradients to 16 bits: leave its scope "
        "before");
}

/// Runs what LibTorch deems safe in bfloat16, on this kind of device; weights and everything else keep their type.
class autocast_guard {
 public:
  autocast_guard(at::DeviceType device, bool on) : device_(device), on_(on) {
    if (on_) set(true);
  }
  autocast_guard(autocast_guard const&) = delete;
  autocast_guard& operator=(autocast_guard const&) = delete;
  ~autocast_guard() {
    if (!on_) return;
    at::autocast::clear_cache();
    set(false);
  }

 private:
  void set(bool on) const {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_enabled(device_, on);
#else
    if (device_ == at::kCPU) {
      at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
      at::autocast::set_cpu_enabled(on);
    } else {
      at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
      at::autocast::set_enabled(on);
    }
#endif
  }

  at::DeviceType device_;
  bool on_;
};

}  // namespace lnpt::detail
