#pragma once
/// A model's parameters and buffers, and its masks, to and from a safetensors file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::io {

/// A model that shows its state as ranges of `lnpt::parameter`.
template <class Model>
concept has_state = requires(Model& model) {
  model.parameters();
  model.buffers();
};

inline constexpr std::string_view mask_prefix = "mask.";
inline constexpr std::string_view momentum_prefix = "momentum.";  ///< of checkpoints

namespace detail {

/// Calls `use` for each parameter, then for each buffer.
template <has_state Model, class Use>
void for_each_state(Model& model, Use use) {
  for (auto&& each : model.parameters()) use(each);
  for (auto&& each : model.buffers()) use(each);
}

/// Up to three of the names, then how many more: `"a", "b", "c" and 4 more`.
[[nodiscard]] inline std::string first_names(std::vector<std::string> const& names) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i != std::min(shown, names.size()); ++i) text += (i ? ", " : "") + safetensors::detail::quote(names[i]);
  if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

/// Where the file may hold what was sought: the prefixes under which it has `name`, else those up to the first dot of its names.
[[nodiscard]] inline std::string prefixes_for(std::string const& name, safetensors::file const& file) {
  std::set<std::string> holding, leading;
  for (auto const& tensor : file.entries()) {
    if (tensor.name.ends_with('.' + name)) holding.insert(tensor.name.substr(0, tensor.name.size() - name.size()));
    if (auto const dot = tensor.name.find('.'); dot != tensor.name.npos) leading.insert(tensor.name.substr(0, dot + 1));
  }
  auto const& prefixes = holding.empty() ? leading : holding;
  return prefixes.empty() ? "its names have no prefix" : "its prefixes are " + first_names({prefixes.begin(), prefixes.end()});
}

[[nodiscard]] inline std::string under(std::string const& prefix) {
  return prefix.empty() ? std::string() : " under the prefix " + safetensors::detail::quote(prefix);
}

template <has_state Model>
void check_names(Model& model, safetensors::file const& file, std::string const& prefix) {
  std::unordered_set<std::string> known;
  std::vector<std::string> missing, extra;
  for_each_state(model, [&](auto const& each) {
    known.insert(each.name);
    if (!file.contains(prefix + each.name)) missing.push_back(each.name);
  });
  if (!missing.empty())
    fail(file.name(), " lacks ", first_names(missing), under(prefix), " of the model's ", known.size(), " tensors; ",
         prefixes_for(missing.front(), file));
  for (auto const& tensor : file.entries()) {
    if (!tensor.name.starts_with(prefix) || tensor.name.ends_with("num_batches_tracked")) continue;
    std::string_view name = std::string_view(tensor.name).substr(prefix.size());
    for (auto const beside : {mask_prefix, momentum_prefix})
      if (name.starts_with(beside)) name.remove_prefix(beside.size());
    if (!known.contains(std::string(name))) extra.push_back(tensor.name);
  }
  if (!extra.empty())
    fail(file.name(), " also holds ", first_names(extra), ", which the model does not have; load a file of the same architecture",
         prefix.empty() ? ", or name the prefix of its part" : "");
}

/// The tensor of one parameter from the file, checked for shape and finite values.
template <class T>
[[nodiscard]] T read_parameter(parameter<T> const& into, safetensors::file const& file, std::string const& prefix) {
  auto const& about = file.info(prefix + into.name);
  if (auto const expected = shape_of(*into.value); about.shape != expected)
    fail(file.name(), ": ", safetensors::detail::quote(about.name), " has shape ", list(about.shape), " where the model has ",
         list(expected), "; load a file of the same architecture");
  auto const values = file.template read<value_type<T>>(about.name);
  if (auto const bad = count_nonfinite(std::span(values)); bad != 0)
    fail(file.name(), ": ", safetensors::detail::quote(about.name), " holds ", bad, " values of ", values.size(),
         " that are NaN or infinite; every value must be finite");
  return make_tensor<T>(about.shape, values, *into.value);
}

}  // namespace detail

