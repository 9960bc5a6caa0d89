#pragma once
/// Errors of the four libraries as `lnpt::error`: the call, and the library's own words.
#include <array>
#include <string>

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <nvrtc.h>

#include <lnpt/core/error.hpp>

namespace lnpt::cudnn::detail {

inline void check(cudaError_t status, char const* call) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // which would be reported again by a later call
  fail("CUDA: ", call, " failed with ", cudaGetErrorName(status), ": ", cudaGetErrorString(status));
}

/// cuDNN's reason for its last failure; asking takes it away.
[[nodiscard]] inline std::string last_reason() {
  std::array<char, 16384> text{};  // the reasons of all engines of one convolution take up to 14 kB
  cudnnGetLastErrorString(text.data(), text.size());
  return text.data();
}
inline void check(cudnnStatus_t status, char const* call) {
  if (status != CUDNN_STATUS_SUCCESS) fail("cuDNN: ", call, " failed with ", cudnnGetErrorString(status), ": ", last_reason());
}
inline void check(cublasStatus_t status, char const* call) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cuBLAS: ", call, " failed with ", cublasGetStatusName(status));
}
inline void check(nvrtcResult status, char const* call) {
  if (status != NVRTC_SUCCESS) fail("NVRTC: ", call, " failed with ", nvrtcGetErrorString(status));
}

}  // namespace lnpt::cudnn::detail
