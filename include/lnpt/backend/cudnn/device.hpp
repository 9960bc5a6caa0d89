#pragma once
/// Which of several GPUs this process uses.
#include <cuda_runtime_api.h>

#include <lnpt/core/error.hpp>

namespace lnpt::cudnn {

namespace detail {

struct device_choice {
  int number = 0;
  bool in_use = false;  ///< whether arrays may lie there already
};

[[nodiscard]] inline device_choice& chosen_device() {
  static device_choice the_only;
  return the_only;
}

}  // namespace detail

/// How many CUDA devices there are: 0 also where the driver is missing.
[[nodiscard]] inline int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  (void)cudaGetLastError();  // which would be reported again by a later call
  return 0;
}

/// Makes CUDA device `number`, counted from 0, the one of this process; without it that is device 0. Throws `lnpt::error` where there is
/// none of this number, and once another is in use.
inline void use_device(int number) {
  auto& chosen = detail::chosen_device();
  if (number == chosen.number && chosen.in_use) return;
  if (chosen.in_use)
    fail("CUDA device ", chosen.number, " is in use already, so device ", number,
         " cannot be: choose before the first array is made");
  auto const count = device_count();
  if (number < 0 || number >= count)
    fail("there is no CUDA device ", number, ": ", count, count == 1 ? " is" : " are", " here, counted from 0");
  chosen.number = number;
}

}  // namespace lnpt::cudnn
