#pragma once
/// A folder that appears under its name only when all of it is there.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
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
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/sharded_model.hpp>
#include <lnpt/io/write_at.hpp>

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
    struct stat about{};
    if (::fstat(descriptor_, &about) == 0 && about.st_size > length && ::ftruncate(descriptor_, length) != 0)
      refuse("shortening");
    if (auto const problem = size == 0 ? 0 : ::posix_fallocate(descriptor_, 0, length); problem != 0) {
      errno = problem;
      if (problem == ENOSPC || ::ftruncate(descriptor_, length) != 0) refuse("reserving the space of");
    }
  }
  placed_file(placed_file&& other) noexcept
      : path_(std::move(other.path_)),
        descriptor_(std::exchange(other.descriptor_, -1)),
        dirty_(other.dirty_),
        written_(other.written_.load()) {}
  placed_file& operator=(placed_file&&) = delete;
  ~placed_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Safe from several threads at different places.
  void write(std::uint64_t offset, std::span<std::byte const> bytes) const {
    if (!io::write_at(descriptor_, offset, bytes)) refuse("writing");
    send(bytes.size());
  }
  void mark_written() { dirty_ = true; }
  /// What was written is on the disk when this returns.
  void flush() {
    if (std::exchange(dirty_, false) && ::fdatasync(descriptor_) != 0) refuse("flushing");
  }

 private:
  /// Has the disk begin with what was written, many bytes at a time and without waiting for it, so that `flush` finds little left to do.
  /// Where the system does not do that nothing is lost but time.
  void send(std::size_t written) const {
    constexpr std::size_t many = std::size_t{1} << 24;
    if (auto const before = written_.fetch_add(written); before / many != (before + written) / many)
      ::sync_file_range(descriptor_, 0, 0, SYNC_FILE_RANGE_WRITE);
  }
  [[noreturn]] void refuse(char const* action) const {
    fail(action, ' ', path_.string(), " failed (", io::system_reason(), "): a writable folder with enough free space is needed");
  }

  std::filesystem::path path_;
  int descriptor_ = -1;
  bool dirty_ = false;
  mutable std::atomic<std::size_t> written_ = 0;  ///< bytes written in all
};

/// OUT.partial while it is filled; `commit` gives it the name OUT.
class output_folder {
 public:
  /// Refuses an output that exists and is not to be replaced, one that lies in the folder that is read or holds a file that is read,
  /// an OUT.partial that is not of an unfinished run, which holds `journal`, and a disk that is too small for `bytes`.
  output_folder(std::filesystem::path const& out, io::sharded_model const& input, std::string journal, std::uint64_t bytes,
                bool replace)
      : out_(plain(out)), partial_(out_.string() + ".partial"), journal_(std::move(journal)) {
    keep_apart(input);
    auto const there = std::filesystem::symlink_status(out_);
    replaces_ = std::filesystem::exists(there);
    if (replaces_ && !std::filesystem::is_directory(there))
      fail_request(out_.string(), " is a file or a link, and the output is a folder: name another place for it");
    if (replaces_) require_replaceable();
    if (replaces_ && !replace)
      fail_request(out_.string(), " exists: name a new folder, or have it replaced (option `replace`, flag --replace)");
    if (std::filesystem::exists(partial_) && !std::filesystem::exists(partial_ / journal_) &&
        !std::filesystem::is_empty(partial_))
      fail_request(partial_.string(),
                   " is where the output grows and holds files of something else: move it away, or name another output");
    std::error_code problem;
    std::filesystem::create_directories(partial_, problem);
    if (problem) fail("creating ", partial_.string(), " failed (", problem.message(), "): a writable folder is needed");
    require_space(bytes);
  }

  [[nodiscard]] std::filesystem::path const& partial() const { return partial_; }
  [[nodiscard]] std::filesystem::path journal() const { return partial_ / journal_; }

  /// Removes what a run that was refused has begun.
  void discard() const {
    std::error_code ignored;
    std::filesystem::remove_all(partial_, ignored);
  }

  /// Gives the folder its name; an older one of that name is swapped for it in one step and then removed.
  void commit() const {
    flush(partial_);
    if (!replaces_) {
      if (std::rename(partial_.c_str(), out_.c_str()) != 0) refuse("renaming");
    } else {
      if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, out_.c_str(), RENAME_EXCHANGE) != 0) refuse("swapping");
      std::filesystem::remove_all(partial_);
    }
    std::filesystem::remove(out_ / journal_);  // the last mark of the run: until here a run that was killed is taken up again
    flush(out_.has_parent_path() ? out_.parent_path() : std::filesystem::path("."));
  }

 private:
  /// The name without a slash at its end; the folder itself where it is called `.` or `..`.
  [[nodiscard]] static std::filesystem::path plain(std::filesystem::path const& out) {
    if (!out.has_relative_path()) fail_request('"', out.string(), "\" is no name of a folder: name a new one for the output");
    if (!out.has_filename()) return plain(out.parent_path());
    return out.filename() == "." || out.filename() == ".." ? std::filesystem::weakly_canonical(out) : out;
  }
  [[nodiscard]] static bool holds(std::filesystem::path const& folder, std::filesystem::path const& path) {
    auto const inside = path.lexically_relative(folder);
    return !inside.empty() && *inside.begin() != "..";
  }
  /// A folder that is swapped for the output is lost, so that it has to be one of a model, and not the one that the program runs in.
  void require_replaceable() const {
    if (holds(std::filesystem::canonical(out_), std::filesystem::current_path()))
      fail_request(out_.string(), " holds the folder that this runs in, which would be lost: name another one for the output");
    auto const is_model = [](auto const& entry) { return io::has_ending(entry.path().string(), ".safetensors"); };
    std::filesystem::directory_iterator const files(out_);
    if (!std::filesystem::is_empty(out_) && std::none_of(begin(files), end(files), is_model))
      fail_request(out_.string(),
                   " holds no safetensors file, so that it is no model to be replaced: name another folder, or remove it");
  }
  /// The output may be swapped for what is there, so that nothing that is read may lie in it, neither a file nor what a link leads to.
  void keep_apart(io::sharded_model const& input) const {
    auto const out = std::filesystem::weakly_canonical(std::filesystem::absolute(out_));
    auto const folder = std::filesystem::canonical(input.folder());
    if (out == folder) fail_request(out_.string(), " is the folder that is read: name another one for the output");
    if (input.is_folder() && holds(folder, out))
      fail_request(out_.string(), " lies in the folder that is read: name one beside it for the output");
    for (std::size_t s = 0; s != input.shard_count(); ++s)
      for (auto const& file : {folder / input.shard_name(s), std::filesystem::canonical(folder / input.shard_name(s))})
        if (holds(out, file))
          fail_request(out_.string(), " holds ", file.string(), ", which is read: name another folder for the output");
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
  std::string journal_;
  bool replaces_ = false;
};

}  // namespace lnpt::out_of_core
