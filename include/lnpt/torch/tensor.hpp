#pragma once
/// LibTorch's tensors as lnpt's: at::Tensor with its scalar type known at compile time.
#include <ATen/ATen.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/extremes.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/mask/tensor_scores.hpp>
#include <lnpt/torch/select.hpp>
#include <lnpt/torch/transfer.hpp>

namespace lnpt {

/// A handle to a tensor of `Scalar`s on any device and with any strides; copies share storage, as at::Tensor's do.
/// Throws where the tensor holds another scalar type.
template <std::floating_point Scalar>
class torch_tensor {
 public:
  static constexpr auto scalar_type = c10::CppTypeToScalarType<Scalar>::value;

  torch_tensor() = default;
  torch_tensor(at::Tensor tensor) : tensor_(std::move(tensor)) {  // NOLINT(google-explicit-constructor): the same tensor
    if (tensor_.defined() && tensor_.scalar_type() != scalar_type)
      fail("a tensor of ", c10::toString(tensor_.scalar_type()), " meets lnpt::torch_tensor of ", c10::toString(scalar_type),
           ": convert it with .to(), or choose the other scalar type");
  }

  [[nodiscard]] at::Tensor const& get() const { return tensor_; }

  friend torch_tensor operator+(torch_tensor const& a, torch_tensor const& b) { return at::add(a.tensor_, b.tensor_); }
  friend torch_tensor operator-(torch_tensor const& a, torch_tensor const& b) { return at::sub(a.tensor_, b.tensor_); }
  friend torch_tensor operator*(torch_tensor const& a, torch_tensor const& b) { return at::mul(a.tensor_, b.tensor_); }
  friend torch_tensor operator*(double s, torch_tensor const& a) { return at::mul(a.tensor_, s); }
  friend torch_tensor abs(torch_tensor const& a) { return at::abs(a.tensor_); }

 private:
  at::Tensor tensor_;
};

namespace detail {

/// Class ids, an int64 tensor [B], on the host.
[[nodiscard]] inline std::vector<std::int64_t> class_ids(at::Tensor const& labels) {
  if (labels.dim() != 1 || labels.scalar_type() != at::kLong)
    fail("labels are ", c10::toString(labels.scalar_type()), ' ', list(labels.sizes()), ": pass class ids as int64 [B]");
  auto const host = labels.to(at::kCPU).contiguous();
  auto const* const first = host.data_ptr<std::int64_t>();
  return {first, first + host.numel()};
}

/// A mask as tensors meet it: its bits in host memory, and a bool per weight where they are on a device or not contiguous.
class torch_mask {
 public:
  explicit torch_mask(mask const& kept) : kept_(kept) {}

  /// Sets the pruned values to exactly +0.
  void clear(at::Tensor const& values) {
    at::NoGradGuard const plain;
    if (values.is_cpu() && values.is_contiguous() && values.scalar_type() == at::kFloat) return clear_in_place<float>(values);
    if (values.is_cpu() && values.is_contiguous() && values.scalar_type() == at::kDouble) return clear_in_place<double>(values);
    if (!pruned_.defined() || pruned_.device() != values.device()) pruned_ = pruned_places(kept_, values);
    values.masked_fill_(pruned_, 0.0);
  }

 private:
  template <class Scalar>
  void clear_in_place(at::Tensor const& values) const {
    lnpt::apply(kept_, std::span(values.data_ptr<Scalar>(), static_cast<std::size_t>(values.numel())));
    values.unsafeGetTensorImpl()->bump_version();  // graphs that hold the old values learn of it
  }

  mask kept_;
  at::Tensor pruned_;
};

}  // namespace detail

template <std::floating_point Scalar>
struct tensor_traits<torch_tensor<Scalar>> {
  using value_type = Scalar;
  using tensor = torch_tensor<Scalar>;

  static std::size_t size(tensor const& t) { return static_cast<std::size_t>(t.get().numel()); }
  static lnpt::shape shape(tensor const& t) { return detail::extents_of(t.get()); }
  static void copy_to(tensor const& t, std::span<Scalar> out) {
    auto const host = t.get().detach().to(at::kCPU).contiguous();
    std::copy_n(host.template data_ptr<Scalar>(), out.size(), out.data());
  }
  static tensor make(lnpt::shape const& extents, std::span<Scalar const> values, tensor const& near = {}) {
    return detail::to_device(values, detail::torch_sizes(extents), near.get());
  }
  static tensor deep_copy(tensor const& t) { return t.get().detach().clone(); }
  static void assign(tensor& into, tensor const& from) {
    at::NoGradGuard const plain;
    auto target = into.get();
    target.copy_(from.get());
  }
  static void apply_mask(tensor& into, mask const& kept) { detail::torch_mask(kept).clear(into.get()); }
  static lnpt::extremes extremes(tensor const& t) {
    auto const values = t.get().detach();
    if (values.numel() == 0) return {};
    auto const [low, high] = at::aminmax(values);
    auto const both = at::stack({low, high}).to(at::kCPU, at::kDouble);
    return {both.template data_ptr<double>()[0], both.template data_ptr<double>()[1]};
  }
  static ranking_outcome keep_largest(std::span<ranked_tensor<tensor> const> parts, std::size_t n, keep_end end) {
    std::vector<detail::device_part> tensors;
    for (auto const& part : parts) tensors.push_back({part.scores->get().detach(), part.kept, part.among});
    return detail::keep_largest_of<Scalar>(tensors, n, end);
  }
  static tensor rows(tensor const& t, std::size_t begin, std::size_t end) {
    return t.get().narrow(0, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end - begin));
  }

  // What losses are written in (loss/functions.hpp), visible to autograd.
  static tensor exp(tensor const& t) { return at::exp(t.get()); }
  static tensor log_softmax(tensor const& t) { return at::log_softmax(t.get(), -1); }
  static tensor row_sum(tensor const& t) { return t.get().sum(-1, /*keepdim=*/true).expand_as(t.get()); }
  static double sum(tensor const& t) { return t.get().detach().sum(at::kDouble).template item<double>(); }
  static tensor one_hot(std::vector<std::int64_t> const& labels, tensor const& like) {
    auto const count = static_cast<std::int64_t>(labels.size());
    auto const index = detail::to_device(std::span(labels), {count, 1}, like.get());
    return at::zeros(like.get().sizes(), like.get().options()).scatter_(1, index, 1.0);
  }
  static tensor one_hot_of_largest(tensor const& t) {
    auto const values = t.get().detach();
    return at::zeros_like(values).scatter_(-1, values.argmax(-1, /*keepdim=*/true), 1.0);
  }
  static std::vector<std::int64_t> argmax(tensor const& t) { return detail::class_ids(t.get().detach().argmax(-1)); }
};

/// A tensor of samples as a batch to score or train on.
template <std::floating_point Scalar = float>
[[nodiscard]] unlabelled_batch<torch_tensor<Scalar>> torch_batch(at::Tensor input) {
  return {std::move(input)};
}

/// The same with class ids, an int64 tensor [B].
template <std::floating_point Scalar = float>
[[nodiscard]] labelled_batch<torch_tensor<Scalar>> torch_batch(at::Tensor input, at::Tensor const& labels) {
  return {std::move(input), detail::class_ids(labels)};
}

}  // namespace lnpt
