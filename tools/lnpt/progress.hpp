#pragma once
/// How far along a long command is, on standard error.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace cli {

/// A bar that is redrawn in place on a terminal; elsewhere a plain line for each milestone and, from two seconds on, every ten seconds.
/// All tell the time left.
class progress {
 public:
  /// `total` in whatever unit `advance` counts.
  explicit progress(std::size_t total);
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;
  ~progress();

  /// What is being done now.
  void doing(std::string what);
  void advance(std::size_t steps = 1);
  /// Something worth a line of its own.
  void milestone(std::string const& text);
  /// Takes the bar away, so that a result begins on a line of its own.
  void finish();

 private:
  using clock = std::chrono::steady_clock;

  void draw(bool always);
  void erase();
  [[nodiscard]] std::string time_left() const;

  std::size_t total_, done_ = 0;
  std::string what_;
  bool terminal_;
  bool shown_ = false;
  clock::time_point start_ = clock::now(), drawn_{};
};

/// Progress over the bytes of files, as work out of core calls it.
class byte_progress {
 public:
  void operator()(std::uint64_t done, std::uint64_t total, char const* what);

 private:
  std::optional<progress> shown_;
  std::uint64_t told_ = 0;
  char const* doing_ = nullptr;
};

/// Progress of work that says, after each piece, how much of it is done.
class count_progress {
 public:
  explicit count_progress(std::string what) : what_(std::move(what)) {}
  void operator()(std::size_t done, std::size_t all);

 private:
  std::string what_;
  std::size_t done_ = 0;
  std::optional<progress> shown_;
};

/// Progress over the rounds of pruning, as pruning calls it before each.
class round_progress {
 public:
  explicit round_progress(std::string what) : what_(std::move(what)) {}
  void operator()(int round, int rounds);

 private:
  std::string what_;
  std::optional<progress> shown_;
};

}  // namespace cli
