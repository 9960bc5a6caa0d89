#pragma once
/// Writing zip archives of stored entries, over zlib's minizip.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>
#include <memory>
#include <minizip/zip.h>
#include <span>
#include <string>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/io/atomic_file.hpp>

namespace lnpt::io::zip {

/// Writes entries one after the other; the archive appears under its name when `commit` returns, and not at all without it.
class writer {
 public:
  explicit writer(std::filesystem::path const& path) : out_(path), name_(path.string()) {
    auto functions = this->functions();
    archive_.reset(zipOpen2_64(this, APPEND_STATUS_CREATE, nullptr, &functions));
    check(archive_ ? ZIP_OK : ZIP_INTERNALERROR, "the archive");
  }
  writer(writer const&) = delete;
  writer& operator=(writer const&) = delete;

  /// Adds an entry with these bytes, as they are. Every archive has the same date, so that equal contents give equal files.
  void add(std::string const& entry, std::span<std::byte const> bytes) {
    constexpr std::uint64_t small = std::numeric_limits<std::uint32_t>::max();
    zip_fileinfo const about{};
    check(zipOpenNewFileInZip64(archive_.get(), entry.c_str(), &about, nullptr, 0, nullptr, 0, nullptr, 0, 0,
                                bytes.size() >= small),
          entry);
    constexpr std::size_t most = std::size_t{1} << 30;  // what the length of one call may be
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(most, bytes.size())))
      check(zipWriteInFileInZip(archive_.get(), bytes.data(), static_cast<unsigned>(std::min(most, bytes.size()))), entry);
    check(zipCloseFileInZip(archive_.get()), entry);
  }

  /// Writes the directory and makes the file appear, whole and on the disk.
  void commit() {
    check(zipClose(archive_.release(), nullptr), "the directory");
    out_.commit();
  }

 private:
  static writer& of(voidpf self) { return *static_cast<writer*>(self); }

  [[nodiscard]] zlib_filefunc64_def functions() {
    return {[](voidpf self, void const*, int) { return self; },
            [](voidpf, voidpf, void*, uLong) -> uLong { return 0; },
            [](voidpf, voidpf self, void const* from, uLong count) {
              return of(self).write({static_cast<std::byte const*>(from), count}) ? count : 0;
            },
            [](voidpf, voidpf self) -> ZPOS64_T { return of(self).position_; },
            [](voidpf, voidpf self, ZPOS64_T offset, int origin) { return of(self).seek(offset, origin); },
            [](voidpf, voidpf) { return 0; },
            [](voidpf, voidpf self) { return of(self).failure_ ? 1 : 0; },
            this};
  }

  /// Writes at the position; minizip goes back to fill in each entry's size and checksum.
  bool write(std::span<std::byte const> bytes) noexcept {
    try {
      auto const over = std::min<std::uint64_t>(end_ - position_, bytes.size());
      if (over > 0) out_.write_at(position_, bytes.first(static_cast<std::size_t>(over)));
      out_.write(bytes.subspan(static_cast<std::size_t>(over)));
      position_ += bytes.size();
      end_ = std::max(end_, position_);
    } catch (...) {
      failure_ = std::current_exception();
    }
    return !failure_;
  }

  long seek(std::uint64_t offset, int origin) noexcept {
    auto const from = origin == ZLIB_FILEFUNC_SEEK_CUR ? position_ : origin == ZLIB_FILEFUNC_SEEK_END ? end_ : 0;
    if (offset > end_ - from) return -1;
    position_ = from + offset;
    return 0;
  }

  void check(int status, std::string const& what) const {
    if (failure_) std::rethrow_exception(failure_);
    if (status != ZIP_OK)
      fail("writing ", what, " into ", name_, " failed in minizip (", status, "): use entry names of up to 65535 bytes");
  }

  struct close {
    void operator()(zipFile archive) const { zipClose(archive, nullptr); }
  };

  atomic_file out_;
  std::string name_;
  std::uint64_t position_ = 0, end_ = 0;
  std::exception_ptr failure_;
  std::unique_ptr<void, close> archive_;  // last, so that minizip lets go of the file first
};

}  // namespace lnpt::io::zip
