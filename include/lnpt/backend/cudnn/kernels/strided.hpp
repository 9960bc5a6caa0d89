#pragma once
/// Kernels over strided operands: copies of parts, products that stretch, and sums.

namespace lnpt::cudnn::detail {

inline constexpr char strided_kernels[] = R"cuda(
template <class T> __global__ void spread(walk w, T const* x, T* out, T divisor, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  place const p = place_of(w, i);
  out[p.out] = x[p.x] / divisor;
}

template <class T> __global__ void product(walk w, T const* x, T const* y, T* out, int accumulate, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  place const p = place_of(w, i);
  T const value = x[p.x] * y[p.y];
  out[p.out] = accumulate ? out[p.out] + value : value;
}

// One block for each element of the result, which adds up `inner` in double; without y, sums of x.
template <class T>
__global__ void sum_products(walk outer, walk inner, T const* x, T const* y, T* out, double divisor, int accumulate, unsigned n) {
  __shared__ double shared[room_of_sum];
  place const at = place_of(outer, blockIdx.x);
  double sum = 0;
  for (unsigned i = threadIdx.x; i < n; i += block) {
    place const p = place_of(inner, i);
    double const factor = y ? (double)y[at.y + p.y] : 1.0;
    sum += (double)x[at.x + p.x] * factor;
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) out[at.out] = (accumulate ? out[at.out] : T(0)) + (T)(sum / divisor);
}
)cuda";

}  // namespace lnpt::cudnn::detail
