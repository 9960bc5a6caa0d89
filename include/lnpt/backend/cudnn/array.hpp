#pragma once
/// Arrays on the device.
#include <cstddef>
#include <limits>
#include <utility>

#include <lnpt/backend/cudnn/buffer.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::cudnn {

/// How the values of an array lie: in the order of its extents, or as images, whose extents are [C, N, H, W] and whose storage is cuDNN's
/// [N, C, H, W].
enum class storage { as_extents, images };

/// A dense array of `float` or `double` on the device. Copies share their values until one of them is written.
template <class T>
class array {
 public:
  array() = default;
  /// Values unspecified.
  explicit array(shape extents, storage how = storage::as_extents)
      : extents_(std::move(extents)), storage_(how), values_(detail::allocate(size() * sizeof(T))) {
    // Kernels count in 32 bits, whose divisions are fast.
    if (size() > std::numeric_limits<unsigned>::max())
      fail("an array of shape ", list(extents_), " has more than ", std::numeric_limits<unsigned>::max(),
           " values: pass smaller batches");
  }

  [[nodiscard]] shape const& extents() const { return extents_; }
  [[nodiscard]] storage how_stored() const { return storage_; }
  [[nodiscard]] std::size_t size() const { return extents_.empty() && !values_ ? 0 : element_count(extents_); }
  [[nodiscard]] T const* data() const { return values_ ? static_cast<T const*>(values_->get()) : nullptr; }
  /// The values, to be written: first copied where other arrays share them.
  [[nodiscard]] T* written() {
    if (values_ && values_.use_count() > 1) {
      auto own = detail::allocate(size() * sizeof(T));
      detail::copy(own->get(), data(), size() * sizeof(T), cudaMemcpyDeviceToDevice);
      values_ = std::move(own);
    }
    return values_ ? static_cast<T*>(values_->get()) : nullptr;
  }
  /// What keeps the values alive.
  [[nodiscard]] detail::shared_buffer const& owner() const { return values_; }

  /// The same values under other extents, of the same number.
  [[nodiscard]] array seen_as(shape extents, storage how) const {
    auto result = *this;
    result.extents_ = std::move(extents);
    result.storage_ = how;
    return result;
  }

 private:
  shape extents_;
  storage storage_ = storage::as_extents;
  detail::shared_buffer values_;
};

namespace detail {

/// An array like another one, its values unspecified.
template <class T>
[[nodiscard]] array<T> like(array<T> const& x) {
  return array<T>(x.extents(), x.how_stored());
}

template <class T>
void require_same_size(char const* what, array<T> const& a, array<T> const& b) {
  if (a.size() != b.size())
    fail(what, ": arrays of shape ", list(a.extents()), " and ", list(b.extents()), " do not match; pass two of the same shape");
}

inline void require_images(char const* what, shape const& extents) {
  if (extents.size() != 4) fail(what, ": an image of shape ", list(extents), "; pass one of rank 4");
}

/// The extents of images as they are stored: [N, C, H, W].
[[nodiscard]] inline shape stored(shape const& images) { return {images[1], images[0], images[2], images[3]}; }

}  // namespace detail
}  // namespace lnpt::cudnn
