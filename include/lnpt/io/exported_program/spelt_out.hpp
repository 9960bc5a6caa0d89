#pragma once
/// Functions that `run_decompositions` spells out as a choice between two values.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/io/exported_program/graph.hpp>
#include <lnpt/io/exported_program/operator_names.hpp>

namespace lnpt::io::exported {

/// PReLU or CELU of x. PyTorch 2.15 writes both as where(x > 0, x, f(x)), with f(x) = slopes · x or alpha · expm1(x / alpha).
struct spelt_out_function {
  std::string x;
  std::optional<std::string> slopes;  ///< of PReLU
  double alpha = 1;                   ///< of CELU
};

/// Such functions of one graph, by the calls that complete them. What lies between is read by them alone.
class spelt_out_functions {
 public:
  explicit spelt_out_functions(graph const& from) : calls_(from.calls()) {
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      for (auto& name : calls_[i].outputs()) makers_.emplace(std::move(name), i);
      for (auto const& name : calls_[i].inputs()) ++readers_[name];
    }
    for (auto const& name : from.outputs()) ++readers_[name];
    for (std::size_t i = 0; i < calls_.size(); ++i)
      if (calls_[i].target() == "where.self") recognise(i);
  }

  /// The function that a call completes; null where it completes none.
  [[nodiscard]] spelt_out_function const* completed_by(std::size_t call) const {
    auto const found = complete_.find(call);
    return found == complete_.end() ? nullptr : &found->second;
  }
  /// What the function is computed of that a call is a step of; null where it is no step.
  [[nodiscard]] std::string const* step_towards(std::size_t call) const {
    auto const found = steps_.find(call);
    return found == steps_.end() ? nullptr : &found->second;
  }

 private:
  using steps = std::vector<std::size_t>;

  /// The call that makes a value which one other call reads, if it is of this operator; it becomes a step.
  [[nodiscard]] call const* step(std::optional<std::string> const& name, std::string_view operation, steps& taken) const {
    if (!name) return nullptr;
    auto const made = makers_.find(*name);
    if (made == makers_.end() || readers_.at(*name) != 1 || plain_name(calls_[made->second].target()) != operation)
      return nullptr;
    taken.push_back(made->second);
    return &calls_[made->second];
  }

  void recognise(std::size_t at) {
    steps taken;
    auto const x = calls_[at].optional_tensor("self");
    auto const* const positive = step(calls_[at].optional_tensor("condition"), "gt", taken);
    if (!x || positive == nullptr || positive->target() != "gt.Scalar") return;
    if (positive->optional_tensor("self") != x || positive->number("other", 0) != 0) return;
    auto const otherwise = calls_[at].optional_tensor("other");
    std::optional<spelt_out_function> found;
    if (auto const* const product = step(otherwise, "mul", taken); product == nullptr)
      found = celu_of(*x, otherwise, 1, taken);
    else if (product->optional_tensor("other"))
      found = prelu_of(*x, *product);
    else
      found = celu_of(*x, product->optional_tensor("self"), product->number("other", 0), taken);
    if (!found) return;
    for (auto const each : taken) steps_.emplace(each, *x);
    complete_.emplace(at, *std::move(found));
  }

  /// slopes · x, in either order.
  [[nodiscard]] std::optional<spelt_out_function> prelu_of(std::string const& x, call const& product) const {
    auto const first = product.optional_tensor("self");
    auto const second = product.optional_tensor("other");
    if (!first || (first == x) == (second == x)) return std::nullopt;
    return spelt_out_function{.x = x, .slopes = stored(first == x ? *second : *first)};
  }
  /// The tensor whose axes a view spreads.
  [[nodiscard]] std::string stored(std::string const& name) const {
    auto const made = makers_.find(name);
    return made != makers_.end() && plain_name(calls_[made->second].target()) == "view" ? calls_[made->second].first_tensor()
                                                                                        : name;
  }

  /// alpha · expm1(x / alpha), of which `power` is the second factor. An alpha of 1 is not written.
  [[nodiscard]] std::optional<spelt_out_function> celu_of(std::string const& x, std::optional<std::string> const& power,
                                                          double alpha, steps& taken) const {
    auto const* const exponential = step(power, "expm1", taken);
    if (exponential == nullptr) return std::nullopt;
    spelt_out_function found{.x = x, .slopes = std::nullopt, .alpha = alpha};
    auto const exponent = exponential->optional_tensor("self");
    if (alpha == 1 && exponent == x) return found;
    auto const* const quotient = step(exponent, "div", taken);
    if (quotient == nullptr || quotient->optional_tensor("self") != x || quotient->optional_tensor("other")) return std::nullopt;
    return quotient->number("other", 0) == alpha ? std::optional(found) : std::nullopt;
  }

  std::vector<call> calls_;
  std::unordered_map<std::string, std::size_t> makers_;   ///< by the value that a call makes
  std::unordered_map<std::string, std::size_t> readers_;  ///< how often a value is read
  std::unordered_map<std::size_t, std::string> steps_;
  std::unordered_map<std::size_t, spelt_out_function> complete_;
};

}  // namespace lnpt::io::exported
