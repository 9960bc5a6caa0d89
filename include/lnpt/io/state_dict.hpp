#pragma once
/// A model's parameters and buffers, and its masks, to and from a safetensors file.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/state.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/io/computed_weights.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::io {

/// A model that shows its state as ranges of `lnpt::parameter`.
template <class Model>
concept has_state = requires(Model& model) {
  model.parameters();
  model.buffers();
};

namespace detail {

/// A model with more state than its parameters and buffers: state_entry.
template <class Model>
concept has_whole_state = requires(Model& model) {
  { *std::begin(model.state()) } -> std::convertible_to<state_entry const&>;
};

/// Calls `use` for each tensor of the state: of the whole state where the model shows it, else each parameter, then each buffer.
template <has_state Model, class Use>
void for_each_state(Model& model, Use use) {
  if constexpr (has_whole_state<Model>) {
    for (auto&& each : model.state()) use(each);
  } else {
    for (auto&& each : model.parameters()) use(each);
    for (auto&& each : model.buffers()) use(each);
  }
}

/// Where the file may hold what was sought: the prefixes under which it has `name`, else those up to the first dot of its names.
[[nodiscard]] inline std::string prefixes_for(std::string const& name, safetensors::file const& file) {
  std::set<std::string> holding;
  std::set<std::string> leading;
  for (auto const& tensor : file.entries()) {
    if (tensor.name.ends_with('.' + name)) holding.insert(tensor.name.substr(0, tensor.name.size() - name.size()));
    if (auto const dot = tensor.name.find('.'); dot != std::string::npos) leading.insert(tensor.name.substr(0, dot + 1));
  }
  auto const& prefixes = holding.empty() ? leading : holding;
  return prefixes.empty() ? "its names have no prefix" : "its prefixes are " + first_names({prefixes.begin(), prefixes.end()});
}

/// Whether a tensor may lie in a file without being the model's: counters of batch norm, of which this library has no use.
[[nodiscard]] inline bool is_counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

/// Whether a file may lack this tensor of a model's: a counter, or a further name of a tensor that the file has under another.
template <class Model, class Entry>
[[nodiscard]] bool may_be_missing(Model& model, Entry const& entry, tensor_names const& names) {
  if constexpr (has_whole_state<Model>) {
    auto const state = model.state();
    return is_counter(entry.name) || std::ranges::any_of(state, [&](state_entry const& other) {
             return other.tensor == entry.tensor && names.find(other.name) != nullptr;
           });
  } else {
    return false;
  }
}

/// Refuses a file that lacks a tensor of the model, or holds one that the model does not have; both lists stand in one sentence.
template <has_state Model>
void check_names(Model& model, safetensors::file const& file, tensor_names const& names, state_dict_options const& options) {
  std::unordered_set<std::string> known;
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  for_each_state(model, [&](auto const& each) {
    known.insert(each.name);
    if (names.find(each.name) == nullptr && !may_be_missing(model, each, names)) missing.push_back(each.name);
  });
  refuse_computed(file, names, known);
  for (auto const& [name, stored] : names.all()) {
    auto const beside = prefix_beside(name);
    if (beside == hook_prefix || is_counter(name)) continue;
    if (!known.contains(name.substr(beside.size()))) extra.push_back(stored);
  }
  auto const under = options.prefix.empty() ? std::string() : " under the prefix " + in_quotes(options.prefix);
  auto const also = extra.empty() ? std::string() : ", and holds " + first_names(extra) + ", which the model does not have";
  if (!missing.empty())
    lnpt::detail::throw_text<unmatched_names>(file.name(), " lacks ", first_names(missing), under, " of the model's ",
                                              known.size(), " tensors", also, "; ", prefixes_for(missing.front(), file),
                                              extra.empty() ? "" : ", and names that differ can be renamed");
  if (!extra.empty() && !options.ignore_extra)
    lnpt::detail::throw_text<unmatched_names>(
        file.name(), " also holds ", first_names(extra), ", which the model does not have; load a file of the same architecture",
        options.prefix.empty() ? ", name the prefix of its part" : "", ", or ignore what is extra");
}

/// The numbers of one tensor of the file, checked for shape and, where they must be, for finite values.
template <class Number>
[[nodiscard]] std::vector<Number> read_numbers(safetensors::file const& file, std::string const& stored, shape const& expected,
                                               bool finite = true) {
  auto const& about = file.info(stored);
  auto const counts = expected.empty() && about.shape == shape{1};  // some writers give a number an axis
  if (about.shape != expected && !counts)
    fail(file.name(), ": ", in_quotes(about.name), " has shape ", list(about.shape), " where the model has ", list(expected),
         "; load a file of the same architecture");
  auto values = file.template read<Number>(about.name);
  if constexpr (std::floating_point<Number>)
    if (auto const bad = finite ? count_nonfinite(std::span<Number const>(values)) : 0; bad != 0)
      fail(file.name(), ": ", in_quotes(about.name), " holds ", bad, " values of ", values.size(),
           " that are NaN or infinite; every value must be finite");
  return values;
}

/// A tensor of the file as one like the model's parameter `like`.
template <class T>
[[nodiscard]] T read_parameter(parameter<T> const& like, safetensors::file const& file, std::string const& stored) {
  auto const extents = shape_of(*like.value);
  return make_tensor<T>(extents, read_numbers<value_type<T>>(file, stored, extents), *like.value);
}

/// What gives a tensor of the model the file's values, which are read and found good at once.
template <class T>
[[nodiscard]] std::function<void()> assignment(parameter<T> const& into, safetensors::file const& file,
                                               std::string const& stored) {
  return [value = into.value, loaded = read_parameter(into, file, stored)] { assign(*value, loaded); };
}
[[nodiscard]] inline std::function<void()> assignment(state_entry const& into, safetensors::file const& file,
                                                      std::string const& stored) {
  if (into.assign_reals)
    return
        [assign = into.assign_reals, loaded = read_numbers<double>(file, stored, into.extents, into.finite)] { assign(loaded); };
  return [assign = into.assign_integers, loaded = read_numbers<std::int64_t>(file, stored, into.extents)] { assign(loaded); };
}

}  // namespace detail

