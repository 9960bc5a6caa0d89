#pragma once
/// A file that appears under its name only when it is complete.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/io/number_text.hpp>
#include <lnpt/io/write_at.hpp>

namespace lnpt::io {

/// What errno says, in words.
[[nodiscard]] inline std::string system_reason(int code = errno) { return std::generic_category().message(code); }

namespace detail {

inline constexpr std::string_view temporary_infix = ".tmp-";

/// The process in the name of a file's temporary, FILE.tmp-PID-ATTEMPT; 0 where `name` is no temporary of that file.
[[nodiscard]] inline ::pid_t writer_of(std::string_view name, std::string_view file) {
  if (!name.starts_with(file) || !name.substr(file.size()).starts_with(temporary_infix)) return 0;
  auto const numbers = name.substr(file.size() + temporary_infix.size());
  auto const dash = numbers.find('-');
  if (dash == std::string_view::npos || !number_in<int>(numbers.substr(dash + 1))) return 0;
  auto const process = number_in<int>(numbers.substr(0, dash));
  return process && *process > 0 ? *process : 0;
}

/// Removes the temporaries of a file whose writers were killed: no such process is left, and nobody holds the lock, as one does that
/// writes on another machine or in another container.
inline void remove_abandoned(std::filesystem::path const& path) {
  auto const file = path.filename().string();
  std::error_code unreadable;
  auto const folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (std::filesystem::directory_iterator each(folder, unreadable), end; !unreadable && each != end;
       each.increment(unreadable)) {
    auto const writer = writer_of(each->path().filename().string(), file);
    if (writer == 0 || ::kill(writer, 0) == 0 || errno != ESRCH) continue;
    int const left = ::open(each->path().c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (left < 0) continue;
    if (::flock(left, LOCK_EX | LOCK_NB) == 0) ::unlink(each->path().c_str());
    ::close(left);
  }
}

/// Where a path leads: what symbolic links name, which need not be there yet, or the path itself.
[[nodiscard]] inline std::filesystem::path followed(std::filesystem::path path) {
  constexpr int most = 40;  // as Linux follows
  for (int links = 0; std::filesystem::is_symlink(path); ++links) {
    if (links == most) fail(path, " is a link that leads from link to link: name a file");
    path = path.parent_path() / std::filesystem::read_symlink(path);  // an absolute path takes the folder's place
  }
  return path;
}

}  // namespace detail

/// Writes to a temporary name in the same folder; `commit` flushes it to the disk and renames it. A link stays one, and what it names is
/// replaced; a file that is replaced keeps its permissions.
/// Without `commit` (an exception, say) the temporary is removed and an older file of that name stays as it was. Temporaries of the same
/// file that killed processes left are removed, too.
class atomic_file {
 public:
  explicit atomic_file(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code unknown;
    auto const there = std::filesystem::status(path_, unknown);
    if (std::filesystem::is_directory(there)) fail(path_, " is a folder, which no file can replace: name a file in it");
    if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
      fail(path_, " is a device or a pipe, whose place a file would take: name a file");
    path_ = detail::followed(std::move(path_));
    detail::remove_abandoned(path_);
    for (int attempt = 0; descriptor_ < 0; ++attempt) {
      temporary_ = path_;
      temporary_ += std::string(detail::temporary_infix) + std::to_string(::getpid()) + '-' + std::to_string(attempt);
      // Mode 0666 less the user's umask, as for any new file.
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST) refuse("creating");
    }
    ::flock(descriptor_, LOCK_EX | LOCK_NB);  // which ends with the process, however that ends
    if (std::filesystem::exists(there)) ::fchmod(descriptor_, static_cast<::mode_t>(there.permissions()) & 07777);
  }
  atomic_file(atomic_file const&) = delete;
  atomic_file& operator=(atomic_file const&) = delete;
  ~atomic_file() { discard(); }

  /// Appends the bytes.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      auto const written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse("writing");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// Writes over bytes that were appended before.
  void write_at(std::uint64_t offset, std::span<std::byte const> bytes) {
    if (!io::write_at(descriptor_, offset, bytes)) refuse("writing");
  }

  /// Makes the file appear under its name, whole and on the disk.
  void commit() {
    if (::fsync(descriptor_) != 0) refuse("flushing");
    if (::close(std::exchange(descriptor_, -1)) != 0) refuse("closing");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) refuse("renaming the temporary of");
    temporary_.clear();
    flush_folder();
  }

 private:
  [[noreturn]] void refuse(char const* action) {
    auto const reason = system_reason();
    discard();
    fail(action, ' ', path_, " failed (", reason, "): a writable folder with enough free space is needed");
  }

  void discard() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  /// The new name survives a power cut only once its folder is on the disk too. Some file systems refuse; the data are safe.
  void flush_folder() const noexcept {
    auto const folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    if (int const descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
      ::fsync(descriptor);
      ::close(descriptor);
    }
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

}  // namespace lnpt::io
