/// The communicator over MPI conforms, and its ranks find what one process finds. ctest runs this on 1 to 4 processes.
#include "../distributed/scoring.hpp"

#include <lnpt/conformance/communicator.hpp>
#include <lnpt/mpi.hpp>

#include "session.hpp"

using namespace lnpt;

TEST_CASE("MPI conforms as a communicator") {
  mpi::communicator ranks(MPI_COMM_WORLD);
  for (auto const& [property, what] : conformance::examine_communicator(ranks)) FAIL_CHECK(property << ": " << what);
}

TEST_CASE("processes find what one process finds: bit for bit where sums are exact, to rounding elsewhere") {
  mpi::communicator ranks(MPI_COMM_WORLD);
  CHECK_NOTHROW(distributed::compare_with_one_process(ranks));
}

TEST_CASE("what one process refuses every process refuses, and they go on together") {
  mpi::communicator ranks(MPI_COMM_WORLD, std::chrono::seconds(20));
  auto const last = ranks.size() - 1;
  auto const sentence = "rank " + std::to_string(last) + ": disk full";
  for (int twice = 0; twice < 2; ++twice)
    CHECK_THROWS_WITH_AS(together(ranks,
                                  [&](auto& agreed) {
                                    if (agreed.rank() == last) fail("disk full");
                                    std::uint64_t count = 1;
                                    agreed.sum(std::span(&count, 1));
                                  }),
                         sentence.c_str(), lnpt::error);
}
