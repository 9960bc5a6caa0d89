#pragma once
/// Where a parameter met an input in a convolution or a product.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/torch/module/parameter_table.hpp>
#include <lnpt/torch/pass/operator_call.hpp>

namespace lnpt::detail {

/// How a convolution was called.
struct torch_convolution {
  std::vector<std::int64_t> stride, padding, dilation, output_padding;
  bool transposed = false;
  std::int64_t groups = 1;
};

/// A node of the graph as this LibTorch holds it: by a std::shared_ptr, or since 2.15 by a c10::intrusive_ptr.
using node_pointer = std::remove_cvref_t<decltype(std::declval<at::Tensor const&>().grad_fn())>;

/// How far the values of two neighbours along an axis lie apart; 0 where there is but one.
[[nodiscard]] inline std::int64_t stride_along(at::Tensor const& t, std::int64_t axis) {
  return t.size(axis) > 1 ? t.stride(axis) : 0;
}

/// How the axes of a weight meet the input: y = x wᵀ, y = x w, y = x ∗ w, or some other product (a weight on the left, a recurrent
/// layer, an einsum), whose axes lnpt does not know.
enum class weight_form { linear, product, convolution, other };

/// One meeting of a parameter, or a view of it, with an input.
struct weight_use {
  held_parameter const* parameter;
  at::Tensor operand, input;  ///< the parameter as the operator saw it, and the other operand
  weight_form form;
  std::optional<std::int64_t> output_from_end;      ///< which axis of the operand counts outputs: 1 is the last
  std::unique_ptr<torch_convolution> convolution;   ///< null for the other forms
  node_pointer node = {};                           ///< where the gradient of the output arrives, even if the output is then
  std::uint32_t output_number = 0;                  ///< changed in place
  std::vector<node_pointer> inner = {};             ///< the nodes of operators that this one is made of
  std::optional<std::int64_t> channel_stride = {};  ///< of the output's axis of channels; empty where that is not known

  /// The parameter's axis that counts outputs; unknown_axis where the operator or the view does not tell.
  [[nodiscard]] std::size_t output_axis() const {
    auto const of_operand = operand_axis();
    if (!of_operand) return unknown_axis;
    if (is_whole()) return static_cast<std::size_t>(*of_operand);
    auto const& p = parameter->value;
    auto const size = operand.size(*of_operand), stride = operand.stride(*of_operand);
    // A part of a parameter has shorter axes, and where an axis is 1 its stride says nothing.
    auto const is_part = operand.numel() < p.numel();
    for (std::int64_t k = 0; k < p.dim(); ++k)
      if (p.size(k) == size && (size == 1 || p.stride(k) == stride)) return static_cast<std::size_t>(k);
    for (std::int64_t k = 0; k < p.dim() && is_part; ++k)
      if (p.size(k) > size && p.stride(k) == stride) return static_cast<std::size_t>(k);
    return unknown_axis;
  }

  /// Whether the operand is the parameter itself, value by value.
  [[nodiscard]] bool is_whole() const { return same_values(operand); }
  /// Whether the operand is the transpose of the whole parameter, a matrix.
  [[nodiscard]] bool is_transposed() const { return operand.dim() == 2 && same_values(operand.t()); }

 private:
  /// The operand's own axis that counts outputs.
  [[nodiscard]] std::optional<std::int64_t> operand_axis() const {
    if (form == weight_form::convolution) return convolution->transposed ? 1 : 0;
    if (!output_from_end || operand.dim() < std::max<std::int64_t>(2, *output_from_end)) return std::nullopt;
    return operand.dim() - *output_from_end;
  }

