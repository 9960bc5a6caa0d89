#pragma once
/// A heap for the large arrays of a pass: freed neighbours join, so that what activations leave behind serves gradients of other sizes.
#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

#include <lnpt/backend/cpu/memory/large_pages.hpp>

// Where the address sanitizer is linked in, it is told which parts of a region are free; elsewhere these are null.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the names are the sanitizer's
extern "C" {
[[gnu::weak]] void __asan_poison_memory_region(void const volatile* begin, std::size_t bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(void const volatile* begin, std::size_t bytes);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace lnpt::cpu::detail {

/// Blocks of whole pages, cut from regions of the system's memory by best fit. A region is larger than what was asked for, but its
/// pages cost nothing until they are written to. Free blocks form a list by address that lives in the blocks themselves, so that
/// giving one back cannot fail; a pass holds few, so that walking the list is cheap. Not thread-safe.
class block_heap {
 public:
  static constexpr std::size_t page = 4096;

  void* take(std::size_t bytes) {
    auto const size = size_of_block(bytes);
    free_block** best = best_fit(size);
    if (*best == nullptr) {
      add_region(size);
      best = best_fit(size);
    }
    auto* const block = *best;
    if (block->size == size)
      *best = block->next;
    else
      *best = make_free(reinterpret_cast<std::byte*>(block) + size, block->size - size, block->next);
    unpoison(block, bytes);  // and not what the size was rounded up by
    return block;
  }

  void give(void* block, std::size_t bytes) noexcept { insert(static_cast<std::byte*>(block), size_of_block(bytes)); }

  /// Gives regions back to the system of which nothing is in use.
  void release() noexcept {
    std::erase_if(regions_, [this](region const& each) {
      for (auto** link = &first_; *link != nullptr; link = &(*link)->next) {
        auto* const block = *link;
        if (reinterpret_cast<std::byte*>(block) != each.begin || block->size != each.size) continue;
        *link = block->next;
        unpoison(block, each.size);
        ::operator delete(each.begin, std::align_val_t{large_page});
        return true;
      }
      return false;
    });
  }

 private:
  static constexpr std::size_t usual_region = std::size_t{256} << 20;

  struct free_block {
    std::size_t size;
    free_block* next;
  };
  struct region {
    std::byte* begin;
    std::size_t size;  ///< without its last page, which keeps regions from being neighbours
  };

  /// Under the address sanitizer there is some room behind each block that nobody may touch.
  [[nodiscard]] static std::size_t size_of_block(std::size_t bytes) {
    return (bytes + (__asan_poison_memory_region != nullptr ? 64 : 0) + page - 1) / page * page;
  }

  [[nodiscard]] static free_block* make_free(std::byte* begin, std::size_t size, free_block* next) {
    unpoison(begin, sizeof(free_block));
    auto* const block = new (begin) free_block{size, next};
    if (__asan_poison_memory_region != nullptr) __asan_poison_memory_region(block + 1, size - sizeof(free_block));
    return block;
  }
  static void unpoison(void* begin, std::size_t size) {
    if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(begin, size);
  }

  /// Puts a free block in its place in the list, as one with those before and behind it where they are neighbours.
  void insert(std::byte* begin, std::size_t size) noexcept {
    free_block* before = nullptr;
    auto* after = first_;
    for (; after != nullptr && reinterpret_cast<std::byte*>(after) < begin; after = after->next) before = after;
    auto* const block = make_free(begin, size, after);
    join(block);
    (before == nullptr ? first_ : before->next) = block;
    if (before != nullptr) join(before);
  }

  /// Makes one of `block` and the next where they are neighbours.
  static void join(free_block* block) {
    auto* const next = block->next;
    if (next == nullptr || reinterpret_cast<std::byte*>(block) + block->size != reinterpret_cast<std::byte*>(next)) return;
    block->size += next->size;
    block->next = next->next;
    if (__asan_poison_memory_region != nullptr) __asan_poison_memory_region(next, sizeof(free_block));
  }

  /// The link to the smallest block of at least this size, the first of several; a link to null where there is none.
  [[nodiscard]] free_block** best_fit(std::size_t size) {
    free_block** best = nullptr;
    auto** link = &first_;
    for (; *link != nullptr; link = &(*link)->next)
      if ((*link)->size >= size && (best == nullptr || (*link)->size < (*best)->size)) best = link;
    return best != nullptr ? best : link;
  }

  /// A region that holds a block of `size`, as large as all others together while the system grants it.
  void add_region(std::size_t size) {
    auto wanted = usual_region;
    for (auto const& each : regions_) wanted += each.size;
    wanted = std::max(wanted, size);
    regions_.reserve(regions_.size() + 1);  // so that nothing throws once the memory is taken
    void* memory = nullptr;
    while ((memory = ::operator new(wanted + page, std::align_val_t{large_page}, std::nothrow)) == nullptr) {
      if (wanted == size) throw std::bad_alloc();
      wanted = std::max(size, wanted / 2 / page * page);
    }
    prefer_large_pages(memory, wanted);
    regions_.push_back({static_cast<std::byte*>(memory), wanted});
    insert(regions_.back().begin, wanted);
  }

  free_block* first_ = nullptr;
  std::vector<region> regions_;
};

}  // namespace lnpt::cpu::detail
