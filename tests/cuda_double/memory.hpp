#pragma once
/// Device memory: a range of addresses that the process can touch only while queued work runs.
///
/// Fresh and freed memory is NaN, and every allocation has a border behind it that AddressSanitizer watches.
#include <cstddef>

namespace cuda_double {

/// An address of `bytes` bytes of device memory, or null where there are no more.
[[nodiscard]] void* allocate(std::size_t bytes);
/// Says that memory is wanted no longer by what is queued from now on; `release` follows when the stream gets there.
void give_up(void* device);
/// Whether so much memory waits for its `release` that the stream had better run.
[[nodiscard]] bool is_crowded();
/// Throws `illegal_address` where `device` begins no live allocation.
void release(void* device);
[[nodiscard]] bool is_device(void const* address);
/// Throws `illegal_address` unless all of [address, address + bytes) lies in one live allocation.
void require_live(void const* address, std::size_t bytes);

[[nodiscard]] std::size_t bytes_in_use();
/// How much the device has.
[[nodiscard]] std::size_t memory_size();

/// Memory is accessible while one of these lives.
class accessible {
 public:
  accessible();
  ~accessible();
  accessible(accessible const&) = delete;
  accessible& operator=(accessible const&) = delete;
};

}  // namespace cuda_double
