#pragma once
/// Other weights for a network that was read from an exported program: a state_dict of the same module.
#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/io/computed_weights.hpp>
#include <lnpt/io/exported_program/new_values.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/io/tensor_names.hpp>

namespace lnpt::io::exported {

namespace detail {

/// The file's name for a tensor of the program, which may have several, or null.
[[nodiscard]] inline std::string const* stored_name(program const& source, std::size_t tensor, tensor_names const& names) {
  for (std::size_t i = 0; i < source.state_size(); ++i)
    if (source.canonical(i) == source.canonical(tensor))
      if (auto const* const found = names.find(source.tensors()[i].name)) return found;
  return nullptr;
}

/// Refuses a file with weights that are computed of its tensors or, unless they are to be passed over, with tensors that the program's
/// state_dict does not have.
inline void check_names(program const& source, safetensors::file const& file, tensor_names const& names, bool ignore_extra) {
  std::unordered_set<std::string> known;
  for (std::size_t i = 0; i < source.state_size(); ++i) known.insert(source.tensors()[i].name);
  io::detail::refuse_computed(file, names, known);
  if (ignore_extra) return;
  std::vector<std::string> extra;
  for (auto const& [name, stored] : names.all()) {
    if (prefix_beside(name).empty() && !io::detail::is_counter(name) && !known.contains(name)) extra.push_back(stored);
  }
  if (!extra.empty())
    lnpt::detail::throw_text<unmatched_names>(file.name(), " also holds ", first_names(extra), ", which ", source.name(),
                                              " does not have; load a state_dict of the same module, or ignore what is extra");
}

}  // namespace detail

/// Fills a network that was read from the program with the tensors of a state_dict, under any of their names and in the program's shapes.
/// All or nothing. Tensors that the network does not need, such as those of auxiliary heads, are passed over.
template <has_state Model>
void load_state_dict(Model& network, program const& source, safetensors::file const& file,
                     state_dict_options const& options = {}) {
  tensor_names const names(file, options);
  detail::check_names(source, file, names, options.ignore_extra);
  std::vector<std::string> missing;
  std::vector<std::function<void()>> assignments;
  auto const read = [&](auto const& each) {
    auto const at = detail::tensor_for(source, each.name, shape_of(*each.value), "value");
    auto const* const stored = detail::stored_name(source, at, names);
    if (!stored) {
      if (at < source.state_size()) missing.push_back(each.name);
      return;
    }
    using tensor_type = std::remove_cvref_t<decltype(*each.value)>;
    auto loaded = make_tensor<tensor_type>(
        shape_of(*each.value), io::detail::read_numbers<value_type<tensor_type>>(file, *stored, source.tensors()[at].extents),
        *each.value);
    assignments.push_back([into = each.value, loaded = std::move(loaded)] { assign(*into, loaded); });
  };
  for (auto const& each : network.parameters()) read(each);
  for (auto const& each : network.buffers()) read(each);
  if (!missing.empty())
    lnpt::detail::throw_text<unmatched_names>(file.name(), " lacks ", first_names(missing), " of the tensors that ",
                                              source.name(), " computes with; ", io::detail::prefixes_for(missing.front(), file));
  for (auto const& assign_it : assignments) assign_it();
}

}  // namespace lnpt::io::exported
