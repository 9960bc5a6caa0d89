#include "memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <sys/mman.h>
#include <utility>

#include "cuda_double.hpp"
#include "faults.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) static_cast<void>(0)
#endif

namespace cuda_double {

namespace {

constexpr std::size_t reserved = std::size_t{4} << 30, border = 256;
constexpr int nan_byte = 0xFF;  // in every byte: a NaN of float and of double

struct heap {
  char* base = static_cast<char*>(mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  std::map<std::size_t, std::size_t> live;           ///< offset → bytes asked for
  std::multimap<std::size_t, std::size_t> returned;  ///< room → offset
  std::size_t top = border, bytes = 0, wanted = 0, peak = 0, size = reserved;
  std::size_t merged_at = std::size_t{64} << 20;  ///< the top beyond which neighbours among what was returned become one
  long fresh = 0;
  int users = 0;
};

heap& the_heap() {
  static heap h;
  return h;
}

/// Makes a range NaN. Its pages alone become accessible for that: to change those of all memory for every allocation takes far longer.
void fill(heap const& h, std::size_t at, std::size_t bytes) {
  constexpr std::size_t page = 4096;
  auto const begin = at / page * page, end = (at + bytes + page - 1) / page * page;
  auto const protect = [&](int how) {
    if (h.users == 0 && mprotect(h.base + begin, end - begin, how) != 0) std::abort();
  };
  protect(PROT_READ | PROT_WRITE);
  ASAN_UNPOISON_MEMORY_REGION(h.base + at, bytes);
  std::memset(h.base + at, nan_byte, bytes);
  protect(PROT_NONE);
}

/// Makes neighbours among what was returned one; what reaches the top lowers it.
void merge(heap& h) {
  std::map<std::size_t, std::size_t> lengths;
  for (auto const& [room, at] : h.returned) lengths[at] = room + border;
  h.returned.clear();
  for (auto next = lengths.begin(); next != lengths.end();) {
    auto const at = next->first;
    auto end = at;
    for (; next != lengths.end() && next->first == end; ++next) end += next->second;
    if (end != h.top) {
      h.returned.emplace(end - at - border, at);
      continue;
    }
    auto const page = (at + 4095) / 4096 * 4096;
    if (h.users != 0 && page < end && mprotect(h.base + page, end - page, PROT_NONE) != 0) std::abort();
    h.top = at;
  }
}

/// The smallest of what was returned that has this room, cut to it; 0 where there is none.
std::size_t cut(heap& h, std::size_t room) {
  auto const found = h.returned.lower_bound(room);
  if (found == h.returned.end()) return 0;
  auto const [whole, at] = *found;
  h.returned.erase(found);
  if (whole != room) h.returned.emplace(whole - room - border, at + room + border);
  return at;
}

/// New addresses: of several that were returned where the top has become high, else at the top; 0 where there are no more. Memory is made
/// accessible up to the top, which takes the longer the higher it is.
std::size_t fresh_addresses(heap& h, std::size_t room) {
  ++h.fresh;
  if (h.top + room + border > h.merged_at) {
    merge(h);
    if (auto const at = cut(h, room); at != 0) return at;
    h.merged_at = std::max(h.merged_at, 2 * h.top);
  }
  if (h.top + room + border > reserved) return 0;
  auto const at = h.top;
  h.top += room + border;
  if (h.users != 0 && mprotect(h.base, h.top, PROT_READ | PROT_WRITE) != 0) std::abort();
  return at;
}

std::size_t room_for(std::size_t bytes) { return (std::max<std::size_t>(bytes, 1) + border - 1) / border * border; }

}  // namespace

accessible::accessible() {
  auto& h = the_heap();
  if (h.users++ == 0 && mprotect(h.base, h.top, PROT_READ | PROT_WRITE) != 0) std::abort();
}
accessible::~accessible() {
  auto& h = the_heap();
  if (--h.users == 0 && mprotect(h.base, h.top, PROT_NONE) != 0) std::abort();
}

void* allocate(std::size_t bytes) {
  auto& h = the_heap();
  auto const room = room_for(bytes);
  if (h.bytes + bytes > h.size) return nullptr;
  std::size_t at = 0;
  if (auto const found = h.returned.find(room); found != h.returned.end()) {
    at = found->second;
    h.returned.erase(found);
  } else if (at = fresh_addresses(h, room); at == 0) {
    return nullptr;
  }
  h.live[at] = bytes;
  h.bytes += bytes;
  h.peak = std::max(h.peak, h.wanted += bytes);
  fill(h, at, room + border);
  ASAN_POISON_MEMORY_REGION(h.base + at + bytes, room - bytes + border);
  return h.base + at;
}

void give_up(void* device) {
  auto& h = the_heap();
  auto const found = h.live.find(static_cast<std::size_t>(static_cast<char*>(device) - h.base));
  if (found != h.live.end()) h.wanted -= found->second;
}

bool is_crowded() {
  auto const& h = the_heap();
  return h.bytes - h.wanted > std::size_t{64} << 20;
}

void release(void* device) {
  auto& h = the_heap();
  auto const at = static_cast<std::size_t>(static_cast<char*>(device) - h.base);
  auto const found = h.live.find(at);
  if (found == h.live.end()) throw illegal_address("memory is freed that is not in use");
  auto const room = room_for(found->second);
  fill(h, at, room);
  ASAN_POISON_MEMORY_REGION(h.base + at, room);
  h.bytes -= found->second;
  h.live.erase(found);
  h.returned.emplace(room, at);
}

bool is_device(void const* address) {
  auto const& h = the_heap();
  return address >= h.base && address < h.base + reserved;
}

void require_live(void const* address, std::size_t bytes) {
  auto const& h = the_heap();
  if (!is_device(address)) throw illegal_address("a host address where one of the device is due");
  auto const at = static_cast<std::size_t>(static_cast<char const*>(address) - h.base);
  auto next = h.live.upper_bound(at);
  if (next == h.live.begin() || (--next, at + bytes > next->first + next->second))
    throw illegal_address("an access of " + std::to_string(bytes) + " bytes outside of every live allocation");
}

std::size_t bytes_in_use() { return the_heap().bytes; }
std::size_t memory_size() { return the_heap().size; }

}  // namespace cuda_double

extern "C" {
long cuda_double_new_allocations() { return cuda_double::the_heap().fresh; }
long cuda_double_take_peak_bytes() {
  auto& h = cuda_double::the_heap();
  return static_cast<long>(std::exchange(h.peak, h.wanted));
}
void cuda_double_memory(std::size_t bytes) {
  cuda_double::the_heap().size = bytes == 0 ? cuda_double::reserved : std::min(bytes, cuda_double::reserved);
}
}
