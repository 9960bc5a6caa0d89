#pragma once
/// Kernels that move channels last, or back, and convert between float and bf16.

namespace lnpt::cudnn::detail {

inline constexpr unsigned transposed_tile = 32;  ///< rows and columns of what one block of threads moves

inline constexpr char transpose_kernels[] = R"cuda(
// y[b, j, i] = x[b, i, j] for matrices of rows × columns. One block moves a tile, so that neighbouring threads read and write neighbours;
// a line of the shared tile is one longer than it holds, so that a column lies in 32 banks.
template <class From, class To> __global__ void transpose(From const* x, To* y, unsigned rows, unsigned columns) {
  constexpr unsigned tile = 32, line = tile + 1;
  __shared__ float shared[tile * line];
  unsigned const across = (columns + tile - 1) / tile, down = (rows + tile - 1) / tile;
  unsigned const left = blockIdx.x % across * tile, top = blockIdx.x / across % down * tile;
  unsigned const matrix = blockIdx.x / (across * down) * rows * columns;
  for (unsigned k = threadIdx.x; k < tile * tile; k += blockDim.x) {
    unsigned const i = top + k / tile, j = left + k % tile;
    if (i < rows && j < columns) shared[k / tile * line + k % tile] = as_float(x[matrix + i * columns + j]);
  }
  __syncthreads();
  for (unsigned k = threadIdx.x; k < tile * tile; k += blockDim.x) {
    unsigned const i = top + k % tile, j = left + k / tile;
    if (i < rows && j < columns) assign(y[matrix + j * rows + i], shared[k % tile * line + k / tile]);
  }
}

template <class From, class To> __global__ void convert(void const* x, void* y, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  assign(((To*)y)[i], as_float(((From const*)x)[i]));
}
)cuda";

}  // namespace lnpt::cudnn::detail
