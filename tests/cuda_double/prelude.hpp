#pragma once
/// The part of CUDA C++ that the adapter's kernels are written in, for the host compiler. Shared memory is static; blocks run one by one.
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "kernel.hpp"
#include "prelude_symbols.hpp"

#define threadIdx cuda_double_threadIdx
#define blockIdx cuda_double_blockIdx
#define blockDim cuda_double_blockDim
#define gridDim cuda_double_gridDim
#define __global__
#define __device__ inline
#define __forceinline__
#define __shared__ static
#define __restrict__
#define __grid_constant__ &  // written behind the type: one copy for all threads, as on a GPU
#define __launch_bounds__(...)

inline void __syncthreads() { cuda_double_barrier(0); }

template <class T>
T cuda_double_shuffle(T value, unsigned from) {
  *static_cast<T*>(cuda_double_slot(cuda_double_lane())) = value;
  cuda_double_barrier(1);
  T const result = from < 32 ? *static_cast<T*>(cuda_double_slot(from)) : value;
  cuda_double_barrier(1);
  return result;
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  return cuda_double_shuffle(value, cuda_double_lane() + delta);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, unsigned lanes) {
  return cuda_double_shuffle(value, cuda_double_lane() ^ lanes);
}
/// Bit i of the result: what lane i of the warp says.
inline unsigned __ballot_sync(unsigned, bool mine) {
  *static_cast<double*>(cuda_double_slot(cuda_double_lane())) = mine ? 1 : 0;
  cuda_double_barrier(1);
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; ++lane) result |= unsigned{*static_cast<double*>(cuda_double_slot(lane)) != 0} << lane;
  cuda_double_barrier(1);
  return result;
}
template <class T>
T atomicAdd(T* to, T value) {
  return std::exchange(*to, *to + value);
}
template <class T>
T atomicMax(T* to, T value) {
  return std::exchange(*to, value > *to ? value : *to);
}
inline float __uint_as_float(unsigned bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline long long __double_as_longlong(double x) {
  long long bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

template <class... P, std::size_t... I>
void cuda_double_bind(void (*kernel)(P...), void** arguments, cuda_double_launch& out, std::index_sequence<I...>) {
  auto const note = [&](auto const& value) {
    if constexpr (std::is_pointer_v<std::decay_t<decltype(value)>>)
      if (value) out.addresses.push_back(value);
  };
  (note(*static_cast<std::decay_t<P>*>(arguments[I])), ...);
  out.thread = [kernel, ... p = *static_cast<std::decay_t<P>*>(arguments[I])] { kernel(p...); };
}
template <class... P>
void cuda_double_bind(void (*kernel)(P...), void** arguments, cuda_double_launch& out) {
  cuda_double_bind(kernel, arguments, out, std::index_sequence_for<P...>{});
}