/// Fills the model from the file's tensors of its names. All or nothing: the model changes only after every name, shape and value was
/// found good. Tensors under the prefix that the model does not know are an error unless they are to be ignored (`num_batches_tracked`
/// and masks or momentum of known parameters aside). Needs memory for a second copy of the model.
template <has_state Model>
void load_state_dict(Model& model, safetensors::file const& file, state_dict_options const& options) {
  tensor_names const names(file, options);
  detail::check_names(model, file, names, options);
  std::vector<std::function<void()>> assignments;
  detail::for_each_state(model, [&](auto const& each) {
    if (auto const* const stored = names.find(each.name)) assignments.push_back(detail::assignment(each, file, *stored));
  });
  for (auto const& assign_it : assignments) assign_it();
}

/// The same where names differ by a prefix at most.
template <has_state Model>
void load_state_dict(Model& model, safetensors::file const& file, std::string const& prefix = "") {
  load_state_dict(model, file, state_dict_options{.prefix = prefix});
}

template <has_state Model>
void load_state_dict(Model& model, std::filesystem::path const& path, std::string const& prefix = "") {
  load_state_dict(model, safetensors::open(path), prefix);
}

/// Adds a mask as U8 under `mask.` + name, in its own shape or another of as many elements.
inline void add_mask(safetensors::writer& writer, std::string const& name, mask const& kept, shape const& extents) {
  std::vector<std::uint8_t> bytes(kept.size());
  for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = kept[i];
  writer.add(std::string(mask_prefix) + name, extents, std::move(bytes));
}
inline void add_mask(safetensors::writer& writer, std::string const& name, mask const& kept) {
  add_mask(writer, name, kept, kept.extents());
}

/// Adds each mask under its parameter's name.
inline void add_masks(safetensors::writer& writer, mask_set const& masks) {
  for (auto const& each : masks) add_mask(writer, each.name(), each);
}

/// Adds every parameter and buffer under its name, as F32 or F64, and the masks, if there are any; the whole state of a model that shows it,
/// in its own number types. The writer looks at the model's values until it has written.
template <has_state Model>
void add_state_dict(safetensors::writer& writer, Model& model, mask_set const& masks = {}) {
  detail::for_each_state(model, [&](auto const& each) {
    if constexpr (detail::has_whole_state<Model>) {
      writer.add_stored(each.name, each.extents, dtype_named(each.dtype).value(), each.bytes());
    } else {
      using T = std::remove_cvref_t<decltype(*each.value)>;
      if constexpr (host_tensor<T>)
        writer.add(each.name, shape_of(*each.value), tensor_traits<T>::view(std::as_const(*each.value)));
      else
        writer.add(each.name, shape_of(*each.value), values_of(*each.value));
    }
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

namespace detail {
/// The mask called `name` from the file's tensor `stored`, in this shape. Its values must be 0 and 1.
[[nodiscard]] inline mask read_mask(safetensors::file const& file, std::string const& stored, std::string name, shape extents) {
  auto const kept = file.read<std::uint8_t>(stored);
  mask result(std::move(name), std::move(extents), false);
  for (std::size_t i = 0; i != kept.size(); ++i) {
    if (kept[i] > 1) fail(file.name(), ": ", stored, " holds ", +kept[i], " at ", i, "; a mask holds 0 and 1");
    result.set(i, kept[i] != 0);
  }
  return result;
}
}  // namespace detail

/// One mask of a file; `name` is the parameter's. Its values must be 0 and 1.
[[nodiscard]] inline mask load_mask(safetensors::file const& file, std::string const& name) {
  auto const stored = std::string(mask_prefix) + name;
  return detail::read_mask(file, stored, name, file.info(stored).shape);
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

/// The masks of a file in the order of the model's parameters, each of its parameter's shape but for axes of extent 1, which an exported
/// network has more of.
template <has_state Model>
[[nodiscard]] mask_set load_masks(Model& model, safetensors::file const& file, state_dict_options const& options = {}) {
  tensor_names const names(file, options);
  mask_set masks;
  for (auto const& each : model.parameters()) {
    auto const* const stored = names.find(std::string(mask_prefix) + each.name);
    if (stored == nullptr) continue;
    auto const& extents = file.info(*stored).shape;
    auto expected = shape_of(*each.value);
    if (!same_but_for_ones(extents, expected))
      fail(file.name(), ": the mask of ", each.name, " has shape ", list(extents), " where the model has ", list(expected),
           "; load the masks of the same architecture");
    masks.add(detail::read_mask(file, *stored, each.name, std::move(expected)));
  }
  auto const is_mask = [](auto const& tensor) { return tensor.name.starts_with(mask_prefix); };
  if (auto const held = std::ranges::count_if(file.entries(), is_mask); masks.size() != static_cast<std::size_t>(held))
    lnpt::detail::throw_text<unmatched_names>(file.name(), " holds ", held, " masks, of which the model knows ", masks.size(),
                                              "; load the masks of the same architecture");
  return masks;
}

}  // namespace lnpt::io
