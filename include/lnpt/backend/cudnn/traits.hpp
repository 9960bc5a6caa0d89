#pragma once
/// Arrays on the device as lnpt's tensors, with the functions that losses are written in.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/backend/cudnn/elementwise.hpp>
#include <lnpt/backend/cudnn/selection.hpp>
#include <lnpt/core/tensor.hpp>

template <class T>
struct lnpt::tensor_traits<lnpt::cudnn::array<T>> {
  using value_type = T;
  using array = lnpt::cudnn::array<T>;
  using runtime = lnpt::cudnn::detail::runtime;

  static std::size_t size(array const& x) { return x.size(); }
  static lnpt::shape shape(array const& x) { return x.extents(); }
  static void copy_to(array const& x, std::span<T> out) {
    auto const ordered = lnpt::cudnn::detail::in_order(x);
    lnpt::cudnn::detail::copy(out.data(), ordered.data(), x.size() * sizeof(T), cudaMemcpyDeviceToHost);
  }
  static array make(lnpt::shape const& extents, std::span<T const> values, array const& = {}) {
    array result(extents);
    lnpt::cudnn::detail::copy(result.written(), values.data(), result.size() * sizeof(T), cudaMemcpyHostToDevice);
    return result;
  }
  static array deep_copy(array const& x) { return x; }  // shared until written
  static array empty(lnpt::shape const& extents) { return array(extents); }
  static array rows(array const& x, std::size_t begin, std::size_t end) {
    auto const ordered = lnpt::cudnn::detail::in_order(x);
    auto extents = x.extents();
    auto const stride = extents[0] ? x.size() / extents[0] : 0;
    extents[0] = end - begin;
    array result(extents);
    lnpt::cudnn::detail::copy(result.written(), ordered.data() + begin * stride, result.size() * sizeof(T),
                              cudaMemcpyDeviceToDevice);
    return result;
  }

  static void apply_mask(array& x, mask const& kept) { lnpt::cudnn::clear_pruned(x, lnpt::cudnn::pack(kept.words())); }
  static ranking_outcome keep_largest(std::span<ranked_tensor<array> const> parts, std::size_t n, keep_end end) {
    return lnpt::cudnn::detail::device_selector<T>(parts, n, end).run();
  }

  // What losses are written in: loss/functions.hpp.
  static array exp(array const& x) { return lnpt::cudnn::detail::unary(lnpt::cudnn::detail::unary_operation::exponential, x); }
  static array log_softmax(array const& x) { return by_rows("log_softmax", x); }
  static array row_sum(array const& x) { return by_rows("row_sum", x); }
  static array one_hot_of_largest(array const& x) { return by_rows("one_hot_of_largest", x); }
  static array one_hot(std::vector<std::int64_t> const& labels, array const& like) {
    auto const width = like.extents().back();
    std::vector<T> values(like.size());
    for (std::size_t b = 0; b < labels.size(); ++b) values[b * width + static_cast<std::size_t>(labels[b])] = 1;
    return make(like.extents(), values);
  }
  /// A read that waits for the device.
  static double sum(array const& x) {
    lnpt::cudnn::detail::buffer const total(sizeof(double));
    runtime::current().launch(lnpt::cudnn::detail::kernel_for<T>("channel_sums"), 1, 256, x.data(),
                              static_cast<T const*>(nullptr), static_cast<T const*>(nullptr), 0,
                              static_cast<double*>(total.get()), static_cast<double*>(nullptr), 1U, 1U,
                              static_cast<unsigned>(x.size()));
    double result = 0;
    lnpt::cudnn::detail::copy(&result, total.get(), sizeof result, cudaMemcpyDeviceToHost);
    return result;
  }
  /// A read that waits for the device.
  static std::vector<std::int64_t> argmax(array const& x) {
    auto const width = x.extents().back();
    auto const values = values_of(x);
    std::vector<std::int64_t> result;
    for (auto row = values.begin(); row != values.end(); row += static_cast<std::ptrdiff_t>(width))
      result.push_back(std::max_element(row, row + static_cast<std::ptrdiff_t>(width)) - row);
    return result;
  }

 private:
  static array by_rows(char const* kernel, array const& x) {
    auto const width = x.extents().back();
    auto y = lnpt::cudnn::detail::like(x);
    runtime::current().for_each_element(lnpt::cudnn::detail::kernel_for<T>(kernel), x.size() / width, x.data(), y.written(),
                                        static_cast<unsigned>(width));
    return y;
  }
};
