#pragma once
/// What the libraries hand out, given back when it goes out of scope.
#include <utility>

#include <lnpt/backend/cudnn/check.hpp>

namespace lnpt::cudnn::detail {

/// Owns a handle that `Destroy` gives back; a failure to do so has nobody left to tell.
template <class Handle, auto Destroy>
class handle {
 public:
  handle() = default;
  handle(handle&& other) noexcept : value_(std::exchange(other.value_, Handle{})) {}
  handle& operator=(handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  handle(handle const&) = delete;
  handle& operator=(handle const&) = delete;
  ~handle() {
    if (value_ != Handle{}) Destroy(value_);
  }

  [[nodiscard]] Handle get() const { return value_; }
  /// Where a library writes a new handle.
  [[nodiscard]] Handle* out() { return &value_; }

 private:
  Handle value_{};
};

inline void destroy_program(nvrtcProgram program) { (void)nvrtcDestroyProgram(&program); }

using stream_handle = handle<cudaStream_t, cudaStreamDestroy>;
using event_handle = handle<cudaEvent_t, cudaEventDestroy>;
using cudnn_handle = handle<cudnnHandle_t, cudnnDestroy>;
using cublas_handle = handle<cublasHandle_t, cublasDestroy>;
using library_handle = handle<cudaLibrary_t, cudaLibraryUnload>;
using program_handle = handle<nvrtcProgram, destroy_program>;

}  // namespace lnpt::cudnn::detail
