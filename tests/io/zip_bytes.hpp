#pragma once
/// Zip archives of stored entries, byte by byte, right or wrong.
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support.hpp"

namespace support {

/// What the records of an entry say, right or wrong.
struct record {
  std::string name;
  std::string data;
  std::uint32_t offset = 0, size = static_cast<std::uint32_t>(data.size()), method = 0, flags = 0;
  std::uint32_t checksum = static_cast<std::uint32_t>(::crc32(0, reinterpret_cast<unsigned char const*>(data.data()), size));
  std::string local_name = name;
};

inline void put(bytes& to, std::uint64_t value, int width) {
  for (; width > 0; --width, value >>= 8) to.push_back(static_cast<std::uint8_t>(value));
}
inline void put(bytes& to, std::string const& text) { to.insert(to.end(), text.begin(), text.end()); }

inline void put_fields(bytes& to, record const& r, std::string const& name) {
  put(to, 0, 2), put(to, r.flags, 2), put(to, r.method, 2), put(to, 0, 4), put(to, r.checksum, 4);
  put(to, r.size, 4), put(to, r.size, 4), put(to, name.size(), 2), put(to, 0, 2);
}

/// An archive of these records, each with its local header at the offset it says, or after the one before.
[[nodiscard]] inline bytes archive_of(std::vector<record> records) {
  bytes all;
  for (auto& r : records) {
    if (r.offset == 0) r.offset = static_cast<std::uint32_t>(all.size());
    put(all, 0x04034b50, 4), put_fields(all, r, r.local_name), put(all, r.local_name), put(all, r.data);
  }
  auto const directory = all.size();
  for (auto const& r : records) {
    put(all, 0x02014b50, 4), put(all, 0, 2), put_fields(all, r, r.name);
    put(all, 0, 10), put(all, r.offset, 4), put(all, r.name);
  }
  auto const size = all.size() - directory;
  put(all, 0x06054b50, 4), put(all, 0, 4), put(all, records.size(), 2), put(all, records.size(), 2);
  put(all, size, 4), put(all, directory, 4), put(all, 0, 2);
  return all;
}

}  // namespace support
