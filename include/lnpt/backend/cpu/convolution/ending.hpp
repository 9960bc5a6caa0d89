#pragma once
/// What becomes of the sums of a convolution on their way to memory.
#include <cstddef>
#include <limits>
#include <type_traits>

namespace lnpt::cpu::detail {

/// Sums are stored as they are, or finished first, or finished with something added.
enum class ending_kind { stored, finished, joined };

/// y = max(least, slope · sum + offset + addend), of one channel: the operations of batch norm, addition and rectifier, in their order, so
/// that a result has the bits that passes of their own would give it.
template <class T>
struct channel_ending {
  T slope, offset, least;
  T const* addend;

  /// Of one sum or of a vector of them; `read(addend)` is what to add.
  template <ending_kind Kind, class V, class Read>
  [[nodiscard, gnu::always_inline]] V finish(V y, Read read) const {
    if constexpr (Kind == ending_kind::stored) return y;
    y = slope * y + offset;
    if constexpr (Kind == ending_kind::joined) y = y + read(addend);
    return y <= least ? V{} + least : y;  // a NaN stays one
  }
};

/// The same of every channel of an image [C, N, H, W]. Without anything, sums are stored as they are.
template <class T>
struct ending {
  T const* slope = nullptr;   ///< by channel; null: 1
  T const* offset = nullptr;  ///< by channel; null: none
  T const* addend = nullptr;  ///< an image like the destination, which may be it; null: none
  bool rectify = false;

  [[nodiscard]] channel_ending<T> of(std::size_t channel) const {
    constexpr auto lowest = -std::numeric_limits<T>::infinity();
    constexpr T none = -T{0};  // which leaves a −0 as it is
    return {slope ? slope[channel] : T{1}, offset ? offset[channel] : none, rectify ? T{0} : lowest, addend};
  }
  /// That of an image which begins with this channel and this element.
  [[nodiscard]] ending from(std::size_t channel, std::size_t element) const {
    return {slope ? slope + channel : nullptr, offset ? offset + channel : nullptr, addend ? addend + element : nullptr, rectify};
  }

  /// Calls `f` with the kind as a constant.
  template <class F>
  void with_kind(F f) const {
    if (addend)
      f(std::integral_constant<ending_kind, ending_kind::joined>{});
    else if (slope || offset || rectify)
      f(std::integral_constant<ending_kind, ending_kind::finished>{});
    else
      f(std::integral_constant<ending_kind, ending_kind::stored>{});
  }
};

/// Sums are stored, or added to what is there.
template <class T>
[[nodiscard]] ending<T> stored_or_added(T const* destination, bool accumulate) {
  return {.addend = accumulate ? destination : nullptr};
}

}  // namespace lnpt::cpu::detail
