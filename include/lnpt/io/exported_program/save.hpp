#pragma once
/// Writing an exported program again, with other values of its tensors.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/exported_program/new_values.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/stored_tensor.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/zip/writer.hpp>

namespace lnpt::io::exported {

namespace detail {

/// The elements of a tensor as they are stored, row-major, from the bytes of its entry.
[[nodiscard]] inline std::vector<std::byte> gathered(stored_tensor const& tensor, std::span<std::byte const> storage) {
  auto const width = bits_of(tensor.dtype) / 8;
  std::vector<std::byte> result(tensor.size() * width);
  for_each_element(tensor, [&](std::size_t i, std::size_t place) {
    std::memcpy(result.data() + i * width, storage.data() + place * width, width);
  });
  return result;
}

/// A tensor of the program as it is stored, but for what changes.
[[nodiscard]] inline std::vector<std::byte> stored_bytes(program const& source, std::size_t at, changes const& changed) {
  auto const& tensor = source.tensors()[at];
  auto bytes = source.archive().read(*tensor.storage);
  if (!is_whole_entry(tensor)) bytes = gathered(tensor, bytes);
  if (auto const found = changed.find(source.canonical(at)); found != changed.end()) found->second(bytes);
  return bytes;
}

/// Changes tensors in the bytes of the entry that they lie in. Two tensors that share elements must leave them the same.
inline void change_entry(program const& source, std::vector<std::size_t> const& tensors, changes const& changed,
                         std::span<std::byte> bytes) {
  std::vector<std::byte> const original(bytes.begin(), bytes.end());
  std::vector<char> written(bytes.size());
  for (auto const at : tensors) {
    auto const& tensor = source.tensors()[at];
    auto const width = bits_of(tensor.dtype) / 8;
    auto values = gathered(tensor, original);
    changed.at(at)(values);
    for_each_element(tensor, [&](std::size_t i, std::size_t place) {
      for (auto b = place * width; b != (place + 1) * width; ++b) {
        auto const value = values[i * width + b - place * width];
        if (std::exchange(written[b], 1) && bytes[b] != value)
          fail(source.name(), ": tensor ", tensor.name, " shares elements of entry ", tensor.storage->name,
               " with a tensor that has other values now; export the network with a storage for each");
        bytes[b] = value;
      }
    });
  }
}

/// The paths of the author's sources, which say nothing about the network.
inline void remove_stack_traces(json& at) {
  if (at.is_object()) at.erase("stack_trace");
  if (at.is_structured())
    for (auto& each : at) remove_stack_traces(each);
}

/// Entries that are written with other bytes, by their names.
using new_entries = std::map<std::string, std::vector<std::byte>>;

/// The bytes of a JSON document, as an entry.
[[nodiscard]] inline std::vector<std::byte> bytes_of(json const& document) {
  auto const text = document.dump();
  auto const bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Writes the archive again, with new bytes of some entries, other values of tensors in the rest, and what is new at the end.
inline void write_archive(program const& source, new_entries const& entries, changes const& changed,
                          std::filesystem::path const& path) {
  std::map<zip::entry const*, std::vector<std::size_t>> by_entry;
  for (auto const& [at, how] : changed) by_entry[source.tensors()[at].storage].push_back(at);
  zip::writer writer(path);
  for (auto const& entry : source.archive().entries()) {
    if (auto const found = entries.find(entry.name); found != entries.end()) {
      writer.add(entry.name, found->second);
      continue;
    }
    auto bytes = source.archive().read(entry);
    if (auto const found = by_entry.find(&entry); found != by_entry.end()) {
      std::ranges::sort(found->second);
      change_entry(source, found->second, changed, bytes);
    }
    writer.add(entry.name, bytes);
  }
  for (auto const& [name, bytes] : entries)
    if (source.archive().find(name) == nullptr) writer.add(name, bytes);
  writer.commit();
}

}  // namespace detail

/// Writes the program as the archive it came in, with other values: names, dtypes, strides and order of bytes stay, so that
/// `torch.export.load` reads it as it read the first. What PyTorch notes about the author's source files is left out.
inline void save(program const& source, changes const& changed, std::filesystem::path const& path) {
  auto graph = source.document();
  detail::remove_stack_traces(graph);
  detail::write_archive(source, {{source.root() + program::graph_entry, detail::bytes_of(graph)}}, changed, path);
}

/// Adds the tensors of the state_dict, each under all of its names, with other values: what `load_state_dict` takes as it is.
inline void add_state_dict(safetensors::writer& writer, program const& source, changes const& changed) {
  if (!source.unread_state().empty())
    fail(source.name(), ": its state_dict holds ", source.unread_state().front(),
         ": write the network to .pt2, which keeps all of it");
  for (std::size_t i = 0; i < source.state_size(); ++i)
    writer.add_stored(source.tensors()[i].name, source.tensors()[i].extents, source.tensors()[i].dtype,
                      detail::stored_bytes(source, i, changed));
}

}  // namespace lnpt::io::exported
