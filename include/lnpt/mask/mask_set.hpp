#pragma once
/// Masks: one bit per weight, by parameter name.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/shape.hpp>

namespace lnpt {

/// Which weights of one parameter are kept: bit i is the weight at flat, row-major index i. One bit per weight.
class mask {
 public:
  using word = std::uint64_t;
  static constexpr std::size_t word_bits = 64;

  mask() = default;
  mask(std::string name, shape extents, bool keep_all)
      : name_(std::move(name)),
        extents_(std::move(extents)),
        size_(element_count(extents_)),
        words_((size_ + word_bits - 1) / word_bits, keep_all ? ~word{0} : word{0}) {
    clear_tail();
  }

  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] shape const& extents() const { return extents_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool operator[](std::size_t i) const { return (words_[i / word_bits] >> (i % word_bits)) & 1; }
  void set(std::size_t i, bool keep) {
    auto const bit = word{1} << (i % word_bits);
    keep ? words_[i / word_bits] |= bit : words_[i / word_bits] &= ~bit;
  }

  /// Keeps what `other`, of the same parameter, keeps as well.
  void keep_within(mask const& other) {
    for (std::size_t w = 0; w < words_.size(); ++w) words_[w] &= other.words_[w];
  }

  /// How many weights are kept.
  [[nodiscard]] std::size_t count() const {
    std::size_t kept = 0;
    for (auto const w : words_) kept += static_cast<std::size_t>(std::popcount(w));
    return kept;
  }

  /// The bits, 64 weights to a word, least significant first; bits past the last weight are 0.
  [[nodiscard]] std::span<word const> words() const { return words_; }
  [[nodiscard]] std::span<word> words() { return words_; }

  friend bool operator==(mask const&, mask const&) = default;

 private:
  void clear_tail() {
    if (auto const used = size_ % word_bits; used != 0) words_.back() &= (word{1} << used) - 1;
  }

  std::string name_;
  shape extents_;
  std::size_t size_ = 0;
  std::vector<word> words_;
};

/// The masks of a model, in the order of its parameters. A parameter without a mask is dense.
class mask_set {
 public:
  void add(mask m) { masks_.push_back(std::move(m)); }
  [[nodiscard]] auto begin() const { return masks_.begin(); }
  [[nodiscard]] auto end() const { return masks_.end(); }
  [[nodiscard]] auto begin() { return masks_.begin(); }
  [[nodiscard]] auto end() { return masks_.end(); }
  [[nodiscard]] std::size_t size() const { return masks_.size(); }
  [[nodiscard]] bool empty() const { return masks_.empty(); }

  /// The mask of this parameter, or null where it has none.
  [[nodiscard]] mask const* find(std::string_view name) const {
    auto const found = std::find_if(masks_.begin(), masks_.end(), [&](mask const& m) { return m.name() == name; });
    return found == masks_.end() ? nullptr : &*found;
  }

  friend bool operator==(mask_set const&, mask_set const&) = default;

 private:
  std::vector<mask> masks_;
};

}  // namespace lnpt
