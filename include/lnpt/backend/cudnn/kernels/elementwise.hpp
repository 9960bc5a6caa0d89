#pragma once
/// Kernels with one thread per element.

namespace lnpt::cudnn::detail {

/// What `unary` and `binary` compute; the numbers are those of the kernels.
enum class unary_operation : int { rectify, affine, absolute, exponential, square };
enum class binary_operation : int { add, add_rectify, gate, multiply, subtract, add_square };

inline constexpr char elementwise_kernels[] = R"cuda(
#define ONE_THREAD_PER_ELEMENT unsigned const i = blockIdx.x * blockDim.x + threadIdx.x; if (i >= n) return

template <class T> __global__ void fill(T* y, T value, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  y[i] = value;
}

template <class T> __global__ void unary(int operation, source x, T* y, void* rounded, T factor, T offset, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  T const v = read<T>(x, i);
  T result = v * v;
  switch (operation) {
    case 0: result = rectified(v); break;
    case 1: result = factor * v + offset; break;
    case 2: result = fabs(v); break;
    case 3: result = exp(v); break;
  }
  write(y, rounded, i, result);
}

template <class T> __global__ void binary(int operation, source x, source y, T* out, void* rounded, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  T const a = read<T>(x, i), b = read<T>(y, i);
  T result = a + b * b;
  switch (operation) {
    case 0: result = a + b; break;
    case 1: result = rectified(a + b); break;
    case 2: result = a > T(0) ? b : T(0); break;
    case 3: result = a * b; break;
    case 4: result = a - b; break;
  }
  write(out, rounded, i, result);
}

template <class T> __global__ void add_row(T const* x, T const* row, T* y, unsigned width, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  y[i] = x[i] + row[i % width];
}

// Channel i / pixels % channels: images [N, C, H, W], and feature matrices with one pixel.
template <class T> __global__ void prelu(T const* gate, T const* v, T const* slopes, T* y, unsigned channels, unsigned pixels, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  y[i] = gate[i] > T(0) ? v[i] : slopes[i / pixels % channels] * v[i];
}

__device__ unsigned long long magnitude_bits(float x) { return __float_as_uint(x) & 0x7fffffffu; }
__device__ unsigned long long magnitude_bits(double x) { return (unsigned long long)__double_as_longlong(x) & 0x7fffffffffffffffull; }

// The largest pattern of bits without the sign: of a NaN, if there is one. Which thread is first makes no difference.
template <class T> __global__ void largest(T const* x, unsigned long long* bits, unsigned n) {
  unsigned long long most = 0;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    unsigned long long const own = magnitude_bits(x[i]);
    most = own > most ? own : most;
  }
  if (most != 0) atomicMax(bits, most);
}
)cuda";

}  // namespace lnpt::cudnn::detail
