#pragma once
// Whether there is a device, and the controls of the double where the device is one.
#include <doctest/doctest.h>

#include <cstddef>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <string>

#include "../../skip.hpp"

/// False, with the reason noted, where no CUDA device is.
inline bool device_is_here() {
  int count = 0;
  auto const status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return true;
  (void)cudaGetLastError();
  skip(std::string("no CUDA device: ") + cudaGetErrorName(status));
  return false;
}

/// A control of the double; null on a GPU.
template <class F>
F* control(char const* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}
inline bool on_double() { return control<long()>("cuda_double_calls") != nullptr; }
inline long tally(char const* what) {
  auto* const read = control<long()>((std::string("cuda_double_") + what).c_str());
  return read != nullptr ? read() : 0;
}
inline std::size_t live_bytes() { return control<std::size_t()>("cuda_double_live_bytes")(); }
inline void memory(std::size_t bytes) { control<void(std::size_t)>("cuda_double_memory")(bytes); }
inline void fail_at(long n) { control<void(long)>("cuda_double_fail_at")(n); }
inline void order(int how) { control<void(int)>("cuda_double_order")(how); }
