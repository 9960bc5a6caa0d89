// Pruning over the processes of an MPI program: each holds a part of the scoring batch, and all get the same masks.
//
//     mpirun -n 2 example_mpi_prune
#include <cstdio>
#include <mpi.h>
#include <vector>

#include <lnpt/lnpt.hpp>
#include <lnpt/mpi.hpp>

using engine = lnpt::cpu::backend<float>;
using array = lnpt::cpu::array<float>;

namespace {

/// Images that only this rank has.
lnpt::unlabelled_batch<array> images_of(std::size_t rank, std::size_t count) {
  std::vector<float> pixels(count * 3 * 32 * 32);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(lnpt::normal(rank, 1, i).first);
  return {lnpt::make_tensor<array>({count, 3, 32, 32}, pixels, {})};
}

int run() {
  // [mpi]
  lnpt::mpi::communicator ranks(MPI_COMM_WORLD);                             // 60 s for every exchange
  auto student = lnpt::zoo::resnet<engine>({.depth = 8, .classes = 10}, 1);  // the same on every rank
  auto trained = lnpt::zoo::resnet<engine>({.depth = 8, .classes = 10}, 2);
  auto const mine = images_of(ranks.rank(), 8 + ranks.rank());  // batches of this rank alone

  auto const [masks, report] = lnpt::prune<lnpt::feature_map_synaptic<>>(
      student, lnpt::shard(mine, ranks), lnpt::teacher(trained), {.budget = lnpt::sparsity{0.95}});
  // [mpi]
  if (ranks.rank() == 0)
    std::printf("%zu ranks hold the same masks: %.3f of the scored weights are pruned\n", ranks.size(), report.sparsity_scored);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  try {
    auto const status = run();
    MPI_Finalize();
    return status;
  } catch (lnpt::lost_rank const& e) {
    std::fprintf(stderr, "%s\n", e.what());
    MPI_Abort(MPI_COMM_WORLD, 1);   // the others cannot be waited for
  } catch (lnpt::error const& e) {  // refused by all ranks
    std::fprintf(stderr, "%s\n", e.what());
    MPI_Finalize();
  }
  return 1;
}
