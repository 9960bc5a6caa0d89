#pragma once
/// The header of a safetensors file, read without trusting it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/in_quotes.hpp>
#include <lnpt/io/narrowed.hpp>

namespace lnpt::io::safetensors {

/// One tensor of a file.
struct entry {
  std::string name;
  io::dtype dtype = io::dtype::f32;
  lnpt::shape shape;
  std::uint64_t begin = 0;  ///< of its bytes, counted from the end of the header
  std::uint64_t end = 0;

  [[nodiscard]] std::size_t size() const { return element_count(shape); }
};

struct header {
  std::map<std::string, std::string> metadata;
  std::vector<entry> entries;  ///< in the order of their bytes
};

inline constexpr std::uint64_t max_header_bytes = 100'000'000;
inline constexpr std::uint64_t max_extent = std::uint64_t{1} << 48;
inline constexpr std::string_view metadata_key = "__metadata__";

namespace detail {

/// Follows the header's grammar, and nothing else that JSON allows:
///
///     { "__metadata__": {string: string…}, name: {"dtype": string, "shape": [n…], "data_offsets": [begin, end]}… }
///
/// so nesting is bounded by the places. A repeated key is refused, where the reference implementation (0.8.0) takes the last: which of
/// two tensors of one name was meant, no reader can know.
class header_reader {
 public:
  static constexpr std::size_t offset = 8;  ///< of the header in its file

  explicit header_reader(std::string_view file) : file_(file) {}

  [[nodiscard]] header take() && { return std::move(result_); }

  bool key(std::string& name) {
    if (at_ == place::top) return begin_member(std::move(name));
    if (at_ == place::tensor) return begin_field(name);
    if (!result_.metadata.try_emplace(name).second)
      refuse("the metadata key ", in_quotes(name), " appears twice; a safetensors header has each key once");
    metadata_key_ = std::move(name);
    return go(place::metadata_value);
  }
  bool start_object(std::size_t) {
    if (at_ == place::start) return go(place::top);
    if (at_ == place::member) return go(place::tensor);
    if (at_ == place::metadata_member) return go(place::metadata);
    misplaced("an object");
  }
  bool end_object() {
    if (at_ == place::tensor) finish_tensor();
    return go(at_ == place::top ? place::done : place::top);
  }
  bool start_array(std::size_t) {
    if (at_ == place::shape) return go(place::extents);
    if (at_ == place::data_offsets) return go(place::offsets);
    misplaced("an array");
  }
  bool end_array() { return go(place::tensor); }
  bool string(std::string& text) {
    if (at_ == place::dtype) return read_dtype(text);
    if (at_ != place::metadata_value) misplaced("a string");
    result_.metadata[metadata_key_] = std::move(text);
    return go(place::metadata);
  }
  bool number_unsigned(std::uint64_t number) {
    if (at_ == place::offsets) return offsets_.push_back(number), true;
    if (at_ != place::extents) misplaced("a number");
    if (number > max_extent) refuse(current(), " has an extent of ", number, "; the format allows up to 2^48");
    auto const extent = narrowed<std::size_t>(number);
    if (!extent)
      refuse(current(), " has an extent of ", number, ", more than the ", std::numeric_limits<std::size_t>::digits,
             " bits of this machine's sizes count; read it on a 64-bit machine");
    current_.shape.push_back(*extent);
    return true;
  }
  bool number_integer(std::int64_t) { misplaced("a negative number"); }
  bool number_float(double, std::string const&) { misplaced("a number that is no integer of 64 bits"); }
  bool boolean(bool) { misplaced("a boolean"); }
  bool null() { misplaced("a null"); }
  bool binary(nlohmann::json::binary_t&) { misplaced("binary data"); }
  bool parse_error(std::size_t position, std::string const&, nlohmann::detail::exception const&) {
    refuse("byte ", offset + position - (position > 0),
           " breaks the header's JSON; a safetensors header is one UTF-8 JSON object");
  }

 private:
  enum class place {
    start,
    top,
    metadata_member,
    metadata,
    metadata_value,
    member,
    tensor,
    dtype,
    shape,
    extents,
    data_offsets,
    offsets,
    done
  };

  bool go(place next) {
    at_ = next;
    return true;
  }
  template <class... Parts>
  [[noreturn]] void refuse(Parts const&... parts) const {
    fail(file_, ": ", parts...);
  }
  [[noreturn]] void misplaced(char const* what) const {
    auto const in_tensor = at_ >= place::member && at_ != place::done;
    auto const in_metadata = at_ == place::metadata_member || at_ == place::metadata_value;
    refuse(in_tensor     ? current()
           : in_metadata ? "the metadata"
                         : "the header",
           " holds ", what,
           " where none belongs; each tensor has a dtype, a shape and two data_offsets, and metadata are strings");
  }
  [[nodiscard]] std::string current() const { return "tensor " + in_quotes(current_.name); }

