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

/// How values lie in memory; bf16 is the upper half of a float.
enum class element { fp64, fp32, bf16 };

/// To what an engine rounds operands before it multiplies them: tf32 has 10 bits of mantissa, bf16 has 7.
enum class rounding { none, tf32, bf16 };

struct convolution {
  direction which;
  strided x, w, y;
  window geometry;
  element type;
  double alpha, beta;

  /// What does not fit, or nothing.
  [[nodiscard]] std::string mismatch() const;
  /// Sums in double and rounds once; β = 0 does not read the result.
  void run(void* x, void* w, void* y, rounding of_operands) const;
};

}  // namespace cuda_double
