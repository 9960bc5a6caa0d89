#pragma once
/// Runs that are cut short, and what a finished one leaves.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <lnpt/io/safetensors.hpp>

namespace cli_test {

/// Starts `lnpt`, which says nothing.
inline ::pid_t start(std::string const& arguments) {
  std::istringstream words(arguments);
  std::vector<std::string> list{std::getenv("LNPT_CLI")};
  for (std::string word; words >> word;) list.push_back(word);
  std::vector<char*> argv;
  for (auto& word : list) argv.push_back(word.data());
  argv.push_back(nullptr);
  auto const child = ::fork();
  if (child == 0) {
    auto const nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return child;
}

/// Waits until `file` is there, or the process ended.
inline void wait_for(std::string const& file, ::pid_t process) {
  using namespace std::chrono_literals;
  while (!std::filesystem::exists(file) && ::waitpid(process, nullptr, WNOHANG) == 0) std::this_thread::sleep_for(1ms);
}

inline void kill(::pid_t process) {
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
}

/// Starts `lnpt` and kills it as soon as `file` is there.
inline void run_until(std::string const& arguments, std::string const& file) {
  auto const process = start(arguments);
  wait_for(file, process);
  kill(process);
}

/// How many weights a checkpoint's masks prune; all of them, and their momentum, must be +0.
inline std::size_t pruned_weights_at_zero(std::string const& path) {
  auto const file = lnpt::io::safetensors::open(path);
  std::size_t pruned = 0;
  for (auto const& tensor : file.entries()) {
    if (!tensor.name.starts_with("mask.")) continue;
    auto const name = tensor.name.substr(5);
    auto const mask = file.read<std::uint8_t>(tensor.name);
    auto const weights = file.read<float>(name), momentum = file.read<float>("momentum." + name);
    for (std::size_t i = 0; i < mask.size(); ++i)
      if (mask[i] == 0) {
        REQUIRE(weights[i] == 0.0f);
        REQUIRE_FALSE(std::signbit(weights[i]));
        REQUIRE(momentum[i] == 0.0f);
        ++pruned;
      }
  }
  return pruned;
}

/// The lines of a text, and of a row of results all cells that a repetition reproduces: all but the seconds.
inline std::vector<std::string> lines_of(std::string const& text) {
  std::vector<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  return lines;
}
inline std::string without_seconds(std::string const& row) { return row.substr(0, row.rfind(',')); }

}  // namespace cli_test
