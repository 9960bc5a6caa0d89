#pragma once
/// Operators that compute with two values, or with a value and a number.
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/arithmetic.hpp>
#include <lnpt/nn/join.hpp>

namespace lnpt::io::exported {

/// One side of an operator: a node, or a number.
struct operand {
  std::optional<std::size_t> node;
  double number = 0;
};

/// A tensor of the program that holds one number and is no parameter stands for that number.
template <class Backend>
[[nodiscard]] operand operand_of(reading<Backend>& r, call const& from, std::string const& argument) {
  auto const name = from.optional_tensor(argument);
  if (!name) return {std::nullopt, from.number(argument, 0)};
  if (!r.is_tensor(*name)) return {r.node_of(*name)};
  auto const& tensor = r.tensor_of(*name);
  if (tensor.size() != 1 || r.is_parameter(*name))
    refuse("computes with the tensor ", tensor.name, " of shape ", list(tensor.extents));
  return {std::nullopt, read_values<double>(r.network().source().archive(), tensor).front()};
}

/// a x + b in a node of its own; the node of x where that is x.
template <class Backend>
[[nodiscard]] std::size_t affine(reading<Backend>& r, call const& from, std::size_t x, double factor, double offset) {
  if (factor == 1 && offset == 0) return x;
  return r.network().add(r.node_name(from), nn::affine_constant{x, factor, offset});
}

/// Whether one extent of each pair may stretch to the other.
[[nodiscard]] inline bool stretches(shape const& a, shape const& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](auto x, auto y) { return x == y || x == 1 || y == 1; });
}

/// self ± alpha other, self · other, self / other.
template <class Backend>
void read_arithmetic(reading<Backend>& r, call const& from) {
  auto const operation = plain_name(from.target());
  if (from.has("rounding_mode")) refuse("rounds its quotients");
  auto x = operand_of(r, from, "self");
  auto y = operand_of(r, from, "other");
  auto alpha = from.number("alpha", 1);
  if (operation == "rsub") std::swap(x, y);
  auto const product = operation == "mul";
  if (operation == "sub" || operation == "rsub") alpha = -alpha;
  auto const line = r.claimed(r.result_of(from)).size() == 2;
  auto const give = [&](std::size_t node) { r.give_node(from, node, line); };
  if (!x.node && !y.node) refuse("computes with numbers alone");
  if (!x.node && operation == "div") refuse("divides a number by a value");
  if (!y.node) {
    if (operation == "div") return give(affine(r, from, *x.node, 1 / y.number, 0));
    return give(product ? affine(r, from, *x.node, y.number, 0) : affine(r, from, *x.node, 1, alpha * y.number));
  }
  if (!x.node) return give(product ? affine(r, from, *y.node, x.number, 0) : affine(r, from, *y.node, alpha, x.number));
  auto const& a = r.network().shapes()[*x.node];
  auto const& b = r.network().shapes()[*y.node];
  if (!stretches(a, b)) refuse("takes shapes ", list(a), " and ", list(b));
  auto const add = [&](typename reading<Backend>::layer rules) { give(r.network().add(r.node_name(from), std::move(rules))); };
  if (product) return add(nn::multiply{*x.node, *y.node});
  if (operation == "div") return add(nn::divide{*x.node, *y.node});
  if (alpha == -1) return add(nn::subtract{*x.node, *y.node});
  add(nn::add{*x.node, affine(r, from, *y.node, alpha, 0)});
}

template <class Backend>
void read_negative(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  r.give(from, x, nn::affine_constant{r.node_of(x), -1, 0});
}

}  // namespace lnpt::io::exported
