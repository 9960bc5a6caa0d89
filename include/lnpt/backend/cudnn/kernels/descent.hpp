#pragma once
/// The kernel of masked gradient descent.
#include <lnpt/backend/cudnn/kernels/parts.hpp>

namespace lnpt::cudnn::detail {

/// One parameter of a step, as the kernel has it.
template <class T>
struct descent_part {
  T* w;
  T const* g;
  T* v;
  unsigned long long const* kept;
  unsigned n, first_block;
};
template <class T>
struct descent_table {
  unsigned parts;
  T rate, momentum, decay;
  descent_part<T> at[most_parts];
};

inline constexpr char descent_kernels[] = R"cuda(
template <class T> struct descent_part { T* w; T const* g; T* v; unsigned long long const* kept; unsigned n, first_block; };
template <class T> struct descent_table { unsigned parts; T rate, momentum, decay; descent_part<T> at[most_parts]; };

// One step of descent under masks, one bit per weight: pruned weights and their velocity become +0, whatever the gradient.
template <class T> __global__ void sgd_steps(descent_table<T> const __grid_constant__ all) {
  descent_part<T> const& p = all.at[part_of_block(all)];
  unsigned const i = (blockIdx.x - p.first_block) * blockDim.x + threadIdx.x;
  if (i >= p.n) return;
  bool const keep = !p.kept || (p.kept[i / 64] >> (i % 64) & 1);
  T const next = all.momentum * p.v[i] + (p.g[i] + all.decay * p.w[i]);
  T const moved = p.w[i] - all.rate * next;
  p.v[i] = keep ? next : T(0);
  p.w[i] = keep ? moved : T(0);
}

template <class T> __global__ void clear_pruned(T* x, unsigned long long const* kept, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  if (!(kept[i / 64] >> (i % 64) & 1)) x[i] = T(0);
}
)cuda";

}  // namespace lnpt::cudnn::detail
