#pragma once
/// Kernels of batch normalisation: sums per channel, combinations with a coefficient per channel, and small programs on vectors of channels.

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
  move_double
};

/// One step of a channel program, as the kernel has it: out[c] = a[c] ∘ b[c] for the channels c < n.
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

/// What `combine` reads, as the kernel has it.
template <class T>
struct combination {
  T const* values[4];
  double const* coefficient[4];
  int gated[4];
  unsigned terms;
  double const* constant;
  T const* gate;
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

template <class T> struct combination {
  T const* values[4];
  double const* coefficient[4];
  int gated[4];
  unsigned terms;
  double const* constant;
  T const* gate;
  int rectify, gate_all;
};

template <class T> __global__ void combine(combination<T> k, T* out, unsigned channels, unsigned pixels, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const c = i / pixels % channels;
  bool const is_open = !k.gate || k.gate[i] > T(0);
  T closed = T(0), open = k.constant ? (T)k.constant[c] : T(0);
  for (unsigned j = 0; j < k.terms; ++j) {
    T const part = (k.coefficient[j] ? (T)k.coefficient[j][c] : T(1)) * k.values[j][i];
    if (k.gated[j]) closed += part; else open += part;
  }
  T const value = open + (is_open ? closed : T(0));
  out[i] = k.gate_all && !is_open ? T(0) : k.rectify ? rectified(value) : value;
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
      default: move_towards(out + c, a[c], q.s, q.t);
    }
  }
}
)cuda";

}  // namespace lnpt::cudnn::detail
