#pragma once
/// Reading safetensors files: every rule of the format is enforced before a tensor can be asked for.
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/convert_values.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/foreign_file.hpp>
#include <lnpt/io/safetensors_header.hpp>
#include <lnpt/io/safetensors_writer.hpp>

namespace lnpt::io::safetensors {

/// An open file whose layout has been checked; tensors are read from it when asked for, straight into their vectors.
class file {
 public:
  /// Reads and checks the header; throws `lnpt::error` naming the file and the tensor or byte.
  explicit file(byte_source source) : source_(std::move(source)) {
    std::uint64_t header_bytes = 0;
    if (source_.size() < sizeof header_bytes)
      fail(name(), " has ", source_.size(), " bytes; a safetensors file begins with the 8-byte length of its header");
    source_.read(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
    if (header_bytes > max_header_bytes) refuse_foreign();
    if (header_bytes > max_header_bytes)
      fail(name(), ": a header of ", header_bytes, " bytes is too long; a safetensors header has at most ", max_header_bytes);
    if (header_bytes > source_.size() - sizeof header_bytes) refuse_foreign();
    if (header_bytes > source_.size() - sizeof header_bytes)
      fail(name(), ": a header of ", header_bytes, " bytes passes the end of the file of ", source_.size(),
           " bytes; the file must be complete");
    std::string text(static_cast<std::size_t>(header_bytes), '\0');
    source_.read(sizeof header_bytes, std::as_writable_bytes(std::span(text)));
    data_ = sizeof header_bytes + header_bytes;
    header_ = read_header(text, source_.size() - data_, name());
    for (std::size_t i = 0; i != header_.entries.size(); ++i) index_.emplace(header_.entries[i].name, i);
  }

  /// The path, for messages.
  [[nodiscard]] std::string const& name() const { return source_.name(); }
  [[nodiscard]] std::map<std::string, std::string> const& metadata() const { return header_.metadata; }
  /// The tensors in the order of their bytes.
  [[nodiscard]] std::vector<entry> const& entries() const { return header_.entries; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (auto const& tensor : entries()) names.push_back(tensor.name);
    return names;
  }
  [[nodiscard]] bool contains(std::string_view tensor) const { return index_.contains(std::string(tensor)); }

  /// dtype and shape of a tensor.
  [[nodiscard]] entry const& info(std::string_view tensor) const {
    auto const found = index_.find(std::string(tensor));
    if (found == index_.end()) fail(name(), " holds no tensor ", in_quotes(tensor), "; it holds ", first_names(names()));
    return entries()[found->second];
  }

  /// Fills `out` with the bytes of a tensor from `offset` on, as they are stored.
  void read_bytes(entry const& tensor, std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > tensor.end - tensor.begin || out.size() > tensor.end - tensor.begin - offset)
      fail(name(), ": tensor ", in_quotes(tensor.name), " has ", tensor.end - tensor.begin, " bytes; read inside of them");
    source_.read(data_ + tensor.begin + offset, out);
  }

  /// Where the bytes of the first tensor begin.
  [[nodiscard]] std::uint64_t data_offset() const { return data_; }
  /// A copy of what stands before it: the header and its length, as they are stored.
  [[nodiscard]] std::vector<std::byte> header_bytes() const {
    std::vector<std::byte> bytes(static_cast<std::size_t>(data_));
    source_.read(0, bytes);
    return bytes;
  }

  /// The values, row-major, converted to `T`: any number to float or double, integers and booleans to an integer type that
  /// is at least as wide. NaN and infinity pass; see `count_nonfinite`.
  template <storable T>
    requires(!std::same_as<T, bool>)
  [[nodiscard]] std::vector<T> read(std::string_view tensor) const {
    std::vector<T> values(info(tensor).size());
    read<T>(tensor, values);
    return values;
  }

  /// The same into memory of the caller, which must have the tensor's size.
  template <storable T>
    requires(!std::same_as<T, bool>)
  void read(std::string_view tensor, std::span<T> out) const {
    auto const& about = info(tensor);
    if (out.size() != about.size())
      fail(name(), ": tensor ", in_quotes(tensor), " of shape ", list(about.shape), " holds ", about.size(), " values, not ",
           out.size(), "; pass a span of its size");
    auto converted = false;
    io::detail::with_stored_type(about.dtype, [&](auto tag) {
      using from = typename decltype(tag)::type;
      if constexpr (io::detail::convertible_values<from, T>) {
        read_as<from>(about, out);
        converted = true;
      }
    });
    if (!converted)
      fail(name(), ": tensor ", in_quotes(tensor), " of dtype ", name_of(about.dtype), " does not convert to ",
           name_of(dtype_of<T>()), "; save it as ", name_of(dtype_of<T>()));
  }

 private:
  /// Refuses a file that begins as one of another format does.
  void refuse_foreign() const {
    std::array<std::byte, sizeof(std::uint64_t)> first;
    source_.read(0, first);
    if (auto const* const format = recognize_foreign(first)) fail(name(), " is no safetensors file but ", format->sentence);
  }

  template <class From, class To>
  void read_as(entry const& about, std::span<To> out) const {
    auto offset = data_ + about.begin;
    if constexpr (std::same_as<From, To>) {
      source_.read(offset, std::as_writable_bytes(out));
    } else {
      constexpr std::size_t block = std::size_t{1} << 13;  // values: a few pages, converted while they are in cache
      std::vector<std::byte> bytes(std::min(block, out.size()) * sizeof(From));
      for (std::size_t done = 0; done < out.size(); done += block) {
        auto const part = out.subspan(done, std::min(block, out.size() - done));
        auto const stored = std::span(bytes).first(part.size() * sizeof(From));
        source_.read(offset, stored);
        if (auto const bad = io::detail::convert_values<From>(stored.data(), part); bad != part.size())
          fail(name(), ": tensor ", in_quotes(about.name), " holds at ", done + bad, " a value outside ", name_of(dtype_of<To>()),
               "; save it in that type");
        offset += stored.size();
      }
    }
  }

  byte_source source_;
  header header_;
  std::uint64_t data_ = 0;  // where the data begin
  std::unordered_map<std::string, std::size_t> index_;
};

/// Opens a file and checks it: `auto file = io::safetensors::open("model.safetensors");`
[[nodiscard]] inline file open(std::filesystem::path const& path) { return file(byte_source::open(path)); }

/// A file that lies in memory, which must outlive it; errors call it `name`.
[[nodiscard]] inline file view(std::span<std::byte const> bytes, std::string name = "memory") {
  return file(byte_source::view(bytes, std::move(name)));
}

}  // namespace lnpt::io::safetensors
