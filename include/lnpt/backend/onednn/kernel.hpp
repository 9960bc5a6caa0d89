#pragma once
/// One piece of a convolution as oneDNN computes it: compiled for its extents, with the copies into oneDNN's layouts and back.
#include <cstddef>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <dnnl.hpp>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/conv_geometry.hpp>
#include <lnpt/backend/onednn/recent.hpp>
#include <lnpt/backend/onednn/single_thread.hpp>

namespace lnpt::onednn::detail {

enum class product { forward, input_gradient, weight_gradient };

/// Some samples and some channels of a convolution, inside arrays that hold them all.
struct piece {
  product what;
  std::size_t samples, channels, h, w, outputs;
  std::size_t all_samples, all_channels;
  cpu::conv_geometry geometry;
  bool accumulate;

  [[nodiscard]] auto key() const {
    return std::tuple(what, samples, channels, h, w, outputs, all_samples, all_channels, geometry.kernel_h, geometry.kernel_w,
                      geometry.stride, geometry.padding, geometry.groups, accumulate);
  }
  friend bool operator<(piece const& a, piece const& b) { return a.key() < b.key(); }
};

inline dnnl::engine const& engine() {
  static dnnl::engine const cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

/// oneDNN took its arguments as a descriptor of the operation before version 3.
template <class Primitive, class... Hint, class... Arguments>
auto describe(dnnl::primitive_attr const& attributes, std::tuple<Arguments...> const& arguments, Hint const&... hint) {
  return std::apply(
      [&](auto const&... a) {
        if constexpr (DNNL_VERSION_MAJOR >= 3)
          return typename Primitive::primitive_desc(engine(), a..., hint..., attributes);
        else
          return typename Primitive::primitive_desc(typename Primitive::desc(a...), attributes, engine(), hint...);
      },
      arguments);
}

/// Of every primitive: memory for temporaries is the caller's, so that threads can share the primitive.
inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr result;
  result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return result;
}

/// Runs a primitive on this thread. Its temporary memory comes from the arrays' own cache of blocks.
inline void execute(dnnl::primitive const& primitive, std::size_t scratch_bytes, std::unordered_map<int, dnnl::memory> arguments) {
  thread_local dnnl::stream stream(engine());
  auto scratch = cpu::uninitialized<float>({scratch_bytes / sizeof(float) + 1});
  auto const bytes = static_cast<dnnl::memory::dim>(scratch_bytes);
  if (bytes != 0) {
    dnnl::memory::desc const layout({bytes}, dnnl::memory::data_type::u8, dnnl::memory::format_tag::a);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(layout, engine(), scratch.data()));
  }
  single_thread const here;
  primitive.execute(stream, arguments);
}

inline dnnl::memory view(dnnl::memory::desc const& layout, float const* data) { return {layout, engine(), const_cast<float*>(data)}; }

/// An image or weights: how the arrays hold them, how oneDNN wants them, and the copy between.
struct operand {
  int argument;
  dnnl::memory::desc plain, packed;
  dnnl::reorder copy;
  std::size_t scratch_bytes;

  [[nodiscard]] std::size_t packed_size() const { return packed.get_size() / sizeof(float); }
  void pack(float const* from, float* to) const { execute(copy, scratch_bytes, {{DNNL_ARG_FROM, view(plain, from)}, {DNNL_ARG_TO, view(packed, to)}}); }
  void unpack(float const* from, float* to) const { execute(copy, scratch_bytes, {{DNNL_ARG_FROM, view(packed, from)}, {DNNL_ARG_TO, view(plain, to)}}); }
};

inline operand with_copy(int argument, dnnl::memory::desc plain, dnnl::memory::desc packed, dnnl::memory::desc const& from,
                         dnnl::memory::desc const& to, bool accumulate) {
  auto attributes = lnpt::onednn::detail::attributes();
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0F);
    attributes.set_post_ops(sum);
  }
  dnnl::reorder::primitive_desc const copy(engine(), from, engine(), to, attributes);
  return {argument, plain, packed, dnnl::reorder(copy), copy.scratchpad_desc().get_size()};
}
inline operand into(int argument, dnnl::memory::desc const& plain, dnnl::memory::desc const& packed) {
  return with_copy(argument, plain, packed, plain, packed, false);
}
/// A result, which is copied or added to what the array holds.
inline operand out_of(int argument, dnnl::memory::desc const& plain, dnnl::memory::desc const& packed, bool accumulate) {
  return with_copy(argument, plain, packed, packed, plain, accumulate);
}

