/// One of two processes of a Gloo group that exchange until the network no longer brings them together; partitioned.sh runs both.
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>

#include <lnpt/torch/process_group.hpp>

#include "gloo.hpp"

using namespace lnpt;
using namespace std::chrono_literals;

namespace {

/// Exchanges until that fails. After the first exchange rank 0 makes the file `started`.
void exchange_for_ever(process_group<c10d::ProcessGroupGloo>& ranks, std::string const& started,
                       std::chrono::steady_clock::time_point& last) {
  for (bool first = true;; first = false) {
    std::uint64_t count = 1;
    together(ranks, [&](auto& agreed) { agreed.sum(std::span(&count, 1)); });
    if (first && ranks.rank() == 0) std::ofstream(started) << "started\n";
    last = std::chrono::steady_clock::now();
  }
}

}  // namespace

/// RANK INTERFACE STORE FILE: the group meets in STORE over INTERFACE, FILE is made when it has met, and FILE.RANK gets the report.
int main(int, char** argv) {
  auto const rank = std::atoi(argv[1]);
  std::string const file = argv[4];
  auto const group = support::gloo_group(rank, argv[2], argv[3]);
  process_group ranks(*group, 2s);
  auto last = std::chrono::steady_clock::now();
  try {
    exchange_for_ever(ranks, file, last);
  } catch (lost_rank const& e) {
    auto const in_time = std::chrono::steady_clock::now() - last < 3s;
    std::ofstream(file + '.' + std::to_string(rank)) << (in_time ? "reported in time: " : "reported late: ") << e.what() << '\n';
  }
  ::_exit(0);  // the group's own end would wait for the other process
}
