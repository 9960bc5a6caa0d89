#pragma once
/// The three directions of a convolution by one loop over its definition.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cuda_double {

enum class direction { forward, data, filter };

/// A tensor of rank 4 as cuDNN describes it.
struct strided {
  std::array<std::int64_t, 4> extents{}, strides{};
  /// From the first element to behind the last.
  [[nodiscard]] std::size_t span() const;
};

struct window {
  std::array<std::int64_t, 2> before{}, after{}, stride{}, dilation{};
};

struct convolution {
  direction which;
  strided x, w, y;
  window geometry;
  bool in_double;
  double alpha, beta;

  /// What does not fit, or nothing.
  [[nodiscard]] std::string mismatch() const;
  /// Computes in double and rounds once; β = 0 does not read the result.
  void run(void* x, void* w, void* y) const;
};

}  // namespace cuda_double
