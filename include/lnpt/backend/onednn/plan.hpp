#pragma once
/// The kernels of a whole convolution, and where each piece of it begins.
#include <memory>

#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/onednn/kernel.hpp>
#include <lnpt/backend/onednn/pieces.hpp>

namespace lnpt::onednn::detail {

/// One of the three products of a convolution, cut into pieces along the samples and along the channels of its result.
class plan {
 public:
  plan(product what, cpu::conv_extents const& e, bool accumulate, std::size_t bytes)
      : what_(what),
        e_(e),
        accumulate_(accumulate),
        pieces_(cut(e, what == product::input_gradient ? e.channels : e.outputs, bytes)) {}

  [[nodiscard]] std::size_t samples() const { return pieces_.samples.count; }
  [[nodiscard]] std::size_t slices() const { return pieces_.channels.count; }
  [[nodiscard]] std::size_t count() const { return pieces_.count(); }
  /// Ranges of samples have one of two lengths; this is 1 for the longer.
  [[nodiscard]] std::size_t longer(std::size_t n) const { return pieces_.samples.length(n) * samples() > e_.samples ? 1 : 0; }

  [[nodiscard]] std::shared_ptr<kernel const> kernel_at(std::size_t n, std::size_t slice, bool accumulate) const {
    auto const length = pieces_.channels.length(slice);
    return kernel_of({.what = what_,
                      .samples = pieces_.samples.length(n),
                      .channels = slices_input() ? length : e_.channels,
                      .h = e_.h,
                      .w = e_.w,
                      .outputs = slices_input() ? e_.outputs : length,
                      .all_samples = e_.samples,
                      .all_channels = e_.group_channels(),
                      .geometry = e_.geometry,
                      .accumulate = accumulate});
  }
  [[nodiscard]] std::shared_ptr<kernel const> kernel_at(std::size_t n, std::size_t slice) const {
    return kernel_at(n, slice, accumulate_);
  }

  /// Where a piece begins in the input, in the output and in the weights.
  [[nodiscard]] std::size_t x_offset(std::size_t n, std::size_t slice) const {
    return ((slices_input() ? pieces_.channels.begin(slice) : 0) * e_.samples + pieces_.samples.begin(n)) * e_.h * e_.w;
  }
  [[nodiscard]] std::size_t y_offset(std::size_t n, std::size_t slice) const {
    return ((slices_input() ? 0 : pieces_.channels.begin(slice)) * e_.samples + pieces_.samples.begin(n)) * e_.out_h * e_.out_w;
  }
  [[nodiscard]] std::size_t w_offset(std::size_t slice) const {
    return pieces_.channels.begin(slice) * e_.taps() * (slices_input() ? 1 : e_.group_channels());
  }

 private:
  [[nodiscard]] bool slices_input() const { return what_ == product::input_gradient; }

  product what_;
  cpu::conv_extents e_;
  bool accumulate_;
  pieces pieces_;
};

}  // namespace lnpt::onednn::detail
