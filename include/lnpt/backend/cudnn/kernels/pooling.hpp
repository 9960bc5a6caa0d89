#pragma once
/// Kernels of pooling over planes [N·C, H, W].

namespace lnpt::cudnn::detail {

/// A window as the kernels have it: of each axis (rows, columns) the extents of input and output, and how windows lie.
struct pooling {
  unsigned in[2], out[2], kernel[2], stride[2], before[2], after[2];
  int count_margin;
};

inline constexpr char pooling_kernels[] = R"cuda(
struct pooling { unsigned in[2], out[2], kernel[2], stride[2], before[2], after[2]; int count_margin; };
struct range { unsigned begin, end; };

__device__ range covered(pooling const& w, int axis, unsigned o) {
  unsigned const first = o * w.stride[axis], stop = first + w.kernel[axis] - w.before[axis];
  return {first > w.before[axis] ? first - w.before[axis] : 0, stop < w.in[axis] ? stop : w.in[axis]};
}
// The outputs whose windows cover pixel i.
__device__ range covering(pooling const& w, int axis, unsigned i) {
  unsigned const at = i + w.before[axis], last = at / w.stride[axis];
  unsigned const begin = at < w.kernel[axis] ? 0 : (at - w.kernel[axis]) / w.stride[axis] + 1;
  return {begin, last + 1 < w.out[axis] ? last + 1 : w.out[axis]};
}
__device__ unsigned counted(pooling const& w, int axis, unsigned o) {
  range const inside = covered(w, axis, o);
  unsigned const whole = w.in[axis] + w.before[axis] + w.after[axis] - o * w.stride[axis];
  return !w.count_margin ? inside.end - inside.begin : whole < w.kernel[axis] ? whole : w.kernel[axis];
}
template <class T> __device__ T divisor_of(pooling const& w, unsigned h, unsigned v) { return (T)counted(w, 0, h) * (T)counted(w, 1, v); }

// The first maximum of a window wins, and a NaN beats everything; `chosen` is where in its plane it was.
template <class T> __global__ void max_pool(pooling w, T const* x, T* y, unsigned* chosen, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const o = i % (w.out[0] * w.out[1]), plane = i / (w.out[0] * w.out[1]);
  T const* const from = x + plane * w.in[0] * w.in[1];
  range const rows = covered(w, 0, o / w.out[1]), columns = covered(w, 1, o % w.out[1]);
  unsigned best = rows.begin * w.in[1] + columns.begin;
  for (unsigned r = rows.begin; r < rows.end; ++r)
    for (unsigned c = columns.begin; c < columns.end; ++c) {
      T const value = from[r * w.in[1] + c];
      if (value > from[best] || (value != value && from[best] == from[best])) best = r * w.in[1] + c;
    }
  y[i] = from[best];
  chosen[i] = best;
}

template <class T> __global__ void gather_pool(pooling w, T const* x, unsigned const* chosen, T* y, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  y[i] = x[i / (w.out[0] * w.out[1]) * (w.in[0] * w.in[1]) + chosen[i]];
}

// Every pixel collects from the windows that cover it, in order: no two threads add to one place.
template <class T> __global__ void scatter_pool(pooling w, T const* gy, unsigned const* chosen, T* gx, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const pixel = i % (w.in[0] * w.in[1]), first = i / (w.in[0] * w.in[1]) * (w.out[0] * w.out[1]);
  range const rows = covering(w, 0, pixel / w.in[1]), columns = covering(w, 1, pixel % w.in[1]);
  T sum = T(0);
  for (unsigned h = rows.begin; h < rows.end; ++h)
    for (unsigned v = columns.begin; v < columns.end; ++v) {
      unsigned const o = first + h * w.out[1] + v;
      if (chosen[o] == pixel) sum += gy[o];
    }
  gx[i] = sum;
}

template <class T> __global__ void average_pool(pooling w, T const* x, T* y, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const o = i % (w.out[0] * w.out[1]), h = o / w.out[1], v = o % w.out[1];
  T const* const from = x + i / (w.out[0] * w.out[1]) * (w.in[0] * w.in[1]);
  range const rows = covered(w, 0, h), columns = covered(w, 1, v);
  T sum = T(0);
  for (unsigned r = rows.begin; r < rows.end; ++r)
    for (unsigned c = columns.begin; c < columns.end; ++c) sum += from[r * w.in[1] + c];
  y[i] = sum / divisor_of<T>(w, h, v);
}

template <class T> __global__ void average_pool_adjoint(pooling w, T const* gy, T* gx, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const pixel = i % (w.in[0] * w.in[1]), first = i / (w.in[0] * w.in[1]) * (w.out[0] * w.out[1]);
  range const rows = covering(w, 0, pixel / w.in[1]), columns = covering(w, 1, pixel % w.in[1]);
  T sum = T(0);
  for (unsigned h = rows.begin; h < rows.end; ++h)
    for (unsigned v = columns.begin; v < columns.end; ++v) sum += gy[first + h * w.out[1] + v] / divisor_of<T>(w, h, v);
  gx[i] = sum;
}
)cuda";

}  // namespace lnpt::cudnn::detail
