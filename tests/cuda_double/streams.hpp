#pragma once
/// Streams that are lazy: work is queued, and runs when something waits for it. What forgets to wait reads what was there before.
#include <cuda_runtime_api.h>
#include <functional>

namespace cuda_double {

void push(cudaStream_t stream, std::function<void()> work);
/// Runs all that a stream holds. After a fault nothing runs any more, as on a GPU whose context is lost.
cudaError_t drain(cudaStream_t stream);
cudaError_t drain_all();
/// Runs what stands before an event on its stream.
cudaError_t drain_until(bool const& reached, cudaStream_t stream);
void forget(cudaStream_t stream);

}  // namespace cuda_double