  bool begin_member(std::string name) {
    if (!names_.insert(name).second)
      refuse("the key ", in_quotes(name), " appears twice; a safetensors header has each key once");
    if (name == metadata_key) return go(place::metadata_member);
    current_ = {};
    current_.name = std::move(name);
    offsets_.clear();
    fields_.clear();
    return go(place::member);
  }

  bool begin_field(std::string const& field) {
    auto const next = field == "dtype"          ? place::dtype
                      : field == "shape"        ? place::shape
                      : field == "data_offsets" ? place::data_offsets
                                                : place::done;
    if (next == place::done)
      refuse(current(), " has the unknown key ", in_quotes(field), "; the keys are dtype, shape and data_offsets");
    if (!fields_.insert(next).second) refuse(current(), " gives its ", field, " twice; a safetensors header has each key once");
    return go(next);
  }

  bool read_dtype(std::string_view text) {
    auto const type = dtype_named(text);
    if (!type) refuse(current(), " has the unknown dtype ", in_quotes(text), "; the format knows F32, F16, I64 and their like");
    current_.dtype = *type;
    return go(place::tensor);
  }

  void finish_tensor() {
    if (fields_.size() != 3) refuse(current(), " is incomplete; it needs dtype, shape and data_offsets");
    if (offsets_.size() != 2) refuse(current(), " has ", offsets_.size(), " data_offsets; it needs two, [begin, end]");
    current_.begin = offsets_[0];
    current_.end = offsets_[1];
    result_.entries.push_back(std::move(current_));
  }

  std::string_view file_;
  header result_;
  place at_ = place::start;
  std::unordered_set<std::string> names_;
  std::string metadata_key_;
  entry current_;
  std::set<place> fields_;
  std::vector<std::uint64_t> offsets_;
};

/// The bytes that the shape and dtype of a tensor ask for.
[[nodiscard]] inline std::uint64_t byte_count(entry const& tensor, std::string_view file) {
  std::uint64_t bits = bits_of(tensor.dtype);
  for (std::uint64_t const extent : tensor.shape) {
    if (extent != 0 && bits > std::numeric_limits<std::uint64_t>::max() / extent)
      fail(file, ": tensor ", in_quotes(tensor.name), " of shape ", list(tensor.shape), " and dtype ", name_of(tensor.dtype),
           " has more than 2^64 bits; a tensor must fit in memory");
    bits *= extent;
  }
  if (!narrowed_product<std::size_t>(tensor.shape))
    fail(file, ": tensor ", in_quotes(tensor.name), " of shape ", list(tensor.shape), " has more elements than the ",
         std::numeric_limits<std::size_t>::digits, " bits of this machine's sizes count; read it on a 64-bit machine");
  if (bits % 8 != 0)
    fail(file, ": tensor ", in_quotes(tensor.name), " of shape ", list(tensor.shape), " and dtype ", name_of(tensor.dtype),
         " does not fill its last byte; packed types need a whole number of bytes");
  return bits / 8;
}

/// The tensors must tile the data: from byte 0, without holes or overlap, to the end of the file.
inline void check_layout(std::vector<entry> const& entries, std::uint64_t data_bytes, std::string_view file) {
  std::uint64_t covered = 0;
  for (auto const& tensor : entries) {
    auto const name = in_quotes(tensor.name);
    if (tensor.begin != covered)
      fail(file, ": tensor ", name, " begins at byte ", tensor.begin, " of the data, where byte ", covered,
           tensor.begin > covered ? " would leave no hole" : " would not overlap", "; tensors lie end to end");
    if (tensor.end < tensor.begin || tensor.end > data_bytes)
      fail(file, ": tensor ", name, " spans bytes ", tensor.begin, " to ", tensor.end, " of ", data_bytes,
           " bytes of data; it must end inside the file");
    if (auto const needed = byte_count(tensor, file); needed != tensor.end - tensor.begin)
      fail(file, ": tensor ", name, " of shape ", list(tensor.shape), " and dtype ", name_of(tensor.dtype), " needs ", needed,
           " bytes but its data_offsets span ", tensor.end - tensor.begin, "; the two must agree");
    covered = tensor.end;
  }
  if (covered != data_bytes)
    fail(file, ": ", data_bytes - covered, " bytes follow the last tensor; the file must end where its last tensor ends");
}

}  // namespace detail

/// The header from its JSON text, with every rule of the format checked. `data_bytes` follow it in the file.
[[nodiscard]] inline header read_header(std::string_view text, std::uint64_t data_bytes, std::string_view file) {
  // A NUL would end the text for the JSON library, hiding what follows; it also skips a byte order mark.
  if (text.empty() || text.front() != '{' || text.find('\0') != std::string_view::npos)
    fail(file, ": the header at byte 8 is no JSON object; a safetensors header begins with { and is padded with spaces");
  detail::header_reader reader(file);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  auto result = std::move(reader).take();
  std::ranges::sort(result.entries, {}, [](entry const& e) { return std::pair(e.begin, e.end); });
  detail::check_layout(result.entries, data_bytes, file);
  return result;
}

}  // namespace lnpt::io::safetensors
