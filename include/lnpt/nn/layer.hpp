#pragma once
/// The layers that a network may have.
#include <variant>

#include <lnpt/nn/activation.hpp>
#include <lnpt/nn/arithmetic.hpp>
#include <lnpt/nn/batch_norm.hpp>
#include <lnpt/nn/conv2d.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/graph.hpp>
#include <lnpt/nn/join.hpp>
#include <lnpt/nn/leaf.hpp>
#include <lnpt/nn/linear.hpp>
#include <lnpt/nn/pool.hpp>
#include <lnpt/nn/prelu.hpp>
#include <lnpt/nn/rearrange.hpp>
#include <lnpt/nn/relu.hpp>

namespace lnpt::nn {

/// The rules of any one layer.
template <class Backend>
using layer = std::variant<input, conv2d<typename Backend::conv_geometry>, linear, batch_norm, relu, activation, prelu, add,
                           multiply, subtract, divide, affine_constant, max_pool<typename Backend::pool_window>,
                           average_pool<typename Backend::pool_window>, adaptive_average_pool<typename Backend::pool_window>,
                           global_average_pool, flatten, unflatten, concat, slice, pad, channel_shuffle, upsample_nearest,
                           subsample_pad, leaf>;

}  // namespace lnpt::nn
