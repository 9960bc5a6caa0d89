#pragma once
/// Convolutions on tensor cores: on copies of their operands whose channels come last.
#include <array>
#include <cstddef>
#include <string>

#include <lnpt/backend/cudnn/execution.hpp>
#include <lnpt/backend/cudnn/kernels/transpose.hpp>

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

/// y[b, j, i] = x[b, i, j] of `count` matrices; `types` are those of the kernel.
inline void transpose(char const* types, void const* x, void* y, std::size_t count, std::size_t rows, std::size_t columns) {
  auto const tiles = [](std::size_t n) { return (n + transposed_tile - 1) / transposed_tile; };
  runtime::current().launch(std::string("transpose") + types, count * tiles(rows) * tiles(columns), 256, x, y,
                            static_cast<unsigned>(rows), static_cast<unsigned>(columns));
}

/// Runs a convolution of `float` arrays that lie in the order of their extents, in tf32 or bf16: three passes more than the convolution.
inline void run_on_tensor_cores(convolution const& c, operands const& addresses) {
  auto const is_bf16 = c.type == CUDNN_DATA_BFLOAT16;
  std::array<shared_buffer, 3> copies;
  operands copied{};
  for (std::size_t i = 0; i < copies.size(); ++i) {
    matrices const m(c.operand(i));
    copies[i] = allocate(m.size() * (is_bf16 ? 2 : sizeof(float)));
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
