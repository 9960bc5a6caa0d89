#pragma once
/// The kernel that moves channels last, or back, and converts between float and bf16 on the way.

namespace lnpt::cudnn::detail {

inline constexpr unsigned transposed_tile = 32;  ///< rows and columns of what one block of threads moves

inline constexpr char transpose_kernels[] = R"cuda(
// The upper half of a float, as bits: NVRTC brings no type of its own.
struct bf16 { unsigned short bits; };

__device__ float as_float(float x) { return x; }
__device__ float as_float(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ void assign(float& y, float x) { y = x; }
// To the nearest, ties to even; a NaN stays one.
__device__ void assign(bf16& y, float x) {
  unsigned const bits = __float_as_uint(x);
  y.bits = x != x ? 0x7fff : (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

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
)cuda";

}  // namespace lnpt::cudnn::detail
