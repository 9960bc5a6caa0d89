#pragma once
/// Which of several GPUs this process uses, and how.
#include <array>
#include <cstddef>

#include <lnpt/backend/cudnn/check.hpp>

namespace lnpt::cudnn {

/// How convolutions of `float` compute: see `use_precision`.
enum class precision : int { fp32, tf32, bf16 };

/// Which plans of cuDNN convolutions take: see `use_plans`.
enum class plan_choice : int { first, fastest };

namespace detail {

struct device_choice {
  int number = 0;
  bool in_use = false;  ///< whether arrays may lie there already
  precision how = precision::fp32;
  plan_choice plans = plan_choice::first;
};

[[nodiscard]] inline device_choice& chosen_device() {
  static device_choice the_only;
  return the_only;
}

/// The compute capability of a device, 90 for 9.0.
[[nodiscard]] inline int architecture_of(int device) {
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  return major * 10 + minor;
}

}  // namespace detail

/// How many CUDA devices there are: 0 also where the driver is missing.
[[nodiscard]] inline int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  (void)cudaGetLastError();  // which would be reported again by a later call
  return 0;
}

namespace detail {

inline void require_present(int device) {
  auto const count = device_count();
  if (device < 0 || device >= count)
    fail("there is no CUDA device ", device, ": ", count, count == 1 ? " is" : " are", " here, counted from 0");
}

/// Refuses a precision that a device has no tensor cores for.
inline void require_precision(int device, precision how) {
  if (how == precision::fp32) return;
  require_present(device);
  static constexpr std::array names{"fp32", "tf32", "bf16"};
  if (auto const has = architecture_of(device); has < 80)
    fail("CUDA device ", device, " has compute capability ", has / 10, '.', has % 10, " and no tensor cores for ",
         names[static_cast<std::size_t>(how)], ", which came with 8.0: compute in fp32");
}

}  // namespace detail

/// Makes CUDA device `number`, counted from 0, the one of this process; without it that is device 0. Throws `lnpt::error` where there is
/// none of this number or none of the precision in use there, and once another is in use.
inline void use_device(int number) {
  auto& chosen = detail::chosen_device();
  if (number == chosen.number && chosen.in_use) return;
  if (chosen.in_use)
    fail("CUDA device ", chosen.number, " is in use already, so device ", number,
         " cannot be: choose before the first array is made");
  detail::require_present(number);
  detail::require_precision(number, chosen.how);
  chosen.number = number;
}

}  // namespace lnpt::cudnn