/// Fills the model from the tensors named `prefix` + parameter name. All or nothing: the model changes only after
/// every name, shape and value was found good. Tensors under the prefix that the model does not know are an error
/// (`num_batches_tracked` and masks or momentum of known parameters aside). Needs memory for a second copy of the model.
template <has_state Model>
void load_state_dict(Model& model, safetensors::file const& file, std::string const& prefix = "") {
  detail::check_names(model, file, prefix);
  using tensor_type = std::remove_cvref_t<decltype(*std::begin(model.parameters())->value)>;
  std::vector<tensor_type> loaded;
  detail::for_each_state(model, [&](auto const& each) { loaded.push_back(detail::read_parameter(each, file, prefix)); });
  auto next = loaded.begin();
  detail::for_each_state(model, [&](auto const& each) { assign(*each.value, *next++); });
}

template <has_state Model>
void load_state_dict(Model& model, std::filesystem::path const& path, std::string const& prefix = "") {
  load_state_dict(model, safetensors::open(path), prefix);
}

/// Adds each mask as U8 under `mask.` + parameter name.
inline void add_masks(safetensors::writer& writer, mask_set const& masks) {
  for (auto const& each : masks) {
    std::vector<std::uint8_t> kept(each.size());
    for (std::size_t i = 0; i != kept.size(); ++i) kept[i] = each[i];
    writer.add(std::string(mask_prefix) + each.name(), each.extents(), std::move(kept));
  }
}

/// Adds every parameter and buffer under its name, as F32 or F64, and the masks. The writer looks at the model's values until it has
/// written.
template <has_state Model>
void add_state_dict(safetensors::writer& writer, Model& model, mask_set const& masks = {}) {
  detail::for_each_state(model, [&](auto const& each) {
    using T = std::remove_cvref_t<decltype(*each.value)>;
    if constexpr (host_tensor<T>)
      writer.add(each.name, shape_of(*each.value), tensor_traits<T>::view(std::as_const(*each.value)));
    else
      writer.add(each.name, shape_of(*each.value), values_of(*each.value));
  });
  add_masks(writer, masks);
}

/// Writes the model, and the masks if there are any, as one file.
template <has_state Model>
void save_state_dict(Model& model, std::filesystem::path const& path, mask_set const& masks = {}) {
  safetensors::writer writer;
  add_state_dict(writer, model, masks);
  writer.save(path);
}

/// One mask of a file; `name` is the parameter's. Its values must be 0 and 1.
[[nodiscard]] inline mask load_mask(safetensors::file const& file, std::string const& name) {
  auto const tensor = std::string(mask_prefix) + name;
  auto const kept = file.read<std::uint8_t>(tensor);
  mask result(name, file.info(tensor).shape, false);
  for (std::size_t i = 0; i != kept.size(); ++i) {
    if (kept[i] > 1) fail(file.name(), ": ", tensor, " holds ", +kept[i], " at ", i, "; a mask holds 0 and 1");
    result.set(i, kept[i] != 0);
  }
  return result;
}

/// The masks of a file, by name.
[[nodiscard]] inline mask_set load_masks(safetensors::file const& file) {
  std::vector<std::string> names;
  for (auto const& tensor : file.entries())
    if (tensor.name.starts_with(mask_prefix)) names.push_back(tensor.name.substr(mask_prefix.size()));
  std::ranges::sort(names);
  mask_set masks;
  for (auto const& name : names) masks.add(load_mask(file, name));
  return masks;
}

/// The masks of a file in the order of the model's parameters, each of its parameter's shape.
template <has_state Model>
[[nodiscard]] mask_set load_masks(Model& model, safetensors::file const& file) {
  mask_set masks;
  for (auto const& each : model.parameters()) {
    if (!file.contains(std::string(mask_prefix) + each.name)) continue;
    auto loaded = load_mask(file, each.name);
    if (loaded.extents() != shape_of(*each.value))
      fail(file.name(), ": the mask of ", each.name, " has shape ", list(loaded.extents()), " where the model has ",
           list(shape_of(*each.value)), "; load the masks of the same architecture");
    masks.add(std::move(loaded));
  }
  auto const is_mask = [](auto const& tensor) { return tensor.name.starts_with(mask_prefix); };
  if (auto const held = std::ranges::count_if(file.entries(), is_mask); masks.size() != static_cast<std::size_t>(held))
    fail(file.name(), " holds ", held, " masks, of which the model knows ", masks.size(),
         "; load the masks of the same architecture");
  return masks;
}

}  // namespace lnpt::io
