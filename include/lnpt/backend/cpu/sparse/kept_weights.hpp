#pragma once
/// A masked parameter that is held, multiplied and trained as its kept weights alone.
#include <memory>
#include <span>
#include <utility>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/sparse/pattern.hpp>

namespace lnpt::cpu::sparse {

/// The kept weights of a parameter: where they are, and their values in row-major order as an array [K].
///
/// In float a kept weight takes 16 bytes, 12 of them indices; a dense weight takes 4. Copies share the pattern.
template <class T>
class kept_weights {
 public:
  /// Those weights of `dense` whose bit in `keep` is set.
  kept_weights(array<T> const& dense, std::span<std::uint64_t const> keep)
      : pattern_(std::make_shared<sparse::pattern const>(shape(dense.shape().begin(), dense.shape().end()), keep)),
        values_(gather(*pattern_, dense)) {}
  kept_weights(std::shared_ptr<sparse::pattern const> where, array<T> values)
      : pattern_(std::move(where)), values_(std::move(values)) {
    require_values("kept weights", *pattern_, values_.size());
  }

  [[nodiscard]] sparse::pattern const& pattern() const { return *pattern_; }
  [[nodiscard]] array<T> const& values() const { return values_; }
  [[nodiscard]] array<T>& values() { return values_; }
  [[nodiscard]] std::span<T const> view() const { return {values_.data(), values_.size()}; }

  /// Those weights of another array of the parameter's shape.
  [[nodiscard]] kept_weights with_values_of(array<T> const& dense) const { return {pattern_, gather(*pattern_, dense)}; }

  /// The whole parameter, pruned weights exactly +0.
  [[nodiscard]] array<T> dense() const { return scatter(*pattern_, values_); }

  /// What holding it takes.
  [[nodiscard]] std::size_t bytes() const { return pattern_->bytes() + values_.size() * sizeof(T); }

  /// The kept elements of an array of the parameter's shape, and the array of which `values` are the kept elements.
  [[nodiscard]] static array<T> gather(sparse::pattern const& kept, array<T> const& dense) {
    if (dense.size() != kept.size())
      fail("kept weights of an array of ", dense.size(), " elements by a pattern for ", kept.size(),
           "; pass an array of the parameter's shape");
    auto values = uninitialized<T>({kept.kept()});
    kept.for_each([&](std::size_t i, std::size_t flat) { values.data()[i] = dense.data()[flat]; });
    return values;
  }
  [[nodiscard]] static array<T> scatter(sparse::pattern const& kept, array<T> const& values) {
    require_values("kept weights", kept, values.size());
    auto dense = filled<T>(kept.extents(), T{0});
    kept.for_each([&](std::size_t i, std::size_t flat) { dense.data()[flat] = values.data()[i]; });
    return dense;
  }

 private:
  std::shared_ptr<sparse::pattern const> pattern_;
  array<T> values_;
};

}  // namespace lnpt::cpu::sparse
