#pragma once
/// The kernel of masked gradient descent.
#include <lnpt/backend/cudnn/kernels/parts.hpp>

namespace lnpt::cudnn::detail {

/// One parameter of a step, as the kernel has it. A gradient may lie with channels last, [O, pixels, channels], and so may what
/// convolutions keep of the weights, which is written too.
template <class T>
struct descent_part {
  T* w;
  void const* g;
  T* v;
  unsigned long long const* kept;
  void* copy;
  unsigned n, first_block, channels, pixels;
  unsigned char g_is_last, g_is_bf16, copy_is_bf16;
};
template <class T>
struct descent_table {
  unsigned parts;
  T rate, momentum, decay;
  descent_part<T> at[most_parts];
};

inline constexpr char descent_kernels[] = R"cuda(
template <class T> struct descent_part {
  T* w;
  void const* g;
  T* v;
  unsigned long long const* kept;
  void* copy;
  unsigned n, first_block, channels, pixels;
  unsigned char g_is_last, g_is_bf16, copy_is_bf16;
};
template <class T> struct descent_table { unsigned parts; T rate, momentum, decay; descent_part<T> at[most_parts]; };

// One step of descent under masks, one bit per weight: pruned weights and their velocity become +0, whatever the gradient.
template <class T> __global__ void sgd_steps(descent_table<T> const __grid_constant__ all) {
  descent_part<T> const& p = all.at[part_of_block(all)];
  unsigned const i = (blockIdx.x - p.first_block) * blockDim.x + threadIdx.x;
  if (i >= p.n) return;
  bool const keep = !p.kept || (p.kept[i / 64] >> (i % 64) & 1);
  // Of [O, channels, pixels] the place in [O, pixels, channels].
  unsigned const last = (i / (p.channels * p.pixels) * p.pixels + i % p.pixels) * p.channels + i / p.pixels % p.channels;
  source const slope = {p.g, p.g_is_bf16};
  T const next = all.momentum * p.v[i] + (read<T>(slope, p.g_is_last ? last : i) + all.decay * p.w[i]);
  T const moved = keep ? p.w[i] - all.rate * next : T(0);
  p.v[i] = keep ? next : T(0);
  p.w[i] = moved;
  if (!p.copy) return;
  if (p.copy_is_bf16) assign(((bf16*)p.copy)[last], (float)moved); else ((T*)p.copy)[last] = moved;
}

template <class T> __global__ void clear_pruned(T* x, unsigned long long const* kept, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  if (!(kept[i / 64] >> (i % 64) & 1)) x[i] = T(0);
}
)cuda";

}  // namespace lnpt::cudnn::detail
