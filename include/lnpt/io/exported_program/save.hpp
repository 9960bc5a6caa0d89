#pragma once
/// Writing an exported program again, with its weights pruned.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/stored_tensor.hpp>
#include <lnpt/io/pruned_copy.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/zip/writer.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::io::exported {

namespace detail {

/// The mask of a tensor, or null; a tensor with several names is known to networks by the first.
[[nodiscard]] inline mask const* mask_of(std::size_t tensor, program const& source, mask_set const& masks) {
  auto const& first = source.tensors()[source.canonical(tensor)];
  auto const* const found = masks.find(first.name);
  if (found && found->size() != first.size())
    fail(source.name(), ": the mask of ", first.name, " has shape ", list(found->extents()), " where the file has ",
         list(first.extents), "; pass masks that were made for this network");
  return found;
}

/// Refuses masks of parameters that the file does not hold.
inline void check_masks(program const& source, mask_set const& masks) {
  for (auto const& each : masks)
    if (std::ranges::find(source.tensors(), each.name(), &stored_tensor::name) == source.tensors().end())
      fail(source.name(), " holds no tensor ", each.name(),
           " for the mask of that name; pass masks that were made for this network");
}

/// The elements of a tensor as they are stored, row-major.
[[nodiscard]] inline std::vector<std::byte> stored_bytes(program const& source, stored_tensor const& tensor) {
  auto storage = source.archive().read(*tensor.storage);
  if (is_whole_entry(tensor)) return storage;
  auto const width = bits_of(tensor.dtype) / 8;
  std::vector<std::byte> result(tensor.size() * width);
  for_each_element(tensor, [&](std::size_t i, std::size_t place) {
    std::memcpy(result.data() + i * width, storage.data() + place * width, width);
  });
  return result;
}

/// The paths of the author's sources, which say nothing about the network.
inline void remove_stack_traces(json& at) {
  if (at.is_object()) at.erase("stack_trace");
  if (at.is_structured())
    for (auto& each : at) remove_stack_traces(each);
}

}  // namespace detail

/// Writes the program as the archive it came in, with the weights that masks prune set to zero: names, dtypes, strides and order of
/// bytes stay, so that `torch.export.load` reads it as it read the first. What PyTorch notes about the author's source files is left
/// out.
inline void save(program const& source, mask_set const& masks, std::filesystem::path const& path) {
  detail::check_masks(source, masks);
  std::unordered_map<zip::entry const*, std::vector<std::size_t>> pruned;  // the tensors of each storage
  for (std::size_t i = 0; i < source.tensors().size(); ++i)
    if (source.canonical(i) == i && detail::mask_of(i, source, masks)) pruned[source.tensors()[i].storage].push_back(i);

  auto graph = source.document();
  detail::remove_stack_traces(graph);
  auto const text = graph.dump();
  zip::writer writer(path);
  for (auto const& entry : source.archive().entries()) {
    if (entry.name == source.root() + program::graph_entry) {
      writer.add(entry.name, std::as_bytes(std::span(text)));
      continue;
    }
    auto bytes = source.archive().read(entry);
    if (auto const found = pruned.find(&entry); found != pruned.end())
      for (auto const i : found->second) {
        auto const& tensor = source.tensors()[i];
        auto const& kept = *detail::mask_of(i, source, masks);
        auto const width = bits_of(tensor.dtype) / 8;
        detail::for_each_element(tensor, [&](std::size_t index, std::size_t place) {
          if (!kept[index]) std::memset(bytes.data() + place * width, 0, width);  // +0 in every dtype of the format
        });
      }
    writer.add(entry.name, bytes);
  }
  writer.commit();
}

/// Adds the tensors of the state_dict, each under all of its names, with the weights that masks prune set to zero: what
/// `load_state_dict` takes as it is.
inline void add_state_dict(safetensors::writer& writer, program const& source, mask_set const& masks) {
  detail::check_masks(source, masks);
  for (std::size_t i = 0; i < source.state_size(); ++i) {
    auto const& tensor = source.tensors()[i];
    auto bytes = detail::stored_bytes(source, tensor);
    if (auto const* const kept = detail::mask_of(i, source, masks)) clear_pruned_bytes(bytes, bits_of(tensor.dtype) / 8, *kept);
    writer.add_stored(tensor.name, tensor.extents, tensor.dtype, std::move(bytes));
  }
}

}  // namespace lnpt::io::exported
