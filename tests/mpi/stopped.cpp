/// A process that stops answering is reported by the others within the time limit and a second. ctest runs this on 2 processes.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

#include <lnpt/mpi.hpp>

#include "session.hpp"

using namespace lnpt;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  bool const in_setup = argc > 1 && std::strcmp(argv[1], "in_setup") == 0;
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (in_setup && rank == 1) std::raise(SIGSTOP);
  auto const begin = std::chrono::steady_clock::now();
  try {
    mpi::communicator ranks(MPI_COMM_WORLD, 2s);
    if (rank == 1) std::raise(SIGSTOP);
    std::uint64_t count = 1;
    together(ranks, [&](auto& agreed) { agreed.sum(std::span(&count, 1)); });
    std::puts("nobody was missed");
  } catch (lost_rank const& e) {
    auto const waited = std::chrono::steady_clock::now() - begin;
    std::printf("%s: %s\n", waited < 3s ? "reported in time" : "reported late", e.what());
  }
  std::fflush(stdout);
  std::this_thread::sleep_for(300ms);  // mpirun passes the line on
  MPI_Abort(MPI_COMM_WORLD, 1);        // MPI_Finalize would wait for the stopped process
}
