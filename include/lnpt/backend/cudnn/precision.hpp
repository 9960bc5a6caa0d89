#pragma once
/// How convolutions of `float` compute on this process's GPU, and which of cuDNN's plans they take.
#include <lnpt/backend/cudnn/device.hpp>

namespace lnpt::cudnn {

/// Makes convolutions of `float` compute in a precision from now on: fp32, the default, without tensor cores on arrays as they lie; tf32 and
/// bf16 on tensor cores, which read their operands channels last (NHWC), rounded to 10 bits of mantissa or to bf16. Sums are fp32, and so are
/// results in tf32; in bf16 they are rounded to bf16, since cuDNN 9 has no engine that reads bf16 and writes fp32. Everything that is no
/// convolution stays fp32: weights, batch norm and its statistics, linear layers, losses, the optimiser. Logical extents and values are the
/// same in every precision, and arrays of `double` always compute in double.
///
/// A step launches as often as in fp32: what convolutions compute stays as cuDNN leaves it, and batch norm, sums of images and pools read and
/// write images in that order. In bf16 they write the rounded values beside those of fp32. What convolutions read of weights is made once
/// and then written by the optimiser's launch. A pass of its own is left for a batch, and for layers that only move values (concatenation,
/// slices, padding, upsampling), which compute in fp32's order.
///
/// Throws `lnpt::error` where the device has no such tensor cores: they came with compute capability 8.0.
inline void use_precision(precision how) {
  auto& chosen = detail::chosen_device();
  detail::require_precision(chosen.number, how);
  chosen.how = how;
}

/// Makes convolutions take the first plan that cuDNN offers and that gives the same bits at every run, the default, or the fastest of the
/// first eight, timed when a shape is met first: some of those add in no fixed order, and another run may time another one as the fastest,
/// so that results differ in their last bits.
inline void use_plans(plan_choice plans) { detail::chosen_device().plans = plans; }

}  // namespace lnpt::cudnn
