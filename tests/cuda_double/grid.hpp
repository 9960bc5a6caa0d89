#pragma once
/// Runs a kernel's grid on this thread: block by block, and the threads of a block as fibres where they wait for each other.
#include <cuda_runtime_api.h>
#include <functional>

namespace cuda_double {

/// Throws `illegal_address` where threads wait at a barrier that the others never reach.
void run_grid(dim3 grid, dim3 block, std::function<void()> const& thread);

}  // namespace cuda_double
