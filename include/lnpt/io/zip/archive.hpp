#pragma once
/// Reading zip archives whose entries are stored as they are, over zlib's minizip.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <minizip/unzip.h>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>
#include <zlib.h>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/zip/read_functions.hpp>

namespace lnpt::io::zip {

/// One file of an archive: a run of its bytes.
struct entry {
  std::string name;
  std::uint64_t offset = 0;  ///< where the data begin in the archive
  std::uint64_t size = 0;
  std::uint32_t checksum = 0;  ///< CRC-32 of the data
};

/// An open archive whose directory has been checked: every entry is stored, has a name of its own and lies inside the file, and no two
/// overlap.
class archive {
 public:
  /// Reads and checks the directory; throws `lnpt::error` naming the file, the entry and the byte.
  explicit archive(byte_source source) : source_(std::move(source)) {
    detail::byte_reader reader(source_);
    auto functions = reader.functions();
    std::unique_ptr<void, int (*)(unzFile)> const directory(unzOpen2_64(nullptr, &functions), unzClose);
    if (!directory) fail(name(), " is no zip archive, or one without its end: pass a complete file");
    unz_file_pos first{};
    auto status = unzGoToFirstFile(directory.get());
    unzGetFilePos(directory.get(), &first);
    for (; status == UNZ_OK; status = unzGoToNextFile(directory.get())) add_current(directory.get());
    reader.rethrow();
    if (status != UNZ_END_OF_LIST_OF_FILE)
      fail(name(), ": the directory of the archive is broken after ", entries_.size(), " entries, at byte ",
           unzGetOffset64(directory.get()), ": pass a complete file");
    check_places(first.pos_in_zip_directory);
  }

  /// The path, for messages.
  [[nodiscard]] std::string const& name() const { return source_.name(); }
  /// The entries in the order of the directory.
  [[nodiscard]] std::vector<entry> const& entries() const { return entries_; }

  /// The entry of this name, or null.
  [[nodiscard]] entry const* find(std::string_view wanted) const {
    auto const found = index_.find(std::string(wanted));
    return found == index_.end() ? nullptr : &entries_[found->second];
  }

  /// Fills `out`, which must have the entry's size, and checks the CRC-32. Safe to call from several threads.
  void read(entry const& from, std::span<std::byte> out) const {
    if (out.size() != from.size) fail(name(), ": entry ", from.name, " has ", from.size, " bytes, not ", out.size());
    source_.read(from.offset, out);
    auto const found = ::crc32_z(0, reinterpret_cast<unsigned char const*>(out.data()), out.size());
    if (found != from.checksum)
      fail(name(), ": entry ", from.name, " at byte ", from.offset,
           " does not have the checksum that the archive says (CRC-32): the file ", "is damaged, write it again");
  }

  /// The bytes of an entry.
  [[nodiscard]] std::vector<std::byte> read(entry const& from) const {
    std::vector<std::byte> bytes(static_cast<std::size_t>(from.size));
    read(from, bytes);
    return bytes;
  }

 private:
  void add_current(unzFile directory) {
    auto const at = unzGetOffset64(directory);
    unz_file_info64 about{};
    unzGetCurrentFileInfo64(directory, &about, nullptr, 0, nullptr, 0, nullptr, 0);
    std::string path(about.size_filename, '\0');
    auto status = unzGetCurrentFileInfo64(directory, nullptr, path.data(), about.size_filename, nullptr, 0, nullptr, 0);
    constexpr uLong encrypted = 1;
    if (status == UNZ_OK &&
        (about.compression_method != 0 || about.compressed_size != about.uncompressed_size || (about.flag & encrypted) != 0))
      fail(name(), ": entry ", path, " is compressed or encrypted (method ", about.compression_method,
           "); store it as it is, as torch.export.save does");
    int method = 0;
    int level = 0;
    if (status == UNZ_OK) status = unzOpenCurrentFile2(directory, &method, &level, 1);
    auto const data = status == UNZ_OK ? unzGetCurrentFileZStreamPos64(directory) : 0;
    auto const extra = status == UNZ_OK ? unzGetLocalExtrafield(directory, nullptr, 0) : 0;
    unzCloseCurrentFile(directory);
    if (status != UNZ_OK || extra < 0 || !stands_before(data - static_cast<std::uint64_t>(extra), path))
      fail(name(), ": the entry whose directory record is at byte ", at,
           " does not begin where that says, or not as the same entry: pass a ", "complete file");
    if (!index_.emplace(path, entries_.size()).second)
      fail(name(), ": entry ", path, " is there twice, again at byte ", at, ": each needs a name of its own");
    entries_.push_back({std::move(path), data, about.uncompressed_size, static_cast<std::uint32_t>(about.crc)});
  }

  /// Whether this text ends at a byte of the file: minizip compares lengths of names alone.
  [[nodiscard]] bool stands_before(std::uint64_t end, std::string const& text) const {
    if (end < text.size() || end > source_.size()) return false;
    std::string found(text.size(), '\0');
    source_.read(end - text.size(), std::as_writable_bytes(std::span(found)));
    return found == text;
  }

  /// `end`: where the directory begins, which no entry may reach.
  void check_places(std::uint64_t end) const {
    std::vector<entry const*> order;
    order.reserve(entries_.size());
    for (auto const& each : entries_) order.push_back(&each);
    std::ranges::sort(order, std::greater{}, &entry::offset);
    constexpr std::uint64_t header = 30;  // bytes before each entry's name and data
    for (auto const* each : order) {
      if (each->offset > end || each->size > end - each->offset)
        fail(name(), ": the ", each->size, " bytes of entry ", each->name, " from byte ", each->offset,
             " on reach into what follows at byte ", end, ": entries must not overlap");
      end = each->offset - std::min(each->offset, header + each->name.size());
    }
  }

  byte_source source_;
  std::vector<entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace lnpt::io::zip
