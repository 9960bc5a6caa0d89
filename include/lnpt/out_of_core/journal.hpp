#pragma once
/// How far a run has come, so that a run that was killed goes on from there.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/out_of_core/threshold.hpp>

namespace lnpt::out_of_core {

/// What a journal tells of a run.
struct progress_record {
  std::string identity = {};                          ///< of the run: options, and the files it reads
  std::optional<out_of_core::threshold> global = {};  ///< the threshold of a global ranking, once it is known
  std::uint64_t ties = 0;                             ///< of the global threshold that later tensors may keep
  std::uint64_t decided_by_position = 0;              ///< weights of written tensors, under thresholds of their own
  bool all_zero = true;                               ///< whether every score of the pruned tensors that are written is 0
  std::vector<std::uint64_t> kept = {};               ///< how many weights of each written tensor stay
  std::vector<std::uint64_t> empty_rows = {};         ///< how many rows of each written tensor hold none

  friend bool operator==(progress_record const&, progress_record const&) = default;
};

/// The record in a journal's text, whose last line counts only if it is whole; nothing where not even the identity is.
///
///     lnpt-prune 3 IDENTITY
///     threshold KEY TIES TIED
///     tensors TIES DECIDED ALL-ZERO [KEPT EMPTY-ROWS]…       for each tensor written since the last such line
[[nodiscard]] inline std::optional<progress_record> parse_journal(std::string_view text) {
  auto const whole = text.substr(0, text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1);
  std::istringstream lines{std::string(whole)};
  std::string line;
  std::string const head = "lnpt-prune 3 ";
  if (!std::getline(lines, line) || !line.starts_with(head)) return std::nullopt;
  progress_record record{.identity = line.substr(head.size())};
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (threshold found; what == "threshold" && words >> found.above >> found.ties >> found.tied) {
      record.global = found;
      record.ties = found.ties;
    } else if (what == "tensors" && words >> record.ties >> record.decided_by_position >> record.all_zero) {
      for (std::uint64_t kept = 0, empty_rows = 0; words >> kept;) {
        if (!(words >> empty_rows)) return std::nullopt;
        record.kept.push_back(kept);
        record.empty_rows.push_back(empty_rows);
      }
      if (!words.eof()) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return record;
}

/// The journal of a run that is under way: lines that are on the disk when `write` returns.
class journal {
 public:
  /// Opens the journal, or begins one for this identity; refuses that of another run, and one that a run is writing now.
  journal(std::filesystem::path path, std::string const& identity)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) refuse("opening");
    try {
      // Lines of two runs in one journal would count tensors twice. File systems without locks are trusted.
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        fail(path_.parent_path().string(), " is being filled by another run: wait for its end, or name another output");
      take_up(identity);
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }
  journal(journal const&) = delete;
  journal& operator=(journal const&) = delete;
  ~journal() { ::close(descriptor_); }

  [[nodiscard]] progress_record const& record() const { return record_; }

  void found_threshold(threshold const& found) {
    write("threshold " + std::to_string(found.above) + ' ' + std::to_string(found.ties) + ' ' + std::to_string(found.tied));
    record_.global = found;
    record_.ties = found.ties;
  }
  /// Further tensors, in the order of their names, are on the disk: `now` is the record with them.
  void wrote_tensors(progress_record now) {
    auto line =
        "tensors " + std::to_string(now.ties) + ' ' + std::to_string(now.decided_by_position) + (now.all_zero ? " 1" : " 0");
    for (auto i = record_.kept.size(); i != now.kept.size(); ++i)
      line += ' ' + std::to_string(now.kept[i]) + ' ' + std::to_string(now.empty_rows[i]);
    write(std::move(line));
    record_ = std::move(now);
  }

 private:
  void take_up(std::string const& identity) {
    std::ifstream file(path_, std::ios::binary);
    std::string const text{std::istreambuf_iterator<char>(file), {}};
    auto found = parse_journal(text);
    if (found && found->identity != identity)
      fail(path_.parent_path().string(),
           " holds an unfinished run with other options or on other files: remove it, or repeat that run");
    record_ = found ? std::move(*found) : progress_record{.identity = identity};
    // A line that was cut short is written over.
    auto const kept = found ? static_cast<std::uintmax_t>(text.rfind('\n') + 1) : 0;
    if (::ftruncate(descriptor_, static_cast<::off_t>(kept)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0) refuse("opening");
    if (!found) write("lnpt-prune 3 " + identity);
  }

  void write(std::string line) {
    line += '\n';
    for (std::string_view rest = line; !rest.empty();) {
      auto const written = ::write(descriptor_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse("writing");
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(descriptor_) != 0) refuse("flushing");
  }
  [[noreturn]] void refuse(char const* action) const {
    fail(action, ' ', path_.string(), " failed (", io::system_reason(), "): a writable folder with enough free space is needed");
  }

  std::filesystem::path path_;
  int descriptor_ = -1;
  progress_record record_;
};

}  // namespace lnpt::out_of_core
