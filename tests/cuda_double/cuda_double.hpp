#pragma once
/// The controls of the double: a stand-in, on the CPU, for the calls of CUDA's runtime, cuDNN, cuBLAS and NVRTC that the adapter makes.
///
/// A test finds them by `dlsym`, since it is linked to NVIDIA's own libraries and the loader decides what it runs on.
#include <cstddef>

extern "C" {
void cuda_double_fail_at(long n);            ///< the n-th call from now on fails with an error of its library; 0: none does
long cuda_double_calls();                    ///< calls so far
long cuda_double_launches();                 ///< kernels, graph executions and products so far
long cuda_double_waits();                    ///< times the host waited for a stream so far
long cuda_double_engine();                   ///< the number of the engine of the convolution queued last; -1 before any
void cuda_double_architecture(int version);  ///< the device's compute capability, 90 unless it is set
long cuda_double_new_allocations();          ///< allocations so far that the pool could not serve from memory given back
long cuda_double_take_peak_bytes();    ///< the most bytes in use at once, in the order of the stream, since it was last asked
std::size_t cuda_double_live_bytes();  ///< bytes of device memory in use, once all streams have run
void cuda_double_memory(std::size_t bytes);  ///< how much device memory there is; 0: all that the double has
long cuda_double_live_objects();             ///< handles, descriptors, streams, libraries and pinned blocks in use
void cuda_double_order(
    int how);  ///< order of a grid's blocks and a block's threads: 0 forward, 1 backward, n > 1 shuffled by seed n
char const* cuda_double_last_fault();  ///< what queued work did wrong
}
