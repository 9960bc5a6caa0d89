#pragma once
/// What all kernels share: the walk through strided operands, and sums over a block in a fixed order.
///
/// Kernels are one string for NVRTC, so that users need no nvcc; plain CUDA C++ without a single include.

namespace lnpt::cudnn::detail {

inline constexpr char common_kernels[] = R"cuda(
struct walk { unsigned extents[5], x[5], y[5], out[5]; };
struct place { unsigned x, y, out; };

__device__ place place_of(walk const& w, unsigned i) {
  place p = {0, 0, 0};
  for (int axis = 4; axis >= 0; --axis) {
    unsigned const at = i % w.extents[axis];
    i /= w.extents[axis];
    p.x += at * w.x[axis];
    p.y += at * w.y[axis];
    p.out += at * w.out[axis];
  }
  return p;
}

// The sum of one double per thread, in thread 0. 256 threads: 16 of them add 16 values each, thread 0 adds theirs, in the same order at
// every launch.
constexpr unsigned block = 256, rows = 16, room_of_sum = block + rows;

__device__ double block_sum(double value, double* shared) {
  unsigned const t = threadIdx.x;
  shared[t] = value;
  __syncthreads();
  if (t < rows) {
    double sum = 0;
    for (unsigned k = 0; k < block / rows; ++k) sum += shared[t * (block / rows) + k];
    shared[block + t] = sum;
  }
  __syncthreads();
  double total = 0;
  if (t == 0)
    for (unsigned r = 0; r < rows; ++r) total += shared[block + r];
  return total;
}

template <class T> __device__ T rectified(T x) { return x <= T(0) ? T(0) : x; }  // a NaN stays one
)cuda";

}  // namespace lnpt::cudnn::detail
