#pragma once
/// The n best scores of several parameters, ranked on the device, to the bit as on the host.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <lnpt/backend/cudnn/descent.hpp>
#include <lnpt/mask/bits.hpp>
#include <lnpt/mask/tensor_scores.hpp>

namespace lnpt::cudnn::detail {

/// One ranking. Memory: a key per score; the host waits for the threshold, for the bits, and where scores are tied for theirs.
template <class T>
class device_selector {
 public:
  using key = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  using part = ranked_tensor<array<T>>;

  device_selector(std::span<part const> parts, std::size_t n, keep_end end) : parts_(parts), wanted_(n) {
    std::size_t ranked = 0;
    for (auto const& p : parts) {
      ranked += p.among.empty() ? p.scores->size() : lnpt::detail::count_bits(p.among);
      first_block_.push_back(blocks_);
      blocks_ += blocks_of(p.scores->size());
    }
    if (n > ranked) fail("cannot keep ", n, " of ", ranked, " ranked scores: ask for at most ", ranked);
    if (blocks_ == 0) return;
    keys_ = allocate(slots() * sizeof(key));
    // What is read at the end, in one piece, and the counts of digits behind it.
    found_ = allocate((found_size() + buckets) * sizeof(std::uint64_t));
    std::vector<std::uint64_t> start(found_size() + buckets);
    start[1] = n;
    copy(found_->get(), start.data(), start.size() * sizeof(std::uint64_t), cudaMemcpyHostToDevice);
    gather_keys(end);
  }

  /// Writes the bits.
  [[nodiscard]] ranking_outcome run() {
    for (auto const& p : parts_) std::ranges::fill(p.kept, mask::word{0});
    if (blocks_ == 0) return {};
    if (wanted_ != 0) find_threshold();
    std::vector<std::uint64_t> found(found_size());
    copy(found.data(), found_->get(), found.size() * sizeof(std::uint64_t), cudaMemcpyDeviceToHost);
    auto const not_finite = found.begin() + state_size;
    if (std::any_of(not_finite, found.end(), [](auto count) { return count != 0; }))
      return {.non_finite = {not_finite, found.end()}};
    if (wanted_ == 0) return {};
    return write(found[1], found[2]);
  }

 private:
  static constexpr std::size_t state_size = sizeof(search_state) / sizeof(std::uint64_t);
  static constexpr std::size_t buckets = std::size_t{1} << digit_bits;
  static constexpr unsigned most_blocks = 1024;

  [[nodiscard]] std::size_t found_size() const { return state_size + parts_.size(); }
  [[nodiscard]] std::size_t slots() const { return std::size_t{blocks_} * part_block; }
  [[nodiscard]] search_state* state() const { return static_cast<search_state*>(found_->get()); }
  [[nodiscard]] key* keys() const { return static_cast<key*>(keys_->get()); }

  void gather_keys(keep_end end) const {
    for (std::size_t first = 0; first < parts_.size(); first += most_parts) {
      score_table<T> table{0, end == keep_end::lowest ? 1 : 0, {}};
      std::vector<array<T>> scores;
      std::vector<packed_mask> among;
      unsigned blocks = 0;
      for (auto const& p : parts_.subspan(first, std::min<std::size_t>(most_parts, parts_.size() - first))) {
        scores.push_back(in_order(*p.scores));
        if (!p.among.empty()) among.push_back(pack(p.among));
        table.at[table.parts++] = {scores.back().data(), p.among.empty() ? nullptr : among.back().data(),
                                   static_cast<unsigned>(p.scores->size()), blocks};
        blocks += blocks_of(p.scores->size());
      }
      if (blocks == 0) continue;
      auto* const counts = static_cast<unsigned long long*>(found_->get()) + state_size + first;
      runtime::current().launch(kernel("gather_keys"), blocks, part_block, table,
                                keys() + std::size_t{first_block_[first]} * part_block, counts);
    }
  }

  /// Digit by digit, from the highest. The last digit begins at bit 0 and shares a few bits with the one before.
  void find_threshold() const {
    constexpr unsigned width = std::numeric_limits<key>::digits;
    auto& device = runtime::current();
    auto* const counts = static_cast<unsigned long long*>(found_->get()) + found_size();
    auto const n = static_cast<unsigned long long>(slots());
    key higher = 0;
    for (unsigned left = width; left != 0;) {
      auto const shift = left > digit_bits ? left - digit_bits : 0;
      device.launch(key_kernel("count_digits"), std::min(blocks_, most_blocks), part_block, static_cast<key const*>(keys()), n,
                    static_cast<search_state const*>(state()), higher, shift, counts);
      device.launch("choose_digit", 1, part_block, counts, state(), shift);
      higher = static_cast<key>(std::numeric_limits<key>::max() << shift);
      left = shift;
    }
  }

  /// Of `equal` scores at the threshold the first `wanted` stay.
  [[nodiscard]] ranking_outcome write(std::size_t wanted, std::size_t equal) const {
    auto const bytes = slots() / 8;
    auto const above = allocate(bytes);
    auto const same = allocate(bytes);
    runtime::current().launch(key_kernel("write_bits"), blocks_, part_block, static_cast<key const*>(keys()),
                              static_cast<search_state const*>(state()), static_cast<unsigned*>(above->get()),
                              static_cast<unsigned*>(same->get()));
    auto const words = words_of(*above, bytes);
    for_each_word([&](std::size_t, mask::word& kept, std::size_t at) { kept = words[at]; });
    if (wanted == equal) return {};
    ranking_outcome outcome;
    outcome.tied_kept = wanted;
    outcome.tied.resize(parts_.size());
    auto const ties = words_of(*same, bytes);
    for_each_word([&](std::size_t p, mask::word& kept, std::size_t at) {
      auto const taken = lnpt::detail::lowest_bits(ties[at], wanted);
      kept |= taken;
      wanted -= lnpt::detail::count_bits(taken);
      outcome.tied[p] += lnpt::detail::count_bits(ties[at]);
    });
    return outcome;
  }
  [[nodiscard]] static std::vector<mask::word> words_of(buffer const& bits, std::size_t bytes) {
    std::vector<mask::word> words(bytes / sizeof(mask::word));
    copy(words.data(), bits.get(), bytes, cudaMemcpyDeviceToHost);
    return words;
  }
  /// Calls `f(part, kept word, its place among the words of all)`, in order.
  template <class F>
  void for_each_word(F f) const {
    for (std::size_t p = 0; p < parts_.size(); ++p)
      for (std::size_t w = 0; w < parts_[p].kept.size(); ++w)
        f(p, parts_[p].kept[w], std::size_t{first_block_[p]} * (part_block / mask::word_bits) + w);
  }

  [[nodiscard]] static std::string kernel(char const* name) {
    return std::string(name) + (sizeof(T) == sizeof(float) ? "<float, unsigned>" : "<double, unsigned long long>");
  }
  [[nodiscard]] static std::string key_kernel(char const* name) {
    return std::string(name) + (sizeof(T) == sizeof(float) ? "<unsigned>" : "<unsigned long long>");
  }

  std::span<part const> parts_;
  std::size_t wanted_;
  std::vector<unsigned> first_block_;
  unsigned blocks_ = 0;
  shared_buffer keys_, found_;
};

}  // namespace lnpt::cudnn::detail
