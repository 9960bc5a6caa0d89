#pragma once
/// One direction of a convolution by all that its plans depend on.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <lnpt/backend/cudnn/check.hpp>

namespace lnpt::cudnn::detail {

enum class direction : int { forward, input_gradient, weight_gradient };

/// Extents [N, C, H, W] and [O, C/groups, kh, kw]; groups follow from the channels of x and w. Values lie in this order or, for tensor
/// cores, channels last: [N, H, W, C] and [O, kh, kw, C/groups].
struct convolution {
  using extents = std::array<std::int64_t, 4>;

  direction which;
  extents x, w, y;
  std::array<std::int64_t, 2> before, after, stride, dilation;
  cudnnDataType_t type;  ///< of all operands: cuDNN offers no engine that reads bf16 and writes float
  bool tensor_cores;
  std::int64_t alignment;  ///< bytes to which every operand is aligned

  /// The place among x, w and y of what the direction computes.
  [[nodiscard]] std::size_t result() const {
    return which == direction::forward ? 2 : which == direction::input_gradient ? 0 : 1;
  }
  [[nodiscard]] extents const& operand(std::size_t i) const { return i == 0 ? x : i == 1 ? w : y; }
  [[nodiscard]] std::vector<std::int64_t> strides_of(std::size_t i) const {
    auto const& e = operand(i);
    if (tensor_cores) return {e[1] * e[2] * e[3], 1, e[3] * e[1], e[1]};
    return {e[1] * e[2] * e[3], e[2] * e[3], e[3], 1};
  }

  [[nodiscard]] cudnnDataType_t type_of_sums() const { return type == CUDNN_DATA_BFLOAT16 ? CUDNN_DATA_FLOAT : type; }

  /// Everything that a plan depends on.
  [[nodiscard]] std::vector<std::int64_t> key() const {
    std::vector<std::int64_t> all{static_cast<int>(which), static_cast<int>(type), static_cast<int>(tensor_cores), alignment};
    for (auto const* part : {&x, &w, &y}) all.insert(all.end(), part->begin(), part->end());
    for (auto const* part : {&before, &after, &stride, &dilation}) all.insert(all.end(), part->begin(), part->end());
    return all;
  }
  [[nodiscard]] std::string text() const {
    static constexpr std::array names{"convolution", "input gradient of a convolution", "weight gradient of a convolution"};
    return std::string(names[static_cast<std::size_t>(which)]) + " of images " + list(x) + " with weights " + list(w) + " to " +
           list(y) + ", stride " + list(stride) + ", dilation " + list(dilation) + ", in " + arithmetic();
  }

 private:
  [[nodiscard]] char const* arithmetic() const {
    if (type == CUDNN_DATA_DOUBLE) return "double";
    if (type == CUDNN_DATA_BFLOAT16) return "bf16";
    return tensor_cores ? "tf32" : "fp32 without tensor cores";
  }
};

}  // namespace lnpt::cudnn::detail
