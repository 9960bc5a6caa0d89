#pragma once
/// A folder that appears under its name only when all of it is there.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/sharded_model.hpp>

namespace lnpt::out_of_core {

/// A file of known size that is written at any place and in any order.
class placed_file {
 public:
  /// Opens the file, or makes it, at its full size on the disk.
  placed_file(std::filesystem::path path, std::uint64_t size) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) refuse("creating");
    // Reserves the space now, so that a full disk is known before the work; file systems that cannot do that get the size alone.
    auto const length = static_cast<::off_t>(size);
    if (auto const problem = size == 0 ? 0 : ::posix_fallocate(descriptor_, 0, length); problem != 0) {
      errno = problem;
      if (problem == ENOSPC || ::ftruncate(descriptor_, length) != 0) refuse("reserving the space of");
    }
  }
  placed_file(placed_file&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), dirty_(other.dirty_) {}
  placed_file& operator=(placed_file&&) = delete;
  ~placed_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Safe from several threads at different places.
  void write(std::uint64_t offset, std::span<std::byte const> bytes) const {
    while (!bytes.empty()) {
      auto const written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<::off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse("writing");
      offset += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void mark_written() { dirty_ = true; }
  /// What was written is on the disk when this returns.
  void flush() {
    if (std::exchange(dirty_, false) && ::fdatasync(descriptor_) != 0) refuse("flushing");
  }

 private:
  [[noreturn]] void refuse(char const* action) const {
    fail(action, ' ', path_.string(), " failed (", io::system_reason(), "): a writable folder with enough free space is needed");
  }

  std::filesystem::path path_;
  int descriptor_ = -1;
  bool dirty_ = false;
};

/// OUT.partial while it is filled; `commit` gives it the name OUT.
class output_folder {
 public:
  /// Refuses an output that exists and is not to be replaced, the input itself, and a disk that is too small for `bytes`.
  output_folder(std::filesystem::path out, std::filesystem::path const& input, std::uint64_t bytes, bool replace)
      : out_(without_slash(std::move(out))), partial_(out_.string() + ".partial") {
    std::error_code ignored;
    if (std::filesystem::equivalent(out_, input, ignored))
      fail(out_.string(), " is the folder that is read: name another one for the output");
    auto const inside = std::filesystem::weakly_canonical(out_).lexically_relative(std::filesystem::weakly_canonical(input));
    if (!inside.empty() && *inside.begin() != "..")
      fail(out_.string(), " lies in the folder that is read: name one beside it for the output");
    replaces_ = std::filesystem::exists(out_);
    if (replaces_ && !replace) fail(out_.string(), " exists: name a new folder, or ask for it to be replaced");
    std::error_code problem;
    std::filesystem::create_directories(partial_, problem);
    if (problem) fail("creating ", partial_.string(), " failed (", problem.message(), "): a writable folder is needed");
    require_space(bytes);
  }

  [[nodiscard]] std::filesystem::path const& partial() const { return partial_; }

  /// Gives the folder its name; an older one of that name is swapped for it in one step and then removed.
  void commit() const {
    flush(partial_);
    if (!replaces_) {
      if (std::rename(partial_.c_str(), out_.c_str()) != 0) refuse("renaming");
    } else {
      if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, out_.c_str(), RENAME_EXCHANGE) != 0) refuse("swapping");
      std::filesystem::remove_all(partial_);
    }
    flush(out_.has_parent_path() ? out_.parent_path() : std::filesystem::path("."));
  }

 private:
  [[nodiscard]] static std::filesystem::path without_slash(std::filesystem::path out) {
    return out.has_filename() ? out : out.parent_path();
  }

  void require_space(std::uint64_t bytes) const {
    std::uint64_t held = 0;  // by an earlier run
    for (auto const& each : std::filesystem::recursive_directory_iterator(partial_)) {
      struct stat about{};
      if (::stat(each.path().c_str(), &about) == 0 && S_ISREG(about.st_mode))
        held += static_cast<std::uint64_t>(about.st_blocks) * 512;
    }
    struct statvfs disk{};
    if (::statvfs(partial_.c_str(), &disk) != 0) return;
    auto const free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    if (bytes > free + held)
      fail("the output takes ", bytes, " bytes and ", partial_.parent_path().string(), " has ", free + held,
           " left: free the rest, or choose another disk");
  }

  static void flush(std::filesystem::path const& folder) {
    if (int const descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
      ::fsync(descriptor);
      ::close(descriptor);
    }
  }
  [[noreturn]] void refuse(char const* action) const {
    fail(action, ' ', partial_.string(), " to ", out_.string(), " failed (", io::system_reason(),
         "): the whole output is in the former");
  }

  std::filesystem::path out_, partial_;
  bool replaces_ = false;
};

}  // namespace lnpt::out_of_core
