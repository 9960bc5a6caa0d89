#pragma once
/// Messages in the wire format of Protocol Buffers.
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lnpt::io {

/// A message that is being written: fields in the order they are added. Numbers are varints or little-endian floats; texts, bytes and
/// nested messages are length-delimited. https://protobuf.dev/programming-guides/encoding
class protobuf_message {
 public:
  protobuf_message& integer(int field, std::int64_t value) {
    key(field, varint_type);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  protobuf_message& real(int field, float value) {
    static_assert(std::endian::native == std::endian::little);
    key(field, fixed32_type);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof value);
    return *this;
  }
  protobuf_message& text(int field, std::string_view value) {
    key(field, delimited_type);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  protobuf_message& nested(int field, protobuf_message const& value) { return text(field, value.bytes_); }

  [[nodiscard]] std::string const& bytes() const { return bytes_; }

 private:
  enum wire_type : std::uint64_t { varint_type = 0, delimited_type = 2, fixed32_type = 5 };

  void key(int field, wire_type type) { varint(static_cast<std::uint64_t>(field) << 3 | type); }
  /// Seven bits to a byte, the lowest first; the eighth says that more follow.
  void varint(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace lnpt::io