/// The compiled piece. Immutable, so that any number of threads may run it at once.
class kernel {
 public:
  explicit kernel(piece const& p);

  operand x, w, y;

  /// The product of packed operands; one of them is the result.
  void compute(float const* px, float const* pw, float const* py) const {
    execute(convolution_, scratch_bytes_, {{x.argument, view(x.packed, px)}, {w.argument, view(w.packed, pw)}, {y.argument, view(y.packed, py)}});
  }

 private:
  template <class Description>
  void take(Description const& description) {
    convolution_ = dnnl::primitive(description.get());
    scratch_bytes_ = description.scratchpad_desc().get_size();
  }

  dnnl::primitive convolution_;
  std::size_t scratch_bytes_ = 0;
};

/// Extents and strides of an operand inside the arrays.
struct layout {
  dnnl::memory::dims extents, strides;

  [[nodiscard]] dnnl::memory::desc plain() const { return {extents, dnnl::memory::data_type::f32, strides}; }
  [[nodiscard]] dnnl::memory::desc free() const { return {extents, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any}; }
};

template <class... Size>
dnnl::memory::dims dims(Size... each) {
  return {static_cast<dnnl::memory::dim>(each)...};
}

/// Images are [C, N, H, W] here, which oneDNN calls N, C, H, W with strides of their own.
inline layout image_layout(piece const& p, std::size_t channels, std::size_t rows, std::size_t columns) {
  auto const pixels = rows * columns;
  return {dims(p.samples, channels, rows, columns), dims(pixels, p.all_samples * pixels, columns, 1)};
}

inline layout weight_layout(piece const& p) {
  auto const taps = p.geometry.kernel_h * p.geometry.kernel_w, row = p.all_channels * taps;
  auto const groups = p.geometry.groups, outputs = p.outputs / groups, channels = p.channels / groups;
  layout result{dims(outputs, channels, p.geometry.kernel_h, p.geometry.kernel_w), dims(row, taps, p.geometry.kernel_w, 1)};
  if (groups == 1) return result;
  result.extents.insert(result.extents.begin(), static_cast<dnnl::memory::dim>(groups));
  result.strides.insert(result.strides.begin(), static_cast<dnnl::memory::dim>(outputs * row));
  return result;
}

inline kernel::kernel(piece const& p) {
  single_thread const here;  // the number of threads is compiled in
  auto const& g = p.geometry;
  auto const lx = image_layout(p, p.channels, p.h, p.w), lw = weight_layout(p),
             ly = image_layout(p, p.outputs, g.out_h(p.h), g.out_w(p.w));
  auto const attributes = lnpt::onednn::detail::attributes();
  auto const direct = dnnl::algorithm::convolution_direct;
  auto const strides = dims(g.stride, g.stride), padding = dims(g.padding, g.padding);
  auto const backward = std::tuple(direct, lx.free(), lw.free(), ly.free(), strides, padding, padding);
  auto const training = std::tuple_cat(std::tuple(dnnl::prop_kind::forward_training), backward);
  auto const forward = describe<dnnl::convolution_forward>(attributes, training);
  if (p.what == product::forward) {
    take(forward);
    x = into(DNNL_ARG_SRC, lx.plain(), forward.src_desc());
    w = into(DNNL_ARG_WEIGHTS, lw.plain(), forward.weights_desc());
    y = out_of(DNNL_ARG_DST, ly.plain(), forward.dst_desc(), p.accumulate);
  } else if (p.what == product::input_gradient) {
    auto const found = describe<dnnl::convolution_backward_data>(attributes, backward, forward);
    take(found);
    x = out_of(DNNL_ARG_DIFF_SRC, lx.plain(), found.diff_src_desc(), p.accumulate);
    w = into(DNNL_ARG_WEIGHTS, lw.plain(), found.weights_desc());
    y = into(DNNL_ARG_DIFF_DST, ly.plain(), found.diff_dst_desc());
  } else {
    auto const found = describe<dnnl::convolution_backward_weights>(attributes, backward, forward);
    take(found);
    x = into(DNNL_ARG_SRC, lx.plain(), found.src_desc());
    w = out_of(DNNL_ARG_DIFF_WEIGHTS, lw.plain(), found.diff_weights_desc(), p.accumulate);
    y = into(DNNL_ARG_DIFF_DST, ly.plain(), found.diff_dst_desc());
  }
}

/// The kernel of a piece, compiled at its first use.
inline std::shared_ptr<kernel const> kernel_of(piece const& p) {
  static recently_used<piece, kernel> kernels(1024);
  return kernels[p];
}

}  // namespace lnpt::onednn::detail
