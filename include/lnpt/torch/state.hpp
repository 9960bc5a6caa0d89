#pragma once
/// The state_dict of a module: parameters, frozen ones among them, and buffers, by every name they have.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/state.hpp>
#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// Every parameter and buffer of a tree by its full name, those that are not trained among them.
[[nodiscard]] inline std::vector<named_tensor> state_of(module_tree const& tree) {
  std::vector<named_tensor> state;
  for (auto const& entry : tree) {
    auto tensors = entry.parameters;
    std::ranges::copy(entry.buffers(), std::back_inserter(tensors));
    for (auto const& each : tensors) state.push_back({joined(entry.path, each.name), each.value});
  }
  return state;
}

/// How safetensors spells the number type of a tensor.
[[nodiscard]] inline std::string stored_type(named_tensor const& of) {
  switch (of.value.scalar_type()) {
    case at::kFloat: return "F32";
    case at::kDouble: return "F64";
    case at::kHalf: return "F16";
    case at::kBFloat16: return "BF16";
    case at::kLong: return "I64";
    case at::kInt: return "I32";
    case at::kShort: return "I16";
    case at::kChar: return "I8";
    case at::kByte: return "U8";
    case at::kBool: return "BOOL";
    default:
      fail(of.name, " holds ", c10::toString(of.value.scalar_type()),
           ", which a file of tensors does not: convert it to a number type such as float");
  }
}

[[nodiscard]] inline std::vector<std::byte> bytes_of(at::Tensor const& tensor) {
  auto const host = tensor.detach().to(at::kCPU).contiguous();
  auto const* const first = static_cast<std::byte const*>(host.data_ptr());
  return {first, first + host.nbytes()};
}

/// Writes numbers into a tensor, converted to its type.
template <class Number>
void assign_numbers(at::Tensor tensor, std::span<Number const> numbers) {
  at::NoGradGuard const plain;
  auto host = at::empty(tensor.sizes(), c10::CppTypeToScalarType<Number>::value);
  std::copy(numbers.begin(), numbers.end(), host.template data_ptr<Number>());
  tensor.copy_(host);
}

/// The tensor as an entry of a model's state.
[[nodiscard]] inline state_entry entry_of(named_tensor const& each, bool finite) {
  auto const value = each.value;
  state_entry entry{each.name, {value.sizes().begin(), value.sizes().end()}, stored_type(each), value.unsafeGetTensorImpl(),
                    finite,    [value] { return bytes_of(value); },          nullptr,           nullptr};
  if (at::isFloatingType(value.scalar_type()))
    entry.assign_reals = [value](std::span<double const> numbers) { assign_numbers(value, numbers); };
  else
    entry.assign_integers = [value](std::span<std::int64_t const> numbers) { assign_numbers(value, numbers); };
  return entry;
}

/// The whole state of a tree. Parameters and running statistics are finite.
[[nodiscard]] inline std::vector<state_entry> state_entries_of(module_tree const& tree) {
  std::vector<state_entry> entries;
  for (auto const& of : tree) {
    for (auto const& p : of.parameters) entries.push_back(entry_of({joined(of.path, p.name), p.value}, true));
    for (auto const& b : of.buffers())
      entries.push_back(entry_of({joined(of.path, b.name), b.value}, b.name.starts_with("running_")));
  }
  return entries;
}

}  // namespace lnpt::detail
