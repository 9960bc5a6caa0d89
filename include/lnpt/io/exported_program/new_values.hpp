#pragma once
/// What takes the place of a program's values when it is written again: zeros under masks, or the values of a network.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/io/convert_values.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/stored_tensor.hpp>
#include <lnpt/io/pruned_copy.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::io::exported {

/// What changes the elements of a tensor, which are given row-major and as they are stored, by the tensor's place among the program's.
/// Other tensors stay as they are.
using changes = std::unordered_map<std::size_t, std::function<void(std::span<std::byte>)>>;

namespace detail {

/// The place of a tensor by any of its names. It must have as many elements; a convolution over a line has an axis more in networks.
[[nodiscard]] inline std::size_t tensor_for(program const& source, std::string const& name, shape const& extents,
                                            char const* what) {
  auto const found = std::ranges::find(source.tensors(), name, &stored_tensor::name);
  if (found == source.tensors().end())
    fail(source.name(), " holds no tensor ", name, " for the ", what, " of that name; pass what was made for this network");
  if (found->size() != element_count(extents))
    fail(source.name(), ": the ", what, " of ", name, " has shape ", list(extents), " where the file has ", list(found->extents),
         "; pass what was made for this network");
  return source.canonical(static_cast<std::size_t>(found - source.tensors().begin()));
}

template <class T>
void store(std::vector<T> const& values, stored_tensor const& tensor, std::string const& file, std::span<std::byte> to) {
  auto stored = false;
  io::detail::with_stored_type(tensor.dtype, [&](auto tag) {
    using number = typename decltype(tag)::type;
    if constexpr (std::floating_point<number> || std::same_as<number, half> || std::same_as<number, bfloat16>)
      stored = io::detail::store_values<number>(std::span(values), to.data());
  });
  if (!stored)
    fail(file, ": the values of ", tensor.name, " have no finite places in its dtype ", name_of(tensor.dtype),
         "; write them to a .safetensors file of the network's own state instead");
}

}  // namespace detail

/// Weights that masks prune become +0. The masks must outlive the changes.
[[nodiscard]] inline changes pruned_by(program const& source, mask_set const& masks) {
  changes result;
  for (auto const& kept : masks) {
    auto const at = detail::tensor_for(source, kept.name(), kept.extents(), "mask");
    auto const width = bits_of(source.tensors()[at].dtype) / 8;
    result.emplace(at, [&kept, width](std::span<std::byte> values) { clear_pruned_bytes(values, width, kept); });
  }
  return result;
}

/// Parameters and buffers become those of a network that was read from the program, rounded to the dtypes of the file. The
/// program must outlive the changes.
template <has_state Model>
[[nodiscard]] changes values_of_network(program const& source, Model& network) {
  changes result;
  auto const add = [&](auto const& each) {
    auto const at = detail::tensor_for(source, each.name, shape_of(*each.value), "value");
    result.emplace(at, [&source, at, values = values_of(*each.value)](std::span<std::byte> to) {
      detail::store(values, source.tensors()[at], source.name(), to);
    });
  };
  for (auto const& each : network.parameters()) add(each);
  for (auto const& each : network.buffers()) add(each);
  return result;
}

/// The tensors of the state_dict that stay as the file has them, counters aside: those of auxiliary heads, for example, which no logits
/// come from.
[[nodiscard]] inline std::vector<std::string> unchanged_tensors(program const& source, changes const& changed) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < source.state_size(); ++i)
    if (auto const& name = source.tensors()[i].name; !changed.contains(source.canonical(i)) && !io::detail::is_counter(name))
      names.push_back(name);
  return names;
}

}  // namespace lnpt::io::exported
