#pragma once
/// One convolution that a backend is tested on.
#include <cstddef>
#include <ostream>

#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::test {

/// The shapes of its arrays are images [C, N, H, W] and weights [O, C/groups, kh, kw].
struct conv_case {
  std::size_t channels, samples, h, w, outputs;
  cpu::conv_geometry geometry;

  shape x() const { return {channels, samples, h, w}; }
  shape weights() const { return {outputs, channels / geometry.groups, geometry.kernel.h, geometry.kernel.w}; }
  shape y() const { return {outputs, samples, geometry.out_h(h), geometry.out_w(w)}; }

  friend std::ostream& operator<<(std::ostream& out, conv_case const& c) {
    auto const& g = c.geometry;
    return out << list(c.x()) << " with " << list(c.weights()) << " stride " << g.stride << " padding " << g.padding
               << " dilation " << g.dilation << " groups " << g.groups;
  }
};

}  // namespace lnpt::test
