#pragma once
/// Kernels of pooling over planes [N·C, H, W], or over images with channels last.

namespace lnpt::cudnn::detail {

/// A window as the kernels have it: of each axis (rows, columns) the extents of input and output, and how windows lie.
/// `channels` lie together in a pixel; 1 of planes.
struct pooling {
  unsigned in[2], out[2], kernel[2], stride[2], before[2], after[2];
  int count_margin;
  unsigned channels;
};

inline constexpr char pooling_kernels[] = R"cuda(
struct pooling { unsigned in[2], out[2], kernel[2], stride[2], before[2], after[2]; int count_margin; unsigned channels; };
struct range { unsigned begin, end; };

// Where element i of inputs or of outputs, with so many pixels a plane, stands: its pixel, and from where and in which steps the pixels of
// its plane lie in either.
struct spot { unsigned pixel, in, out, step; };
__device__ spot spot_of(pooling const& w, unsigned i, unsigned pixels) {
  unsigned const channel = i % w.channels, plane = i / w.channels / pixels;
  return {i / w.channels % pixels, plane * w.in[0] * w.in[1] * w.channels + channel, plane * w.out[0] * w.out[1] * w.channels + channel, w.channels};
}

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
template <class T> __global__ void max_pool(pooling w, source x, unsigned* chosen, T* y, void* rounded, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  spot const at = spot_of(w, i, w.out[0] * w.out[1]);
  range const rows = covered(w, 0, at.pixel / w.out[1]), columns = covered(w, 1, at.pixel % w.out[1]);
  unsigned best = rows.begin * w.in[1] + columns.begin;
  T most = read<T>(x, at.in + best * at.step);
  for (unsigned r = rows.begin; r < rows.end; ++r)
    for (unsigned c = columns.begin; c < columns.end; ++c) {
      T const value = read<T>(x, at.in + (r * w.in[1] + c) * at.step);
      if (!(value > most || (value != value && most == most))) continue;
      best = r * w.in[1] + c;
      most = value;
    }
  write(y, rounded, i, most);
  chosen[i] = best;
}

template <class T> __global__ void gather_pool(pooling w, source x, unsigned const* chosen, T* y, void* rounded, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  spot const at = spot_of(w, i, w.out[0] * w.out[1]);
  write(y, rounded, i, read<T>(x, at.in + chosen[i] * at.step));
}

// Every pixel collects from the windows that cover it, in order: no two threads add to one place.
template <class T> __global__ void scatter_pool(pooling w, source gy, unsigned const* chosen, T* gx, void* rounded, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  spot const at = spot_of(w, i, w.in[0] * w.in[1]);
  range const rows = covering(w, 0, at.pixel / w.in[1]), columns = covering(w, 1, at.pixel % w.in[1]);
  T sum = T(0);
  for (unsigned h = rows.begin; h < rows.end; ++h)
    for (unsigned v = columns.begin; v < columns.end; ++v) {
      unsigned const o = at.out + (h * w.out[1] + v) * at.step;
      if (chosen[o] == at.pixel) sum += read<T>(gy, o);
    }
  write(gx, rounded, i, sum);
}

template <class T> __global__ void average_pool(pooling w, source x, T* y, void* rounded, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  spot const at = spot_of(w, i, w.out[0] * w.out[1]);
  unsigned const h = at.pixel / w.out[1], v = at.pixel % w.out[1];
  range const rows = covered(w, 0, h), columns = covered(w, 1, v);
  T sum = T(0);
  for (unsigned r = rows.begin; r < rows.end; ++r)
    for (unsigned c = columns.begin; c < columns.end; ++c) sum += read<T>(x, at.in + (r * w.in[1] + c) * at.step);
  write(y, rounded, i, sum / divisor_of<T>(w, h, v));
}

template <class T> __global__ void average_pool_adjoint(pooling w, source gy, T* gx, void* rounded, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  spot const at = spot_of(w, i, w.in[0] * w.in[1]);
  range const rows = covering(w, 0, at.pixel / w.in[1]), columns = covering(w, 1, at.pixel % w.in[1]);
  T sum = T(0);
  for (unsigned h = rows.begin; h < rows.end; ++h)
    for (unsigned v = columns.begin; v < columns.end; ++v)
      sum += read<T>(gy, at.out + (h * w.out[1] + v) * at.step) / divisor_of<T>(w, h, v);
  write(gx, rounded, i, sum);
}
)cuda";

}  // namespace lnpt::cudnn::detail
