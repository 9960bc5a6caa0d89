#pragma once
/// Which layer computes which operator of PyTorch.
#include <string_view>
#include <unordered_map>

#include <lnpt/io/exported_program/operators/activations.hpp>
#include <lnpt/io/exported_program/operators/arithmetic.hpp>
#include <lnpt/io/exported_program/operators/joins.hpp>
#include <lnpt/io/exported_program/operators/pooling.hpp>
#include <lnpt/io/exported_program/operators/rearrangements.hpp>
#include <lnpt/io/exported_program/operators/views.hpp>
#include <lnpt/io/exported_program/operators/weights.hpp>
#include <lnpt/io/exported_program/reading.hpp>

namespace lnpt::io::exported {

template <class Backend>
using handler = void (*)(reading<Backend>&, call const&);

/// Reads a call of this operator; null where no layer computes it. In-place forms (`relu_`) go by the name of the plain ones.
template <class Backend>
[[nodiscard]] handler<Backend> handler_of(std::string_view operation) {
  static std::unordered_map<std::string_view, handler<Backend>> const table{
      {"conv1d", read_convolution<Backend>},
      {"conv2d", read_convolution<Backend>},
      {"convolution", read_convolution<Backend>},
      {"linear", read_linear<Backend>},
      {"addmm", read_product<Backend>},
      {"mm", read_product<Backend>},
      {"batch_norm", read_batch_norm<Backend>},
      {"native_batch_norm", read_batch_norm<Backend>},
      {"_native_batch_norm_legit", read_batch_norm<Backend>},
      {"_native_batch_norm_legit_functional", read_batch_norm<Backend>},
      {"_native_batch_norm_legit_no_training", read_batch_norm<Backend>},
      {"relu", read_relu<Backend>},
      {"relu6", read_activation<Backend>},
      {"hardtanh", read_activation<Backend>},
      {"clamp", read_activation<Backend>},
      {"clamp_min", read_activation<Backend>},
      {"clamp_max", read_activation<Backend>},
      {"clip", read_activation<Backend>},
      {"leaky_relu", read_activation<Backend>},
      {"elu", read_elu<Backend>},
      {"celu", read_elu<Backend>},
      {"selu", read_elu<Backend>},
      {"silu", read_activation<Backend>},
      {"sigmoid", read_activation<Backend>},
      {"hardswish", read_activation<Backend>},
      {"hardsigmoid", read_activation<Backend>},
      {"gelu", read_activation<Backend>},
      {"tanh", read_activation<Backend>},
      {"reciprocal", read_activation<Backend>},
      {"prelu", read_prelu<Backend>},
      {"max_pool1d", read_max_pool<Backend>},
      {"max_pool2d", read_max_pool<Backend>},
      {"max_pool2d_with_indices", read_max_pool<Backend>},
      {"avg_pool1d", read_average_pool<Backend>},
      {"avg_pool2d", read_average_pool<Backend>},
      {"adaptive_avg_pool1d", read_adaptive_average_pool<Backend>},
      {"adaptive_avg_pool2d", read_adaptive_average_pool<Backend>},
      {"_adaptive_avg_pool2d", read_adaptive_average_pool<Backend>},
      {"adaptive_max_pool1d", read_largest<Backend>},
      {"adaptive_max_pool2d", read_largest<Backend>},
      {"amax", read_largest<Backend>},
      {"mean", read_mean<Backend>},
      {"add", read_arithmetic<Backend>},
      {"sub", read_arithmetic<Backend>},
      {"rsub", read_arithmetic<Backend>},
      {"mul", read_arithmetic<Backend>},
      {"div", read_arithmetic<Backend>},
      {"neg", read_negative<Backend>},
      {"square", read_square<Backend>},
      {"pow", read_square<Backend>},
      {"sum", read_sum<Backend>},
      {"slice", read_slice<Backend>},
      {"narrow", read_narrow<Backend>},
      {"glu", read_gated_half<Backend>},
      {"chunk", read_split<Backend>},
      {"split", read_split<Backend>},
      {"split_with_sizes", read_split<Backend>},
      {"pad", read_pad<Backend>},
      {"constant_pad_nd", read_pad<Backend>},
      {"upsample_nearest2d", read_upsample<Backend>},
      {"channel_shuffle", read_channel_shuffle<Backend>},
      {"native_channel_shuffle", read_channel_shuffle<Backend>},
      {"cat", read_concat<Backend>},
      {"concat", read_concat<Backend>},
      {"view", read_reshape<Backend>},
      {"reshape", read_reshape<Backend>},
      {"_unsafe_view", read_reshape<Backend>},
      {"flatten", read_reshape<Backend>},
      {"squeeze", read_reshape<Backend>},
      {"unsqueeze", read_reshape<Backend>},
      {"expand", read_expand<Backend>},
      {"expand_as", read_expand<Backend>},
      {"repeat", read_expand<Backend>},
      {"transpose", read_transpose<Backend>},
      {"permute", read_transpose<Backend>},
      {"t", read_transpose<Backend>},
      {"dropout", read_identity<Backend>},
      {"native_dropout", read_identity<Backend>},
      {"feature_dropout", read_identity<Backend>},
      {"alpha_dropout", read_identity<Backend>},
      {"feature_alpha_dropout", read_identity<Backend>},
      {"contiguous", read_identity<Backend>},
      {"detach", read_identity<Backend>},
      {"alias", read_identity<Backend>},
      {"to", read_conversion<Backend>},
      {"_to_copy", read_conversion<Backend>},
      {"clone", read_copy<Backend>},
      {"lift_fresh_copy", read_copy<Backend>},
  };
  auto const found = table.find(operation);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace lnpt::io::exported
