/// What processes score together, each on its part of the oracle's batch, against the oracle. ctest runs this on 2 and 3 processes.
#include "../oracle/comparison.hpp"

#include <lnpt/mpi.hpp>

#include "../skip.hpp"
#include "session.hpp"

namespace {

/// This rank's part of a batch: the last rank has one sample, the others share the rest.
struct rank_share {
  static constexpr bool is_whole = false;
  lnpt::mpi::communicator* ranks;

  template <class Batch, class Act>
  auto operator()(Batch const& whole, Act act) const {
    auto const samples = lnpt::shape_of(whole.input).at(0);
    auto const before = [&](std::size_t r) { return r == ranks->size() ? samples : (samples - 1) * r / (ranks->size() - 1); };
    auto const first = before(ranks->rank());
    auto const last = before(ranks->rank() + 1);
    auto mine = whole;
    mine.input = lnpt::rows(whole.input, first, last);
    if constexpr (requires { mine.labels; })
      mine.labels.assign(whole.labels.begin() + static_cast<std::ptrdiff_t>(first),
                         whole.labels.begin() + static_cast<std::ptrdiff_t>(last));
    return act(lnpt::shard(mine, *ranks));
  }
};

}  // namespace

TEST_CASE("the scores of processes equal the oracle's") {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  lnpt::mpi::communicator ranks(MPI_COMM_WORLD);
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<double> r(name);
    oracle::compare_all<double, decltype(r.student), rank_share>(
        {.file = r, .student = r.student, .teacher = r.teacher, .input = r.input, .diagonal = name == "mlp", .share = {&ranks}});
  }
}
