#pragma once
/// Operators that compute with two values, or with a value and a number.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/activation.hpp>
#include <lnpt/nn/arithmetic.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/join.hpp>
#include <lnpt/nn/rearrange.hpp>

namespace lnpt::io::exported {

/// One side of an operator: a node, a number, or what is the same for all samples.
struct operand {
  std::optional<std::size_t> node = std::nullopt;
  double number = 0;
  std::function<std::size_t(shape const&)> held = {};
  shape extents = {};  ///< of what is held
};

/// A tensor of the program that holds one number and is no parameter stands for that number.
template <class Backend>
[[nodiscard]] operand operand_of(reading<Backend>& r, call const& from, std::string const& argument) {
  auto const name = from.optional_tensor(argument);
  if (!name) return {.number = from.number(argument, 0)};
  if (!r.is_held(*name)) return {.node = r.joined_node_of(*name)};
  if (r.is_tensor(*name) && !r.is_parameter(*name) && r.tensor_of(*name).size() == 1)
    return {.number = read_values<double>(r.network().source().archive(), r.tensor_of(*name)).front()};
  return {.held = r.held(*name), .extents = r.at(*name).extents};
}

/// The image [C, 1, H, W] that a tensor is beside values of so many axes, of which the first counts samples.
[[nodiscard]] inline shape image_beside(shape extents, std::size_t axes) {
  if (extents.size() > axes) refuse("joins a tensor of shape ", list(extents), " with values of ", axes, " axes");
  extents.insert(extents.begin(), axes - extents.size(), 1);
  if (extents[0] != 1) refuse("joins a tensor of shape ", list(extents), ", another for each sample, with values");
  switch (axes) {
    case 2: return {extents[1], 1, 1, 1};
    case 3: return {extents[1], 1, 1, extents[2]};
    case 4: return {extents[1], 1, extents[2], extents[3]};
    default: refuse("joins a tensor with values of ", axes, " axes");
  }
}

/// Whether one extent of each pair may stretch to the other.
[[nodiscard]] inline bool stretches(shape const& a, shape const& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](auto x, auto y) { return x == y || x == 1 || y == 1; });
}

/// self ± alpha other, self · other or self / other, as nodes under one name.
template <class Backend>
class arithmetic {
 public:
  using node = std::size_t;

  arithmetic(draft<Backend>& to, call const& from) : to_(&to), name_(reading<Backend>::node_name(from)) {
    auto const operation = plain_name(from.target());
    if (from.has("rounding_mode")) refuse("rounds its quotients");
    product_ = operation == "mul";
    quotient_ = operation == "div";
    if (!product_ && !quotient_) alpha_ = from.number("alpha", 1);
    if (operation == "sub" || operation == "rsub") alpha_ = -alpha_;
  }

  [[nodiscard]] node of(node x, double number) const {
    return quotient_ ? affine(x, 1 / number, 0) : product_ ? affine(x, number, 0) : affine(x, 1, alpha_ * number);
  }
  [[nodiscard]] node of(double number, node y) const {
    if (product_) return affine(y, number, 0);
    return quotient_ ? affine(to_->add(name_, nn::activation{y, {activation_kind::reciprocal}}), number, 0)
                     : affine(y, alpha_, number);
  }
  [[nodiscard]] node of(node x, node y) const {
    auto const& a = to_->shapes()[x];
    auto const& b = to_->shapes()[y];
    if (!stretches(a, b)) refuse("takes shapes ", list(a), " and ", list(b));
    if (product_) return to_->add(name_, nn::multiply{x, y});
    if (quotient_) return to_->add(name_, nn::divide{x, y});
    if (alpha_ == -1) return to_->add(name_, nn::subtract{x, y});
    return to_->add(name_, nn::add{x, affine(y, alpha_, 0)});
  }

 private:
  /// a x + b in a node of its own; the node of x where that is x.
  [[nodiscard]] node affine(node x, double factor, double offset) const {
    if (!std::isfinite(factor) || !std::isfinite(offset)) refuse("computes with a number that is not finite");
    if (factor == 1 && offset == 0) return x;
    return to_->add(name_, nn::affine_constant{x, factor, offset});
  }

  draft<Backend>* to_;
  std::string name_;
  bool product_ = false, quotient_ = false;
  double alpha_ = 1;
};

namespace detail {

/// An operator on two sides of which none holds samples.
template <class Backend>
void give_held(reading<Backend>& r, call const& from, arithmetic<Backend> const& with, operand const& x, operand const& y) {
  if (!x.held && !y.held) refuse("computes with numbers alone");
  auto const all = element_count(r.whole(r.result_of(from)));
  auto const side = [all](operand const& each) {
    auto const count = element_count(each.extents);
    if (each.held && count != all && count != 1) refuse("joins two tensors that stretch to one another");
    return [build = each.held, one = count == 1](shape const& image) { return build(one ? shape{1, 1, 1, 1} : image); };
  };
  if (!y.held) return r.give_held(from, [=, x = side(x), n = y.number](shape const& image) { return with.of(x(image), n); });
  if (!x.held) return r.give_held(from, [=, n = x.number, y = side(y)](shape const& image) { return with.of(n, y(image)); });
  r.give_held(from, [=, x = side(x), y = side(y)](shape const& image) {
    auto const first = x(image);
    return with.of(first, y(image));
  });
}

}  // namespace detail

template <class Backend>
void read_arithmetic(reading<Backend>& r, call const& from) {
  arithmetic<Backend> const with(r.network(), from);
  auto x = operand_of(r, from, "self");
  auto y = operand_of(r, from, "other");
  if (plain_name(from.target()) == "rsub") std::swap(x, y);
  if (!x.node && !y.node) return detail::give_held(r, from, with, x, y);
  auto const axes = r.claimed(r.result_of(from)).size() + 1;
  auto const line = axes == 3;
  if (!x.held && !y.held) {
    auto const node = !y.node ? with.of(*x.node, y.number) : !x.node ? with.of(x.number, *y.node) : with.of(*x.node, *y.node);
    return r.give_node(from, node, line);
  }
  // A matrix is joined with a tensor as images of one pixel.
  auto const image = [&](operand const& each) {
    if (each.held) return each.held(image_beside(each.extents, axes));
    return axes == 2 ? r.network().add("unflatten", nn::unflatten{*each.node, per_axis{1}}) : *each.node;
  };
  auto const first = image(x);
  auto const node = with.of(first, image(y));
  r.give_node(from, axes == 2 ? r.network().add("flatten", nn::flatten{node}) : node, line);
}

/// The square of a value, which is its product with itself.
template <class Backend>
void read_square(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  if (plain_name(from.target()) == "pow" && from.number("exponent", 0) != 2)
    refuse("raises to the power ", from.number("exponent", 0));
  auto const input = r.node_of(x);
  r.give(from, x, nn::multiply{input, input});
}

template <class Backend>
void read_negative(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  if (!r.is_held(x)) return r.give(from, x, nn::affine_constant{r.node_of(x), -1, 0});
  r.give_held(from, [&to = r.network(), of = r.held(x), name = r.node_name(from)](shape const& image) {
    return to.add(name, nn::affine_constant{of(image), -1, 0});
  });
}

}  // namespace lnpt::io::exported
