#pragma once
/// Convolutions on tensor cores: of operands whose channels come last.
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <lnpt/backend/cudnn/execution.hpp>
#include <lnpt/backend/cudnn/strided.hpp>

namespace lnpt::cudnn::detail {

/// An operand as matrices, one for each image or each output's weights.
struct matrices {
  std::size_t count, channels, pixels;

  explicit matrices(convolution::extents const& e)
      : count(static_cast<std::size_t>(e[0])),
        channels(static_cast<std::size_t>(e[1])),
        pixels(static_cast<std::size_t>(e[2] * e[3])) {}
  [[nodiscard]] std::size_t size() const { return count * channels * pixels; }
};

/// An operand as tensor cores read it: the array's own values where they lie so, else a copy, which the array keeps until it is written.
/// Kernels that make an image write its bf16 too, and descent writes what is kept of weights; a pass of its own is left for images that
/// came from elsewhere, such as a batch.
[[nodiscard]] inline shared_buffer channels_last(array<float> const& x, matrices const& m, bool is_bf16) {
  auto const is_last = x.how_stored() == storage::images_last || x.how_stored() == storage::weights_last;
  auto const same_order = is_last || m.channels == 1 || m.pixels == 1;
  if (same_order && !is_bf16) return x.exact();
  if (is_last && x.rounded()) return x.rounded();
  if (!is_last && x.kept_copy().is(is_bf16, m.channels, m.pixels)) return x.kept_copy().values;
  auto made = allocate(m.size() * (is_bf16 ? bytes_of_bf16 : sizeof(float)));
  if (same_order)
    runtime::current().for_each_element("convert<float, bf16>", m.size(), static_cast<void const*>(x.data()), made->get());
  else
    transpose(is_bf16 ? "<float, bf16>" : "<float, float>", x.data(), made->get(), m.count, m.channels, m.pixels);
  if (is_last)
    x.keep_rounded(made);
  else
    x.keep_copy({made, is_bf16, m.channels, m.pixels});
  return made;
}

/// Runs a convolution of arrays in tf32 or bf16; the result is left as cuDNN writes it. `given` has no array where the result is.
[[nodiscard]] inline array<float> convolve_on_tensor_cores(convolution const& c, std::array<array<float> const*, 3> const& given,
                                                           shape const& extents) {
  auto const is_bf16 = c.type == CUDNN_DATA_BFLOAT16;
  auto const last = [](std::size_t i) { return i == 1 ? storage::weights_last : storage::images_last; };
  auto made = is_bf16 ? array<float>::in_bf16(extents, last(c.result())) : array<float>(extents, last(c.result()));
  std::array<shared_buffer, 3> kept;
  operands addresses{};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i == c.result())
      kept[i] = is_bf16 ? made.rounded() : made.exact();
    else if (auto const& x = *given[i]; x.how_stored() == last(i))
      kept[i] = channels_last(x, matrices(c.operand(i)), is_bf16);
    else
      kept[i] = channels_last(stored_as(x, i == 1 ? storage::as_extents : storage::images), matrices(c.operand(i)), is_bf16);
    addresses[i] = kept[i]->get();
  }
  run(c, addresses);
  return made;
}

/// The same of arrays that lie in the order of their extents, or of one of their samples: three passes more than the convolution.
inline void convolve_copies(convolution const& c, operands const& addresses) {
  auto const is_bf16 = c.type == CUDNN_DATA_BFLOAT16;
  std::array<shared_buffer, 3> copies;
  operands copied{};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    matrices const m(c.operand(i));
    copies[i] = allocate(m.size() * (is_bf16 ? bytes_of_bf16 : sizeof(float)));
    copied[i] = copies[i]->get();
    if (i != c.result())
      transpose(is_bf16 ? "<float, bf16>" : "<float, float>", addresses[i], copied[i], m.count, m.channels, m.pixels);
  }
  run(c, copied);
  matrices const result(c.operand(c.result()));
  transpose(is_bf16 ? "<bf16, float>" : "<float, float>", copied[c.result()], addresses[c.result()], result.count, result.pixels,
            result.channels);
}

}  // namespace lnpt::cudnn::detail
