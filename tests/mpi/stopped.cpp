/// A process that stops answering, or that the network no longer reaches, is reported by the others within the time limit and a second.
/// ctest runs this on 2 processes, and partitioned.sh in two network namespaces.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include <lnpt/mpi.hpp>

#include "session.hpp"

using namespace lnpt;
using namespace std::chrono_literals;

namespace {

/// Exchanges until it fails. After the first exchange rank 0 makes the file `started`.
void exchange_for_ever(mpi::communicator& ranks, std::string const& started, std::chrono::steady_clock::time_point& last) {
  for (;;) {
    std::uint64_t count = 1;
    together(ranks, [&](auto& agreed) { agreed.sum(std::span(&count, 1)); });
    if (last == std::chrono::steady_clock::time_point{} && ranks.rank() == 0) std::ofstream(started) << "started\n";
    last = std::chrono::steady_clock::now();
  }
}

}  // namespace

/// in_setup | in_an_exchange: rank 1 stops there. partitioned FILE: nobody does; reports are added to FILE.0 and FILE.1, too.
int main(int argc, char** argv) {
  std::string_view const when = argc > 1 ? argv[1] : "in_an_exchange";
  std::string const file = argc > 2 ? argv[2] : "";
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (when == "in_setup" && rank == 1) std::raise(SIGSTOP);
  auto const begin = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last{};
  try {
    mpi::communicator ranks(MPI_COMM_WORLD, 2s);
    if (when == "partitioned") exchange_for_ever(ranks, file, last);
    if (rank == 1) std::raise(SIGSTOP);
    std::uint64_t count = 1;
    together(ranks, [&](auto& agreed) { agreed.sum(std::span(&count, 1)); });
    std::puts("nobody was missed");
  } catch (lost_rank const& e) {
    auto const waited = std::chrono::steady_clock::now() - (when == "partitioned" ? last : begin);
    auto const report = std::string(waited < 3s ? "reported in time: " : "reported late: ") + e.what();
    std::puts(report.c_str());
    if (!file.empty()) std::ofstream(file + '.' + std::to_string(rank)) << report << '\n';
  }
  std::fflush(stdout);
  std::this_thread::sleep_for(300ms);  // mpirun passes the line on
  MPI_Abort(MPI_COMM_WORLD, 1);        // MPI_Finalize would wait for the stopped process
}
