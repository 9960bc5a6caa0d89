#pragma once
/// Writing safetensors files.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/safetensors_header.hpp>

namespace lnpt::io::safetensors {

/// Collects tensors and metadata, then writes them as one file, the widest dtype first and then by name, as Python's writer does.
///
///     io::safetensors::writer w;
///     w.add("weight", {2, 3}, std::span(values));     // looks at values until save
///     w.add("mask", {6}, std::vector<std::uint8_t>{…});   // keeps them
///     w.metadata("epoch", "12");
///     w.save("model.safetensors");
class writer {
 public:
  /// Adds a tensor that must stay alive and unchanged until the file is written.
  template <class T>
    requires storable<std::remove_const_t<T>>
  void add(std::string name, shape extents, std::span<T> values) {
    add(std::move(name), std::move(extents), dtype_of<std::remove_const_t<T>>(), values.size(), std::as_bytes(values), nullptr);
  }

  /// Adds a tensor and keeps it: move a vector in to spare a copy.
  template <storable T>
    requires(!std::same_as<T, bool>)
  void add(std::string name, shape extents, std::vector<T> values) {
    auto owner = std::make_shared<std::vector<T> const>(std::move(values));
    auto const bytes = std::as_bytes(std::span(*owner));
    add(std::move(name), std::move(extents), dtype_of<T>(), owner->size(), bytes, owner);
  }

  /// Adds a tensor of any dtype by its bytes as the file stores them, and keeps them.
  void add_stored(std::string name, shape extents, dtype type, std::vector<std::byte> bytes) {
    auto owner = std::make_shared<std::vector<std::byte> const>(std::move(bytes));
    auto const bits = std::uint64_t{owner->size()} * 8;
    if (std::uint64_t{element_count(extents)} * bits_of(type) != bits)
      fail("tensor ", in_quotes(name), " of shape ", list(extents), " and dtype ", name_of(type), " needs ",
           std::uint64_t{element_count(extents)} * bits_of(type), " bits, not ", bits, ": pass its bytes, all of them");
    auto const count = element_count(extents);
    add(std::move(name), std::move(extents), type, count, *owner, owner);
  }

  /// Sets one line of metadata; "format" is "pt" unless it is set here.
  void metadata(std::string const& key, std::string value) { metadata_[key] = std::move(value); }

  /// Writes the file; an older one of that name is replaced only by a complete new one.
  void save(std::filesystem::path const& path) const {
    auto const [head, order] = layout();
    atomic_file file(path);
    file.write(std::as_bytes(std::span(head)));
    for (auto const* each : order) file.write(each->bytes);
    file.commit();
  }

  /// What `save` would write: a copy of everything.
  [[nodiscard]] std::vector<std::byte> bytes() const {
    auto const [head, order] = layout();
    auto const front = std::as_bytes(std::span(head));
    std::vector<std::byte> all(front.begin(), front.end());
    for (auto const* each : order) all.insert(all.end(), each->bytes.begin(), each->bytes.end());
    return all;
  }

 private:
  struct item {
    io::dtype dtype;
    lnpt::shape shape;
    std::span<std::byte const> bytes;
    std::shared_ptr<void const> owner;
  };

  void add(std::string name, shape extents, dtype type, std::size_t count, std::span<std::byte const> bytes,
           std::shared_ptr<void const> owner) {
    if (element_count(extents) != count)
      fail("tensor ", in_quotes(name), " of shape ", list(extents), " has ", element_count(extents), " elements, not ", count,
           ": pass as many values");
    if (name == metadata_key || items_.contains(name))
      fail("tensor name ", in_quotes(name), " is taken: give each tensor a name of its own");
    items_.emplace(std::move(name), item{type, std::move(extents), bytes, std::move(owner)});
  }

  /// The length and the JSON header, padded so that the data begin at a multiple of 8, and the tensors in their order.
  [[nodiscard]] std::pair<std::string, std::vector<item const*>> layout() const {
    std::vector<std::pair<std::string const, item> const*> order;
    order.reserve(items_.size());
    for (auto const& each : items_) order.push_back(&each);
    std::ranges::sort(order, [](auto const* a, auto const* b) {
      return std::tie(b->second.dtype, a->first) < std::tie(a->second.dtype, b->first);
    });

    nlohmann::ordered_json json;
    json[std::string(metadata_key)] = metadata_;
    std::vector<item const*> items;
    std::uint64_t offset = 0;
    for (auto const* each : order) {
      auto const& [name, tensor] = *each;
      json[name] = {
          {"dtype", name_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes.size()}}};
      offset += tensor.bytes.size();
      items.push_back(&tensor);
    }
    return {framed(json), std::move(items)};
  }

  [[nodiscard]] static std::string framed(nlohmann::ordered_json const& json) {
    std::string text;
    try {
      text = json.dump();
    } catch (nlohmann::json::exception const& reason) {
      fail("a tensor name or metadata is not UTF-8 (", reason.what(), "): pass names and metadata in UTF-8");
    }
    text.append((8 - text.size() % 8) % 8, ' ');
    if (text.size() > max_header_bytes)
      fail("the header would have ", text.size(), " bytes: write fewer tensors or metadata, up to ", max_header_bytes);
    std::uint64_t const size = text.size();
    auto const length = std::as_bytes(std::span(&size, 1));
    std::string head(sizeof size, '\0');
    std::ranges::copy(length, std::as_writable_bytes(std::span(head)).begin());
    return head + text;
  }

  std::map<std::string, item> items_;
  std::map<std::string, std::string> metadata_{{"format", "pt"}};
};

}  // namespace lnpt::io::safetensors
