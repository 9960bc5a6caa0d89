#pragma once
/// How the weights of a stored matrix are arranged: which axes count outputs and which inputs.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <lnpt/core/shape.hpp>

namespace lnpt::out_of_core {

/// A row-major tensor as [outer, inputs, inner]: a group of inputs has the stride `inner`, an output's weights are a row of
/// inputs · inner where `rows_are_outputs`.
///
///     linear [out, in] → [out, in, 1]      convolution [out, in, k…] → [out, in, k…]
///     [in, out] → [1, in, out]             experts [e, out, in] → [e·out, in, 1], [e, in, out] → [e, in, out]
struct matrix_layout {
  std::uint64_t outer = 1;
  std::uint64_t inputs = 1;
  std::uint64_t inner = 1;
  bool rows_are_outputs = true;

  [[nodiscard]] std::uint64_t row() const { return inputs * inner; }
  /// How many rows are an output's weights; 0 where rows are inputs.
  [[nodiscard]] std::uint64_t output_rows() const { return rows_are_outputs ? outer : 0; }
};

/// Whether a name is that of the weights of all experts of a layer in one tensor.
[[nodiscard]] inline bool is_fused_experts(std::string_view name, std::size_t axes) {
  return axes == 3 && name.find("experts.") != std::string_view::npos;
}

/// The layout of a weight, or nothing where it cannot be known. `model_type` is that of config.json: OpenAI's GPT-2 stores its matrices
/// as [in, out]; gpt-oss and Llama 4 store fused experts as [expert, in, out] (Hugging Face transformers 4.57).
[[nodiscard]] inline std::optional<matrix_layout> layout_of(std::string_view name, shape const& extents,
                                                            std::string_view model_type) {
  matrix_layout layout;
  if (is_fused_experts(name, extents.size())) {
    if (model_type != "gpt_oss" && model_type != "llama4" && model_type != "llama4_text") return std::nullopt;
    return matrix_layout{extents[0], extents[1], extents[2], false};
  }
  auto const is_gpt2_matrix =
      model_type == "gpt2" && extents.size() == 2 &&
      (name.ends_with("c_attn.weight") || name.ends_with("c_proj.weight") || name.ends_with("c_fc.weight"));
  if (is_gpt2_matrix) return matrix_layout{1, extents[0], extents[1], false};
  layout.outer = extents[0];
  layout.inputs = extents[1];
  for (std::size_t axis = 2; axis < extents.size(); ++axis) layout.inner *= extents[axis];
  return layout;
}

}  // namespace lnpt::out_of_core
