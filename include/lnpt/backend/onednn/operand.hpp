#pragma once
/// The images and weights of a convolution, in the arrays and in oneDNN's layouts, with the copies between.
#include <utility>

#include <lnpt/backend/onednn/blocks.hpp>
#include <lnpt/backend/onednn/runtime.hpp>

namespace lnpt::onednn::detail {

/// Extents and strides of an operand inside the arrays.
struct layout {
  dnnl::memory::dims extents, strides;

  /// As images in a layout of blocks.
  [[nodiscard]] blocked_images images() const {
    auto const size = [](dnnl::memory::dim n) { return static_cast<std::size_t>(n); };
    return {size(extents[0]), size(extents[1]), size(extents[2] * extents[3]), size(strides[0]), size(strides[1])};
  }
  [[nodiscard]] dnnl::memory::desc in_blocks() const {
    return {extents, dnnl::memory::data_type::f32, dnnl::memory::format_tag::nChw16c};
  }
  [[nodiscard]] dnnl::memory::desc plain() const { return {extents, dnnl::memory::data_type::f32, strides}; }
  [[nodiscard]] dnnl::memory::desc free() const { return {extents, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any}; }
};

template <class... Size>
dnnl::memory::dims dims(Size... each) {
  return {static_cast<dnnl::memory::dim>(each)...};
}

/// An image or weights: how the arrays hold them, how oneDNN wants them, and the copy between.
class operand {
 public:
  operand() = default;
  /// A result is copied out of oneDNN's layout, or added to what the array holds; anything else is copied into it.
  operand(int argument, layout const& in_arrays, dnnl::memory::desc packed, bool result, bool accumulate)
      : argument_(argument), in_arrays_(in_arrays), packed_(std::move(packed)), accumulate_(accumulate) {
    blocked_ = in_arrays.extents.size() == 4 && packed_ == in_arrays.in_blocks() && in_arrays.images().whole_vectors();
    if (blocked_) return;
    auto attributes = lnpt::onednn::detail::attributes();
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0F);
      attributes.set_post_ops(sum);
    }
    auto const plain = in_arrays.plain();
    dnnl::reorder::primitive_desc const copy(engine(), result ? packed_ : plain, engine(), result ? plain : packed_, attributes);
    copy_ = dnnl::reorder(copy);
    scratch_bytes_ = copy.scratchpad_desc().get_size();
  }

  [[nodiscard]] int argument() const { return argument_; }
  [[nodiscard]] std::size_t packed_size() const { return packed_.get_size() / sizeof(float); }
  [[nodiscard]] dnnl::memory packed(float const* data) const { return view(packed_, data); }

  void pack(float const* from, float* to) const {
    if (blocked_) return in_arrays_.images().into_blocks(from, to);
    execute(copy_, scratch_bytes_, {{DNNL_ARG_FROM, view(in_arrays_.plain(), from)}, {DNNL_ARG_TO, view(packed_, to)}});
  }
  void unpack(float const* from, float* to) const {
    if (blocked_) return in_arrays_.images().out_of_blocks(from, to, accumulate_);
    execute(copy_, scratch_bytes_, {{DNNL_ARG_FROM, view(packed_, from)}, {DNNL_ARG_TO, view(in_arrays_.plain(), to)}});
  }

 private:
  static dnnl::memory view(dnnl::memory::desc const& layout, float const* data) {
    return {layout, engine(), const_cast<float*>(data)};
  }

  int argument_ = 0;
  layout in_arrays_;
  dnnl::memory::desc packed_;
  bool accumulate_ = false, blocked_ = false;
  dnnl::reorder copy_;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace lnpt::onednn::detail