  [[nodiscard]] bool same_values(at::Tensor const& view) const {
    auto const& p = parameter->value;
    return view.is_same(p) ||
           (view.data_ptr() == p.data_ptr() && view.sizes().equals(p.sizes()) && view.strides().equals(p.strides()));
  }
};

/// The scales of a batch norm, and where what it read came from.
struct norm_read {
  held_parameter const* scales;
  node_pointer node;
  std::int64_t channel_stride;
};

/// An operand of an operator that may be a weight, and the argument that it meets.
struct product_operand {
  std::string_view name, weight, input;
  weight_form form;
  std::int64_t output_from_end = 0;  ///< see weight_use; 0: the operator does not tell
};

/// Operators that multiply. Those that are made of others come with them: the outermost call is the use.
inline constexpr std::array product_operands{
    product_operand{"aten::linear", "weight", "input", weight_form::linear, 2},
    product_operand{"aten::matmul", "other", "self", weight_form::product, 1},
    product_operand{"aten::matmul", "self", "other", weight_form::other, 2},
    product_operand{"aten::mm", "mat2", "self", weight_form::product, 1},
    product_operand{"aten::mm", "self", "mat2", weight_form::other, 2},
    product_operand{"aten::addmm", "mat2", "mat1", weight_form::product, 1},
    product_operand{"aten::addmm", "mat1", "mat2", weight_form::other, 2},
    product_operand{"aten::bmm", "mat2", "self", weight_form::other, 1},
    product_operand{"aten::bmm", "self", "mat2", weight_form::other, 2},
    product_operand{"aten::baddbmm", "batch2", "batch1", weight_form::other, 1},
    product_operand{"aten::baddbmm", "batch1", "batch2", weight_form::other, 2},
    product_operand{"aten::addbmm", "batch2", "batch1", weight_form::other, 1},
    product_operand{"aten::addbmm", "batch1", "batch2", weight_form::other, 2},
    product_operand{"aten::mv", "self", "vec", weight_form::other, 2},
    product_operand{"aten::addmv", "mat", "vec", weight_form::other, 2},
    product_operand{"aten::inner", "other", "self", weight_form::other},
    product_operand{"aten::inner", "self", "other", weight_form::other},
    product_operand{"aten::tensordot", "other", "self", weight_form::other},
    product_operand{"aten::tensordot", "self", "other", weight_form::other},
    product_operand{"aten::einsum", "tensors", "tensors", weight_form::other},
    product_operand{"aten::chain_matmul", "matrices", "matrices", weight_form::other},
    product_operand{"aten::linalg_multi_dot", "tensors", "tensors", weight_form::other},
    product_operand{"aten::bilinear", "weight", "input1", weight_form::other, 3},
    product_operand{"aten::convolution", "weight", "input", weight_form::convolution},
    product_operand{"aten::_convolution", "weight", "input", weight_form::convolution},
    product_operand{"aten::conv_tbc", "weight", "self", weight_form::other, 1},
    product_operand{"aten::lstm", "params", "input", weight_form::other, 2},
    product_operand{"aten::gru", "params", "input", weight_form::other, 2},
    product_operand{"aten::rnn_tanh", "params", "input", weight_form::other, 2},
    product_operand{"aten::rnn_relu", "params", "input", weight_form::other, 2},
};

/// Operators that read rows of a table: a parameter they read is no weight.
inline constexpr std::array table_operands{
    product_operand{"aten::embedding", "weight", "indices", weight_form::other},
    product_operand{"aten::embedding_bag", "weight", "indices", weight_form::other},
    product_operand{"aten::index_select", "self", "index", weight_form::other},
    product_operand{"aten::index", "self", "indices", weight_form::other},
};

[[nodiscard]] inline bool multiplies(std::string_view name) {
  return std::ranges::any_of(product_operands, [&](auto const& each) { return each.name == name; });
}
[[nodiscard]] inline bool reads_table(std::string_view name) {
  return std::ranges::any_of(table_operands, [&](auto const& each) { return each.name == name; });
}

/// How this call of aten::convolution convolves.
[[nodiscard]] inline std::unique_ptr<torch_convolution> convolution_of(operator_call const& call) {
  auto const list = [&](char const* name) { return call.find(name)->toIntVector(); };
  return std::make_unique<torch_convolution>(torch_convolution{list("stride"), list("padding"), list("dilation"),
                                                               list("output_padding"), call.flag("transposed"),
                                                               call.find("groups")->toInt()});
}

/// The uses of parameters in one call that multiplies. Where both operands are parameters, the second is the weight.
[[nodiscard]] inline std::vector<weight_use> weight_uses_of(operator_call const& call, parameter_table const& parameters) {
  std::vector<weight_use> uses;
  auto const scaled = call.number("alpha").value_or(1.0) != 1.0;
  for (auto const& each : product_operands) {
    if (each.name != call.name()) continue;
    for (auto const& operand : call.tensors(std::string(each.weight))) {
      auto const* const held = parameters.find(operand);
      if (held == nullptr) continue;
      auto const convolves = each.form == weight_form::convolution;
      auto const outputs = each.output_from_end > 0 ? std::optional(each.output_from_end) : std::nullopt;
      uses.push_back({held, operand, call.tensor(std::string(each.input)), scaled ? weight_form::other : each.form, outputs,
                      convolves ? convolution_of(call) : nullptr});
    }
    if (!uses.empty()) break;
  }
  return uses;
}

/// The tables that a call reads rows of, as far as they are parameters.
[[nodiscard]] inline std::vector<held_parameter const*> tables_of(operator_call const& call, parameter_table const& parameters) {
  std::vector<held_parameter const*> tables;
  for (auto const& each : table_operands)
    if (each.name == call.name())
      if (auto const* const held = parameters.find(call.tensor(std::string(each.weight)))) tables.push_back(held);
  return tables;
}

}  // namespace lnpt::detail
