#pragma once
/// What all kernels share: the walk through strided operands, values in either type, and sums over a block in a fixed order.
///
/// Kernels are one string for NVRTC, so that users need no nvcc; plain CUDA C++ without a single include.

namespace lnpt::cudnn::detail {

/// Values as kernels read them: of an array's type, or bf16.
struct source {
  void const* at = nullptr;
  int is_bf16 = 0;
};

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

// Values of type T, or bf16.
struct source { void const* at; int is_bf16; };
template <class T> __device__ T read(source const& x, unsigned i) {
  return x.is_bf16 ? (T)as_float(((bf16 const*)x.at)[i]) : ((T const*)x.at)[i];
}
// A result, and where it is wanted in bf16 too.
template <class T> __device__ void write(T* y, void* rounded, unsigned i, T value) {
  y[i] = value;
  if (rounded) assign(((bf16*)rounded)[i], (float)value);
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
