#pragma once
/// Bytes to be read at any place: a file, or memory.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/narrowed.hpp>

namespace lnpt::io {

static_assert(std::endian::native == std::endian::little,
              "lnpt::io reads and writes little-endian formats without swapping bytes");

/// A named, read-only run of bytes. Reading copies straight to its destination, so nothing depends on alignment,
/// and a file that shrinks meanwhile is an error, not a signal (which a memory map would raise). Copies share the file.
class byte_source {
 public:
  /// The bytes of a file.
  [[nodiscard]] static byte_source open(std::filesystem::path const& path) {
    byte_source source;
    source.name_ = path.string();
    int const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail("cannot open ", source.name_, " (", system_reason(), "): pass a file that exists and may be read");
    source.file_ = std::make_shared<handle>(descriptor);
    struct stat about{};
    if (::fstat(descriptor, &about) != 0) fail("cannot tell the size of ", source.name_, " (", system_reason(), ')');
    if (!S_ISREG(about.st_mode)) fail(source.name_, " is not a regular file: pass a file, not a folder or a pipe");
    source.size_ = static_cast<std::uint64_t>(about.st_size);
    return source;
  }

  /// The bytes of memory that must outlive the source; errors call them `name`.
  [[nodiscard]] static byte_source view(std::span<std::byte const> bytes, std::string name) {
    byte_source source;
    source.name_ = std::move(name);
    source.memory_ = bytes;
    source.size_ = bytes.size();
    return source;
  }

  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Fills `out` with the bytes from `offset` on. Safe to call from several threads.
  void read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size_ || out.size() > size_ - offset)
      fail(name_, " ends at byte ", size_, ": ", out.size(), " bytes from byte ", offset, " on need a complete file");
    if (!file_) {
      std::ranges::copy(memory_.subspan(static_cast<std::size_t>(offset), out.size()), out.begin());
      return;
    }
    while (!out.empty()) {
      auto const count = ::pread(file_->descriptor, out.data(), out.size(), static_cast<::off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("reading ", name_, " failed at byte ", offset, " (", system_reason(), "): the disk must be readable");
      if (count == 0) fail(name_, " ended at byte ", offset, " while it was read: keep the file unchanged until it is loaded");
      offset += static_cast<std::uint64_t>(count);
      out = out.subspan(static_cast<std::size_t>(count));
    }
  }

  /// All the bytes: a copy.
  [[nodiscard]] std::vector<std::byte> read_all() const {
    std::vector<std::byte> bytes(memory_size(size_, name_));
    read(0, bytes);
    return bytes;
  }

 private:
  struct handle {
    explicit handle(int fd) : descriptor(fd) {}
    handle(handle const&) = delete;
    handle& operator=(handle const&) = delete;
    ~handle() { ::close(descriptor); }
    int descriptor;
  };

  byte_source() = default;

  std::string name_;
  std::shared_ptr<handle const> file_;
  std::span<std::byte const> memory_;
  std::uint64_t size_ = 0;
};

}  // namespace lnpt::io
