#pragma once
/// Kernels that losses on logits [B, K] are made of: one thread a row.

namespace lnpt::cudnn::detail {

inline constexpr char loss_kernels[] = R"cuda(
template <class T> __global__ void log_softmax(T const* x, T* y, unsigned width, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  T const* const in = x + i * width;
  T most = in[0], total = T(0);
  for (unsigned k = 1; k < width; ++k) most = in[k] > most ? in[k] : most;
  for (unsigned k = 0; k < width; ++k) total += exp(in[k] - most);
  T const shift = most + log(total);
  for (unsigned k = 0; k < width; ++k) y[i * width + k] = in[k] - shift;
}

template <class T> __global__ void row_sum(T const* x, T* y, unsigned width, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  T total = T(0);
  for (unsigned k = 0; k < width; ++k) total += x[i * width + k];
  for (unsigned k = 0; k < width; ++k) y[i * width + k] = total;
}

template <class T> __global__ void one_hot_of_largest(T const* x, T* y, unsigned width, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned best = 0;
  for (unsigned k = 1; k < width; ++k) best = x[i * width + k] > x[i * width + best] ? k : best;
  for (unsigned k = 0; k < width; ++k) y[i * width + k] = k == best ? T(1) : T(0);
}
)cuda";

}  // namespace lnpt::cudnn::detail
