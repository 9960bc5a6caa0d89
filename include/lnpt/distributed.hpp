#pragma once
/// Pruning over several processes: what any communicator (core/communicator.hpp) can do. `lnpt/mpi.hpp` includes this.
#include <lnpt/core/communicator.hpp>
#include <lnpt/distributed/keep_largest.hpp>
#include <lnpt/distributed/problem.hpp>
#include <lnpt/distributed/sampling.hpp>
#include <lnpt/distributed/shard.hpp>
#include <lnpt/distributed/together.hpp>
#include <lnpt/distributed/train.hpp>
