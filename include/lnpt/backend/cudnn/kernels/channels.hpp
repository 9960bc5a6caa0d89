#pragma once
/// Kernels of batch normalisation: sums per channel, combinations with a coefficient per channel, and small programs on vectors of channels.

#include <lnpt/backend/cudnn/kernels/common.hpp>

namespace lnpt::cudnn::detail {

/// What one instruction of a channel program computes; the numbers are those of the kernel.
enum class channel_operation : int {
  add,
  subtract,
  multiply,
  scale,
  inverse_root,
  load_float,
  load_double,
  store_float,
  store_double,
  move_float,
  move_double,
  add_slices
};

/// One step of a channel program, as the kernel has it: out[c] = a[c] ∘ b[c] for the channels c < n, or out[c] = Σ_k a[k·n + c] for k < s.
struct channel_instruction {
  channel_operation operation;
  unsigned n;
  void const* a;
  void const* b;
  void* out;
  double s, t;
};
inline constexpr unsigned longest_channel_program = 64;
struct channel_program {
  unsigned length = 0;
  channel_instruction at[longest_channel_program];  // an argument of a kernel: no class with members
};

/// Images as kernels of channels have them: a pixel's channels lie together, or a channel's pixels.
struct channel_layout {
  unsigned channels, pixels;
  int last;
};

/// What `combine` reads, as the kernel has it.
struct combination {
  source values[4];
  double const* coefficient[4];
  int gated[4];
  unsigned terms;
  double const* constant;
  source gate;
  int rectify, gate_all;
};

inline constexpr char channel_kernels[] = R"cuda(
// Of images [N, C, pixels]: Σ g and Σ g x per channel, of elements whose gate is positive, or is not if `inverted`. One block a channel.
template <class T>
__global__ void channel_sums(T const* g, T const* x, T const* gate, int inverted, double* sum, double* dot, unsigned samples, unsigned channels, unsigned pixels) {
  __shared__ double shared[room_of_sum];
  unsigned const c = blockIdx.x;
  double a = 0, b = 0;
  for (unsigned k = threadIdx.x; k < samples * pixels; k += block) {
    unsigned const i = (k / pixels * channels + c) * pixels + k % pixels;
    if (gate && (gate[i] > T(0)) == (inverted != 0)) continue;
    a += (double)g[i];
    if (x) b += (double)g[i] * (double)x[i];
  }
  a = block_sum(a, shared);
  b = block_sum(b, shared);
  if (threadIdx.x != 0) return;
  if (sum) sum[c] = a;
  if (dot) dot[c] = b;
}

// The same where a pixel's channels lie together, of one slice of the pixels for each block: `width` threads side by side read neighbours,
// and the block's lines of threads are added in order. The slices' sums lie behind each other; the channel program adds them.
template <class T>
__global__ void channel_sums_last(source g, source x, source gate, double* sum, double* dot, unsigned pixels, unsigned channels, unsigned width, unsigned slices) {
  __shared__ double shared[2 * block];
  unsigned const lines = block / width, line = threadIdx.x / width;
  unsigned const c = blockIdx.x / slices * width + threadIdx.x % width, slice = blockIdx.x % slices;
  unsigned const each = (pixels + slices - 1) / slices, end = (slice + 1) * each < pixels ? (slice + 1) * each : pixels;
  double a = 0, b = 0;
  if (c < channels)
    for (unsigned r = slice * each + line; r < end; r += lines) {
      unsigned const i = r * channels + c;
      if (gate.at && !(read<T>(gate, i) > T(0))) continue;
      double const value = (double)read<T>(g, i);
      a += value;
      if (x.at) b += value * (double)read<T>(x, i);
    }
  shared[threadIdx.x] = a;
  shared[block + threadIdx.x] = b;
  __syncthreads();
  if (line != 0 || c >= channels) return;
  for (unsigned k = 1; k < lines; ++k) {
    a += shared[k * width + threadIdx.x];
    b += shared[block + k * width + threadIdx.x];
  }
  sum[slice * channels + c] = a;
  if (dot) dot[slice * channels + c] = b;
}

struct channel_layout { unsigned channels, pixels; int last; };
struct combination {
  source values[4];
  double const* coefficient[4];
  int gated[4];
  unsigned terms;
  double const* constant;
  source gate;
  int rectify, gate_all;
};

template <class T> __global__ void combine(combination k, T* out, void* rounded, channel_layout images, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const c = (images.last ? i : i / images.pixels) % images.channels;
  bool const is_open = !k.gate.at || read<T>(k.gate, i) > T(0);
  T closed = T(0), open = k.constant ? (T)k.constant[c] : T(0);
  for (unsigned j = 0; j < k.terms; ++j) {
    T const part = (k.coefficient[j] ? (T)k.coefficient[j][c] : T(1)) * read<T>(k.values[j], i);
    if (k.gated[j]) closed += part; else open += part;
  }
  T const value = open + (is_open ? closed : T(0));
  write(out, rounded, i, k.gate_all && !is_open ? T(0) : k.rectify ? rectified(value) : value);
}

struct instruction { int operation; unsigned n; void const* a; void const* b; void* out; double s, t; };
struct program { unsigned length; instruction at[64]; };

template <class T> __device__ void move_towards(T* running, double now, double keep, double share) {
  *running = (T)(keep * (double)*running + share * now);
}

// One thread a channel runs the whole program: what it reads of other instructions it wrote itself.
__global__ void run_program(program p, unsigned channels) {
  unsigned const c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  for (unsigned k = 0; k < p.length; ++k) {
    instruction const q = p.at[k];
    if (c >= q.n) continue;
    double const* const a = (double const*)q.a;
    double const* const b = (double const*)q.b;
    double* const out = (double*)q.out;
    switch (q.operation) {
      case 0: out[c] = a[c] + b[c]; break;
      case 1: out[c] = a[c] - b[c]; break;
      case 2: out[c] = a[c] * b[c]; break;
      case 3: out[c] = q.s * a[c]; break;
      case 4: out[c] = 1.0 / sqrt(a[c] + q.s); break;
      case 5: out[c] = (double)((float const*)q.a)[c]; break;
      case 6: out[c] = a[c]; break;
      case 7: ((float*)q.out)[c] = (float)a[c]; break;
      case 8: out[c] = a[c]; break;
      case 9: move_towards((float*)q.out + c, a[c], q.s, q.t); break;
      case 10: move_towards(out + c, a[c], q.s, q.t); break;
      default: {
        double total = 0;
        for (unsigned slice = 0; slice < (unsigned)q.s; ++slice) total += a[slice * q.n + c];
        out[c] = total;
      }
    }
  }
}
)cuda";

}  // namespace lnpt::cudnn::detail
