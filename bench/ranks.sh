#!/bin/sh
# The rows of several processes in docs/measurements.md: one process through the communicator, two that score, four that rank.
#
#   bench/ranks.sh build/bench/bench/bench_mpi_ranks
set -eu
echo 'ranks | work | processor time of the slowest rank | of all ranks | wall time       (each ÷ one process without a communicator)'
for ranks in 1 2 4; do
  mpirun --allow-run-as-root --oversubscribe -n $ranks "$1"
done
