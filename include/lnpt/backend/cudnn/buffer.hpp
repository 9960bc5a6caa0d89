#pragma once
/// Device memory from the stream-ordered pool, which keeps what it has.
#include <cstddef>
#include <memory>

#include <lnpt/backend/cudnn/runtime.hpp>

namespace lnpt::cudnn::detail {

/// Some bytes of device memory. Given back in the order of the stream: work that is queued already may still use them.
class buffer {
 public:
  explicit buffer(std::size_t bytes) {
    if (bytes == 0) return;
    auto const status = cudaMallocAsync(&at_, bytes, runtime::current().stream());
    if (status == cudaErrorMemoryAllocation) refuse(bytes);
    check(status, "cudaMallocAsync");
  }
  buffer(buffer const&) = delete;
  buffer& operator=(buffer const&) = delete;
  ~buffer() {
    if (at_ != nullptr) (void)cudaFreeAsync(at_, runtime::current().stream());
  }
  [[nodiscard]] void* get() const { return at_; }

 private:
  [[noreturn]] static void refuse(std::size_t bytes) {
    (void)cudaGetLastError();
    std::size_t free = 0;
    std::size_t total = 0;
    (void)cudaMemGetInfo(&free, &total);
    fail("out of device memory: ", bytes, " bytes are wanted, and ", free, " of ", total,
         " are free: take smaller batches, which need less in proportion");
  }
  void* at_ = nullptr;
};

using shared_buffer = std::shared_ptr<buffer>;
[[nodiscard]] inline shared_buffer allocate(std::size_t bytes) { return std::make_shared<buffer>(bytes); }

inline void copy(void* to, void const* from, std::size_t bytes, cudaMemcpyKind kind) {
  runtime::current().flush();
  if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, kind, runtime::current().stream()), "cudaMemcpyAsync");
}

}  // namespace lnpt::cudnn::detail
