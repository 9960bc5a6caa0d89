#pragma once
/// An allocator that keeps freed blocks, so that a computation repeated on the same shapes allocates nothing after its first round.
#include <array>
#include <bit>
#include <cstddef>
#include <mutex>
#include <new>
#include <vector>

#include <lnpt/backend/cpu/memory/block_heap.hpp>

namespace lnpt::cpu {

namespace detail {

/// Small free blocks by size class, four between powers of two, so that at most a quarter of a block is unused; large ones on a heap
/// that joins them.
class block_cache {
 public:
  static constexpr std::size_t alignment = 64;

  /// Never destroyed: arrays of static storage duration may outlive any order of destruction.
  static block_cache& instance() {
    static auto* const cache = new block_cache;
    return *cache;
  }

  void* take(std::size_t bytes) {
    if (bytes >= large) {
      std::scoped_lock const lock(mutex_);
      return heap_.take(bytes);
    }
    auto const klass = class_of(bytes);
    {
      std::scoped_lock const lock(mutex_);
      if (auto& free = free_[klass]; !free.empty()) {
        void* const block = free.back();
        free.pop_back();
        return block;
      }
    }
    return ::operator new(class_bytes(klass), std::align_val_t{alignment});
  }

  void give(void* block, std::size_t bytes) noexcept {
    if (bytes >= large) {
      std::scoped_lock const lock(mutex_);
      return heap_.give(block, bytes);
    }
    auto const klass = class_of(bytes);
    try {
      std::scoped_lock const lock(mutex_);
      free_[klass].push_back(block);
    } catch (...) {
      ::operator delete(block, std::align_val_t{alignment});
    }
  }

  void release() {
    std::scoped_lock const lock(mutex_);
    for (auto& free : free_) {
      for (void* const block : free) ::operator delete(block, std::align_val_t{alignment});
      free.clear();
    }
    heap_.release();
  }

 private:
  static constexpr std::size_t smallest = 6;  // log2 of the smallest class, one cache line
  static constexpr std::size_t large_log2 = 18, large = std::size_t{1} << large_log2;

  static std::size_t class_of(std::size_t bytes) {
    if (bytes <= (std::size_t{1} << smallest)) return 0;
    auto const octave = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
    auto const quarter = ((bytes - 1) >> (octave - 2)) & 3;
    return (octave - smallest) * 4 + quarter + 1;
  }

  static std::size_t class_bytes(std::size_t klass) {
    if (klass == 0) return std::size_t{1} << smallest;
    auto const octave = (klass - 1) / 4 + smallest;
    return (std::size_t{5} + (klass - 1) % 4) << (octave - 2);
  }

  std::mutex mutex_;
  std::array<std::vector<void*>, 4 * (large_log2 - smallest) + 1> free_;
  block_heap heap_;
};

}  // namespace detail

/// Gives the memory that freed arrays left behind back to the system; of large ones, the regions that hold no array any more.
inline void release_cached_memory() { detail::block_cache::instance().release(); }

/// A stateless allocator of blocks, aligned to 64 bytes or more, over a process-wide cache of freed ones. Thread-safe.
template <class T>
struct recycling_allocator {
  using value_type = T;

  recycling_allocator() = default;
  template <class U>
  constexpr recycling_allocator(recycling_allocator<U> const&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t n) { return static_cast<T*>(detail::block_cache::instance().take(n * sizeof(T))); }
  void deallocate(T* block, std::size_t n) noexcept { detail::block_cache::instance().give(block, n * sizeof(T)); }

  friend constexpr bool operator==(recycling_allocator const&, recycling_allocator const&) { return true; }
};

/// What a task needs for as long as it runs.
template <class T>
using scratch = std::vector<T, recycling_allocator<T>>;

}  // namespace lnpt::cpu
