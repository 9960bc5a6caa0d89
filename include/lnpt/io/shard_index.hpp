#pragma once
/// The index of a model whose tensors lie in several safetensors files, read without trusting it.
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/in_quotes.hpp>

namespace lnpt::io {

namespace detail {

/// Follows the grammar of an index and skips what else stands beside `weight_map`:
///
///     { "weight_map": {tensor: file…}, "metadata": anything… }
class shard_index_reader {
 public:
  shard_index_reader(std::string_view file, std::map<std::string, std::string>& shards) : file_(file), shards_(shards) {}

  [[nodiscard]] bool found() const { return found_; }

  bool key(std::string& name) {
    if (depth_ == 1) {
      in_map_ = name == "weight_map";
      if (in_map_ && std::exchange(found_, true)) fail(file_, ": the key \"weight_map\" appears twice; an index has it once");
    } else if (in_map_ && depth_ == 2) {
      if (shards_.contains(name)) fail(file_, ": the tensor ", in_quotes(name), " appears twice; an index has each once");
      tensor_ = std::move(name);
    }
    return true;
  }
  bool start_object(std::size_t) { return nest(); }
  bool end_object() { return --depth_, true; }
  bool start_array(std::size_t) {
    if (depth_ == 0) fail(file_, " is a JSON array; an index is one object with a weight_map");
    return nest();
  }
  bool end_array() { return --depth_, true; }
  bool string(std::string& text) {
    if (!in_map_) return true;
    if (depth_ != 2) misplaced();
    auto const is_plain = !text.empty() && text.find_first_of("/\\") == std::string::npos && text != "." && text != "..";
    if (!is_plain || text.find('\0') != std::string::npos)
      fail(file_, ": the file of ", in_quotes(tensor_), " is called ", in_quotes(text), "; shards lie beside their index");
    shards_.emplace(std::exchange(tensor_, {}), std::move(text));
    return true;
  }
  bool number_unsigned(std::uint64_t) { return value(); }
  bool number_integer(std::int64_t) { return value(); }
  bool number_float(double, std::string const&) { return value(); }
  bool boolean(bool) { return value(); }
  bool null() { return value(); }
  bool binary(nlohmann::json::binary_t&) { return value(); }
  bool parse_error(std::size_t position, std::string const&, nlohmann::detail::exception const&) {
    fail(file_, ": byte ", position - (position > 0), " breaks the index's JSON; an index is one JSON object in UTF-8");
  }

 private:
  static constexpr int deepest = 64;

  bool nest() {
    if (in_map_ && depth_ >= 2) misplaced();
    if (++depth_ > deepest) fail(file_, " nests deeper than ", deepest, " levels; an index has three");
    return true;
  }
  bool value() const {
    if (in_map_) misplaced();
    if (depth_ == 0) fail(file_, " is no JSON object; an index has a weight_map");
    return true;
  }
  [[noreturn]] void misplaced() const {
    fail(file_, ": the weight_map gives ", in_quotes(tensor_), " something that is no file name; it maps tensors to files");
  }

  std::string_view file_;
  std::map<std::string, std::string>& shards_;
  std::string tensor_;
  int depth_ = 0;
  bool in_map_ = false, found_ = false;
};

}  // namespace detail

inline constexpr std::uint64_t max_index_bytes = 256'000'000;

/// Which file beside the index holds each tensor, by name.
[[nodiscard]] inline std::map<std::string, std::string> read_shard_index(byte_source const& source) {
  if (source.size() > max_index_bytes)
    fail(source.name(), " has ", source.size(), " bytes; an index of shards has at most ", max_index_bytes);
  std::string text(static_cast<std::size_t>(source.size()), '\0');
  source.read(0, std::as_writable_bytes(std::span(text)));
  std::map<std::string, std::string> shards;
  detail::shard_index_reader reader(source.name(), shards);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  if (!reader.found()) fail(source.name(), " has no weight_map; an index of shards maps each tensor to its file");
  return shards;
}

}  // namespace lnpt::io
