#include "progress.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace cli {

namespace {

std::string duration(double seconds) {
  auto const s = static_cast<long>(seconds + 0.5);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{}:{:02} min", s / 60, s % 60);
  return fmt::format("{}:{:02} h", s / 3600, s / 60 % 60);
}

}  // namespace

progress::progress(std::size_t total) : total_(std::max<std::size_t>(total, 1)), terminal_(::isatty(STDERR_FILENO) != 0) {}

progress::~progress() { finish(); }

void progress::finish() { erase(); }

void progress::doing(std::string what) {
  what_ = std::move(what);
  draw(true);
}

void progress::advance(std::size_t steps) {
  done_ = std::min(done_ + steps, total_);
  draw(false);
}

void progress::milestone(std::string const& text) {
  erase();
  auto const left = done_ < total_ && done_ > 0 ? fmt::format("  ({} left)", time_left()) : std::string();
  fmt::print(stderr, "{}{}\n", text, terminal_ ? "" : left);
  std::fflush(stderr);
  draw(true);
}

void progress::draw(bool always) {
  using namespace std::chrono_literals;
  auto const now = clock::now();
  if (!terminal_) {
    if (now - start_ < 2s || now - drawn_ < 10s) return;
    drawn_ = now;
    fmt::print(stderr, "{} ({} % of the whole, {} left)\n", what_, 100 * done_ / total_, done_ ? time_left() : "?");
    std::fflush(stderr);
    return;
  }
  if (!always && now - drawn_ < 100ms) return;
  drawn_ = now;
  constexpr std::size_t width = 24;
  auto const filled = width * done_ / total_;
  std::string bar;
  for (std::size_t i = 0; i < width; ++i) bar += i < filled ? "█" : "░";
  fmt::print(stderr, "\r\x1b[K{} {:3} %  {} left  {}", bar, 100 * done_ / total_, done_ ? time_left() : "?", what_);
  std::fflush(stderr);
  shown_ = true;
}

void progress::erase() {
  if (!std::exchange(shown_, false)) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

std::string progress::time_left() const {
  auto const elapsed = std::chrono::duration<double>(clock::now() - start_).count();
  return duration(elapsed * static_cast<double>(total_ - done_) / static_cast<double>(done_));
}

void byte_progress::operator()(std::uint64_t done, std::uint64_t total, char const* what) {
  constexpr std::uint64_t unit = 1 << 20;
  if (!shown_) shown_.emplace(static_cast<std::size_t>(total / unit + 1));
  if (std::exchange(doing_, what) != what) shown_->doing(what);
  shown_->advance(static_cast<std::size_t>(done / unit - std::min(told_, done / unit)));
  told_ = std::max(told_, done / unit);
}

void count_progress::operator()(std::size_t done, std::size_t all) {
  if (!shown_) {
    shown_.emplace(all);
    shown_->doing(what_);
  }
  shown_->advance(done - done_);
  done_ = done;
}

void round_progress::operator()(int round, int rounds) {
  if (!shown_) shown_.emplace(static_cast<std::size_t>(rounds));
  if (round > 1) shown_->advance();
  shown_->doing(fmt::format("{}, round {} of {}", what_, round, rounds));
}

}  // namespace cli
