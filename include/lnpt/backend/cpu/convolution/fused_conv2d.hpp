#pragma once
/// Convolutions that normalise, join and rectify their results.
#include <algorithm>
#include <span>
#include <vector>

#include <lnpt/backend/concept.hpp>
#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/channel_vector.hpp>
#include <lnpt/backend/cpu/channels.hpp>
#include <lnpt/backend/cpu/convolution/conv2d.hpp>
#include <lnpt/backend/cpu/convolution/ending.hpp>
#include <lnpt/backend/cpu/sparse/convolution.hpp>

namespace lnpt::cpu {

template <class T>
using epilogue = lnpt::epilogue<array<T>, channel_vector>;

namespace detail {

/// The numbers of an epilogue in the type of the images.
template <class T>
class epilogue_values {
 public:
  /// Refuses coefficients for another number of channels, and an addend of another shape than the result's.
  epilogue_values(epilogue<T> const& after, shape const& y)
      : slope_(values_of(after.slope, y[0])),
        offset_(values_of(after.offset, y[0])),
        addend_(after.addend),
        rectify_(after.rectify) {
    if (addend_ && extents_of(*addend_) != y)
      fail("fused_conv2d: an addend of shape ", list(addend_->shape()), " for a result of shape ", list(y),
           "; pass one of that shape");
  }

  [[nodiscard]] ending<T> get() const {
    auto const data = [](std::vector<T> const& v) { return v.empty() ? nullptr : v.data(); };
    return {data(slope_), data(offset_), addend_ ? addend_->data() : nullptr, rectify_};
  }

 private:
  [[nodiscard]] static std::vector<T> values_of(channel_vector const* given, std::size_t channels) {
    if (!given) return {};
    if (given->values.size() != channels)
      fail("fused_conv2d: ", given->values.size(), " coefficients for ", channels, " channels; pass one per channel");
    std::vector<T> values(channels);
    std::ranges::transform(given->values, values.begin(), [](double v) { return static_cast<T>(v); });
    return values;
  }

  std::vector<T> slope_, offset_;
  array<T> const* addend_;
  bool rectify_;
};

}  // namespace detail

/// y = max(0, slope[c] (x ∗ w) + offset[c] + addend), as far as the epilogue goes, in the bits of a convolution, a combination and a sum.
template <class T>
[[nodiscard]] array<T> fused_conv2d(array<T> const& x, array<T> const& w, conv_geometry const& geometry,
                                    epilogue<T> const& after) {
  conv_extents const e(detail::extents_of(x), detail::extents_of(w), geometry);
  detail::epilogue_values<T> const values(after, e.y_shape());
  auto y = uninitialized<T>(e.y_shape());
  detail::convolve(e, x.data(), w.data(), y.data(), values.get());
  return y;
}

/// Carries out an epilogue on a convolution's results where they lie.
template <class T>
void apply_epilogue(array<T>& y, epilogue<T> const& after) {
  detail::epilogue_values<T> const values(after, detail::extents_of(y));
  auto const all = values.get();
  auto const pieces = detail::pieces_of(y);
  for_each_task(pieces.count(), [&](std::size_t piece) {
    auto const end = all.of(pieces.channel(piece));
    auto const first = pieces.begin(piece);
    auto* const out = y.data();
    all.with_kind([&](auto kind) {
      for (auto i = first; i < first + pieces.size(piece); ++i)
        out[i] = end.template finish<kind>(out[i], [i](T const* addend) { return addend[i]; });
    });
  });
}

/// A convolution by kept weights, their values in row-major order, and its epilogue in one pass behind it: its few products leave too little
/// time to wait for what is added.
template <class T>
[[nodiscard]] array<T> fused_conv2d(array<T> const& x, sparse::pattern const& kept, std::span<T const> w,
                                    conv_geometry const& geometry, epilogue<T> const& after) {
  array<T> y;
  sparse::conv2d<T>(x, kept, w, geometry, y, false);
  apply_epilogue(y, after);
  return y;
}

}  // namespace lnpt::cpu
