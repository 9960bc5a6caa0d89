#pragma once
/// Arrays on the device.
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include <lnpt/backend/cudnn/buffer.hpp>
#include <lnpt/backend/cudnn/kernels/common.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::cudnn {

/// How the values of an array lie: in the order of its extents; as images, whose extents are [C, N, H, W] and whose storage is cuDNN's
/// [N, C, H, W], or with channels last, as tensor cores read them: [N, H, W, C] of images, [O, kh, kw, C/groups] of weights, whose extents
/// are [O, C/groups, kh, kw].
enum class storage { as_extents, images, images_last, weights_last };

namespace detail {

inline constexpr std::size_t bytes_of_bf16 = 2;

/// What convolutions on tensor cores read of an array that lies otherwise, kept for the next one that does.
struct copy_for_convolutions {
  shared_buffer values;
  bool is_bf16 = false;
  std::size_t rows = 0, columns = 0;  ///< of the matrices that were transposed

  [[nodiscard]] bool is(bool bf16, std::size_t r, std::size_t c) const {
    return values && is_bf16 == bf16 && rows == r && columns == c;
  }
};

/// The values of an array. Those in bf16 lie beside the exact ones where a kernel wrote both, and alone where cuDNN computed them.
struct array_values {
  shared_buffer exact, rounded;
  copy_for_convolutions copy;
};

}  // namespace detail

/// A dense array of `float` or `double` on the device. Copies share their values until one of them is written.
template <class T>
class array {
 public:
  array() = default;
  /// Values unspecified.
  explicit array(shape extents, storage how = storage::as_extents) : array(std::move(extents), how, true) {}
  /// Values unspecified, in bf16 alone: what cuDNN computes in bf16.
  [[nodiscard]] static array in_bf16(shape extents, storage how) { return array(std::move(extents), how, false); }

  [[nodiscard]] shape const& extents() const { return extents_; }
  [[nodiscard]] storage how_stored() const { return storage_; }
  [[nodiscard]] std::size_t size() const { return extents_.empty() && !values_ ? 0 : element_count(extents_); }
  /// The values in T, which are made where there are none but in bf16.
  [[nodiscard]] T const* data() const {
    if (!values_) return nullptr;
    if (!values_->exact) {
      auto made = detail::allocate(size() * sizeof(T));
      detail::runtime::current().for_each_element("convert<bf16, float>", size(),
                                                  static_cast<void const*>(values_->rounded->get()), made->get());
      values_->exact = std::move(made);
    }
    return static_cast<T const*>(values_->exact->get());
  }
  /// The values for kernels that read either type.
  [[nodiscard]] detail::source read() const {
    if (!values_) return {};
    return values_->exact ? detail::source{values_->exact->get(), 0} : detail::source{values_->rounded->get(), 1};
  }
  /// The values, to be written: first copied where other arrays share them. Copies in another type or order are forgotten.
  [[nodiscard]] T* written() {
    if (!values_) return nullptr;
    auto const* const now = data();
    if (values_.use_count() > 1) {
      auto own = std::make_shared<detail::array_values>();
      own->exact = detail::allocate(size() * sizeof(T));
      detail::copy(own->exact->get(), now, size() * sizeof(T), cudaMemcpyDeviceToDevice);
      values_ = std::move(own);
    } else {
      values_->rounded = {};
      values_->copy = {};
    }
    return static_cast<T*>(values_->exact->get());
  }
  /// What holds the values in T.
  [[nodiscard]] detail::shared_buffer exact() const {
    (void)data();
    return values_ ? values_->exact : nullptr;
  }
  /// The values in bf16, or null where there are none.
  [[nodiscard]] detail::shared_buffer rounded() const { return values_ ? values_->rounded : nullptr; }
  /// Keeps the values in bf16 beside the exact ones.
  void keep_rounded(detail::shared_buffer values) const { values_->rounded = std::move(values); }
  /// What was kept for convolutions on tensor cores.
  [[nodiscard]] detail::copy_for_convolutions const& kept_copy() const { return values_->copy; }
  void keep_copy(detail::copy_for_convolutions copy) const { values_->copy = std::move(copy); }
  /// The same, to be written together with the values: nothing where other arrays share it.
  [[nodiscard]] detail::copy_for_convolutions release_copy() {
    return values_ && values_.use_count() == 1 ? std::exchange(values_->copy, {}) : detail::copy_for_convolutions{};
  }
  /// What keeps the values alive.
  [[nodiscard]] std::shared_ptr<void> owner() const { return values_; }

  /// The same values under other extents, of the same number.
  [[nodiscard]] array seen_as(shape extents, storage how) const {
    auto result = *this;
    result.extents_ = std::move(extents);
    result.storage_ = how;
    return result;
  }

 private:
  array(shape extents, storage how, bool exact)
      : extents_(std::move(extents)), storage_(how), values_(std::make_shared<detail::array_values>()) {
    // Kernels count in 32 bits, whose divisions are fast.
    if (element_count(extents_) > std::numeric_limits<unsigned>::max())
      fail("an array of shape ", list(extents_), " has more than ", std::numeric_limits<unsigned>::max(),
           " values: pass smaller batches");
    (exact ? values_->exact : values_->rounded) = detail::allocate(size() * (exact ? sizeof(T) : detail::bytes_of_bf16));
  }

  shape extents_;
  storage storage_ = storage::as_extents;
  std::shared_ptr<detail::array_values> values_;
};

namespace detail {

/// An array like another one, its values unspecified.
template <class T>
[[nodiscard]] array<T> like(array<T> const& x) {
  return array<T>(x.extents(), x.how_stored());
}

/// Whether convolutions of T read channels last, in the precision in use.
template <class T>
[[nodiscard]] bool on_tensor_cores() {
  return sizeof(T) == sizeof(float) && chosen_device().how != precision::fp32;
}
/// How images of T lie that nothing gives an order.
template <class T>
[[nodiscard]] storage storage_of_images() {
  return on_tensor_cores<T>() ? storage::images_last : storage::images;
}
/// Where a kernel writes what it computes in bf16 too, so that convolutions need no pass of their own; null where none will read it.
template <class T>
[[nodiscard]] void* written_in_bf16(array<T> const& y) {
  if (y.how_stored() != storage::images_last || !on_tensor_cores<T>() || chosen_device().how != precision::bf16) return nullptr;
  y.keep_rounded(allocate(y.size() * bytes_of_bf16));
  return y.rounded()->get();
}

template <class T>
void require_same_size(char const* what, array<T> const& a, array<T> const& b) {
  if (a.size() != b.size())
    fail(what, ": arrays of shape ", list(a.extents()), " and ", list(b.extents()), " do not match; pass two of the same shape");
}

inline void require_images(char const* what, shape const& extents) {
  if (extents.size() != 4) fail(what, ": an image of shape ", list(extents), "; pass one of rank 4");
}

}  // namespace detail
}  // namespace lnpt::cudnn
