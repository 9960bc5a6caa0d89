#pragma once
/// What a compiled kernel asks of the double.

struct cuda_double_uint3 {
  unsigned x, y, z;
};

extern "C" {
extern cuda_double_uint3 cuda_double_threadIdx, cuda_double_blockIdx, cuda_double_blockDim, cuda_double_gridDim;
void cuda_double_barrier(int of_warp);
unsigned cuda_double_lane();
void* cuda_double_slot(unsigned lane);
}
