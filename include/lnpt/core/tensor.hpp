#pragma once
/// What lnpt asks of a tensor type: four operations found by argument-dependent lookup, and what `tensor_traits` says of it.
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include <lnpt/core/shape.hpp>

namespace lnpt {

/// How lnpt reads and makes tensors of type `T`. A host engine specialises it:
///
///     using value_type = …;                                     float or double
///     static std::size_t  size(T const&);
///     static lnpt::shape  shape(T const&);
///     static void         copy_to(T const&, std::span<value_type>);           row-major
///     static T            make(shape const&, std::span<value_type const>, T const& near);   on near's device
///
/// Optional members, each with a default in the library where it is absent:
///
///     static std::span<value_type const> view(T const&);        host memory, row-major: spares the copies
///     static std::span<value_type>       view(T&);
///     static void assign(T& into, T const& from);               in place, for handles that share storage
///     static T    deep_copy(T const&);                          storage of its own, for handles that share it
///     static T    empty(shape const&);                          values unspecified: spares a copy
///     static T    rows(T const&, std::size_t begin, std::size_t end);   a range of the first axis
///     using kept_weights = …;                                   how a masked parameter is held without its pruned weights
///     static lnpt::extremes extremes(T const&);                 the smallest and the largest value: core/extremes.hpp
///     static void apply_mask(T&, mask const&);                  pruned values to +0: mask/apply.hpp
///     static ranking_outcome keep_largest(…);                   a ranking where the scores are: mask/tensor_scores.hpp
///     exp, log_softmax, row_sum, one_hot, sum, argmax, one_hot_of_largest   what losses on the tensors use: loss/functions.hpp
template <class T>
struct tensor_traits;

template <class T>
using value_type = typename tensor_traits<T>::value_type;

namespace detail {
using std::abs;
// clang-format off: it takes the products for pointers
template <class T>
concept arithmetic_tensor = requires(T const& a, T const& b, double s) {
  { a * b } -> std::convertible_to<T>;
  { a + b } -> std::convertible_to<T>;
  { s * a } -> std::convertible_to<T>;
  { abs(a) } -> std::convertible_to<T>;
};
// clang-format on
}  // namespace detail

/// A copyable array a with `a * b`, `a + b`, `double * a` and `abs(a)`, described by `tensor_traits`.
template <class T>
concept tensor = std::copyable<T> && std::floating_point<value_type<T>> && detail::arithmetic_tensor<T> &&
                 requires(T const& t, std::span<value_type<T>> out, std::span<value_type<T> const> in, shape const& extents) {
                   { tensor_traits<T>::size(t) } -> std::convertible_to<std::size_t>;
                   { tensor_traits<T>::shape(t) } -> std::convertible_to<shape>;
                   tensor_traits<T>::copy_to(t, out);
                   { tensor_traits<T>::make(extents, in, t) } -> std::convertible_to<T>;
                 };

/// A tensor whose values lie in host memory, row-major, and can be looked at in place.
template <class T>
concept host_tensor = tensor<T> && requires(T const& t) {
  { tensor_traits<T>::view(t) } -> std::convertible_to<std::span<value_type<T> const>>;
};

/// What no tensor type calls its kept weights: there are none to hold.
struct no_kept_weights {};

namespace detail {
template <class T>
struct kept_weights_type {
  using type = no_kept_weights;
};
template <class T>
  requires requires { typename tensor_traits<T>::kept_weights; }
struct kept_weights_type<T> {
  using type = typename tensor_traits<T>::kept_weights;
};
}  // namespace detail

/// The form in which the engine of a tensor type holds the kept weights of a masked parameter: `tensor_traits<T>::kept_weights`.
template <class T>
using kept_weights_of = typename detail::kept_weights_type<T>::type;

/// Whether there is one.
template <class T>
concept holds_kept_weights = !std::same_as<kept_weights_of<T>, no_kept_weights>;

/// The extents of a tensor, slowest axis first.
template <tensor T>
[[nodiscard]] shape shape_of(T const& t) {
  return tensor_traits<T>::shape(t);
}

template <tensor T>
[[nodiscard]] std::size_t size_of(T const& t) {
  return tensor_traits<T>::size(t);
}

/// The values in row-major order: a copy.
template <tensor T>
[[nodiscard]] std::vector<value_type<T>> values_of(T const& t) {
  std::vector<value_type<T>> values(size_of(t));
  tensor_traits<T>::copy_to(t, values);
  return values;
}

/// A tensor of these values, on the device of `near`.
template <tensor T>
[[nodiscard]] T make_tensor(shape const& extents, std::span<value_type<T> const> values, T const& near) {
  return tensor_traits<T>::make(extents, values, near);
}

/// A copy with storage of its own, where the tensor is; through host memory unless the tensor type can do better.
template <tensor T>
[[nodiscard]] T deep_copy(T const& t) {
  if constexpr (requires { tensor_traits<T>::deep_copy(t); })
    return tensor_traits<T>::deep_copy(t);
  else
    return make_tensor<T>(shape_of(t), values_of(t), t);
}

/// Writes `from` into `into`, keeping the storage that others may share.
template <tensor T>
void assign(T& into, T const& from) {
  if constexpr (requires { tensor_traits<T>::assign(into, from); })
    tensor_traits<T>::assign(into, from);
  else
    into = from;
}

/// The rows `begin` to `end` of the first axis: a copy unless the tensor type can slice.
template <tensor T>
[[nodiscard]] T rows(T const& t, std::size_t begin, std::size_t end) {
  if constexpr (requires { tensor_traits<T>::rows(t, begin, end); }) {
    return tensor_traits<T>::rows(t, begin, end);
  } else {
    auto extents = shape_of(t);
    auto const stride = extents[0] ? size_of(t) / extents[0] : 0;
    auto const values = values_of(t);
    extents[0] = end - begin;
    return make_tensor<T>(extents, std::span(values).subspan(begin * stride, (end - begin) * stride), t);
  }
}

/// The same values in another tensor type, converted through host memory; the tensor itself where the types agree.
template <tensor To, tensor From>
[[nodiscard]] To convert(From const& from, To const& near) {
  if constexpr (std::same_as<To, From>) {
    return from;
  } else {
    auto const values = values_of(from);
    if constexpr (std::same_as<value_type<To>, value_type<From>>) {
      return make_tensor<To>(shape_of(from), values, near);
    } else {
      std::vector<value_type<To>> const converted(values.begin(), values.end());
      return make_tensor<To>(shape_of(from), converted, near);
    }
  }
}

namespace detail {

/// Host tensors whose values can be written where they are.
template <class T>
concept writable_in_place = host_tensor<T> && requires(T& t) {
  { tensor_traits<T>::view(t) } -> std::convertible_to<std::span<value_type<T>>>;
};

}  // namespace detail

/// A tensor of the same shape whose values are yet to be written.
template <tensor T>
[[nodiscard]] T empty_like(T const& t) {
  if constexpr (requires { tensor_traits<T>::empty(shape_of(t)); })
    return tensor_traits<T>::empty(shape_of(t));
  else
    return t;
}

}  // namespace lnpt
