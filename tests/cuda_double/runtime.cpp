/// CUDA's runtime: memory, copies, streams, events and launches.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cuda_double.hpp"
#include "faults.hpp"
#include "grid.hpp"
#include "kernel.hpp"
#include "memory.hpp"
#include "streams.hpp"

using namespace cuda_double;

namespace {

cudaError_t last = cudaSuccess;
int architecture = 90;
std::map<char*, std::size_t> pinned;

/// Notes an error for cudaGetLastError, as the runtime does.
cudaError_t noted(cudaError_t e) {
  if (e != cudaSuccess) last = e;
  return e;
}

bool is_pinned(void const* address) {
  auto const* const at = static_cast<char const*>(address);
  return std::any_of(pinned.begin(), pinned.end(), [&](auto const& p) { return at >= p.first && at < p.first + p.second; });
}

struct event {
  struct state {
    bool is_reached = false;
    long milliseconds = 0;  ///< at which it was
  };
  bool is_timed = false;
  std::shared_ptr<state> at = std::make_shared<state>(true);
  cudaStream_t on = nullptr;
};
event* opened(cudaEvent_t e) { return reinterpret_cast<event*>(e); }

void require(void const* address, std::size_t bytes) {
  if (is_device(address)) require_live(address, bytes);
}

}  // namespace

extern "C" {
void cuda_double_architecture(int version) { architecture = version; }

char const* cudaGetErrorName(cudaError_t e) {
  switch (e) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    default: return "cudaErrorUnknown";
  }
}
char const* cudaGetErrorString(cudaError_t e) {
  return e == cudaErrorIllegalAddress ? cuda_double_last_fault() : "made to fail, or refused";
}
cudaError_t cudaGetLastError() { return std::exchange(last, cudaSuccess); }
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* n) {
  if (fails()) return noted(cudaErrorUnknown);
  *n = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return noted(fails() ? cudaErrorUnknown : device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  if (fails()) return noted(cudaErrorUnknown);
  *value = attribute == cudaDevAttrComputeCapabilityMajor   ? architecture / 10
           : attribute == cudaDevAttrComputeCapabilityMinor ? architecture % 10
                                                            : 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  if (fails()) return noted(cudaErrorUnknown);
  *pool = reinterpret_cast<cudaMemPool_t>(&last);  // any address: nobody looks into a pool
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  return noted(fails() ? cudaErrorUnknown : cudaSuccess);
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  if (fails()) return noted(cudaErrorUnknown);
  *total = memory_size();
  *free = *total - std::min(*total, bytes_in_use());
  return cudaSuccess;
}

// --- memory --------------------------------------------------------------------------------------------------------------
cudaError_t cudaMallocAsync(void** p, size_t bytes, cudaStream_t) {
  if (is_crowded()) (void)drain_all();
  *p = fails() ? nullptr : allocate(bytes);
  return noted(*p ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  if (!is_device(p)) return noted(cudaErrorInvalidValue);
  give_up(p);
  push(stream, [p] { release(p); });
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** p, size_t bytes) {
  if (fails()) return noted(cudaErrorMemoryAllocation);
  *p = std::malloc(bytes);
  std::memset(*p, 0xFF, bytes);
  pinned.emplace(static_cast<char*>(*p), bytes);
  ++count.objects;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  (void)drain_all();
  pinned.erase(static_cast<char*>(p));
  std::free(p);
  --count.objects;
  return cudaSuccess;
}
/// From pinned and device memory the copy reads when it runs, from other memory at the call; into other memory it waits.
cudaError_t cudaMemcpyAsync(void* to, void const* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  if (fails()) return noted(cudaErrorUnknown);
  auto const copy = [to, bytes](void const* source) {
    require(to, bytes);
    require(source, bytes);
    std::memcpy(to, source, bytes);
  };
  if (is_device(from) || is_pinned(from)) {
    push(stream, [copy, from] { copy(from); });
  } else {
    auto const* const first = static_cast<char const*>(from);
    push(stream, [copy, staged = std::vector<char>(first, first + bytes)] { copy(staged.data()); });
  }
  if (is_device(to) || is_pinned(to)) return cudaSuccess;
  ++count.waits;
  return noted(drain(stream));
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  if (fails()) return noted(cudaErrorUnknown);
  push(stream, [=] {
    require_live(p, bytes);
    std::memset(p, value, bytes);
  });
  return cudaSuccess;
}

// --- streams and events ----------------------------------------------------------------------------------------------------
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (fails()) return noted(cudaErrorUnknown);
  *stream = reinterpret_cast<cudaStream_t>(new char);
  ++count.objects;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  auto const outcome = drain(stream);
  forget(stream);
  delete reinterpret_cast<char*>(stream);
  --count.objects;
  return outcome;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (fails()) return noted(cudaErrorUnknown);
  ++count.waits;
  return noted(drain(stream));
}
cudaError_t cudaDeviceSynchronize() {
  if (fails()) return noted(cudaErrorUnknown);
  ++count.waits;
  return noted(drain_all());
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned flags) {
  if (fails()) return noted(cudaErrorUnknown);
  *e = reinterpret_cast<cudaEvent_t>(new event{.is_timed = (flags & cudaEventDisableTiming) == 0});
  ++count.objects;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete opened(e);
  --count.objects;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream) {
  if (fails()) return noted(cudaErrorUnknown);
  opened(e)->at = std::make_shared<event::state>();
  opened(e)->on = stream;
  push(stream, [at = opened(e)->at] { *at = {true, count.milliseconds}; });
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  if (fails()) return noted(cudaErrorUnknown);
  if (!opened(e)->at->is_reached) ++count.waits;
  auto const found = *opened(e);
  return noted(drain_until(found.at->is_reached, found.on));
}
/// Of work that has run, between events that were made to be timed.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  if (fails()) return noted(cudaErrorUnknown);
  if (!opened(from)->is_timed || !opened(to)->is_timed) return noted(cudaErrorInvalidResourceHandle);
  if (!opened(from)->at->is_reached || !opened(to)->at->is_reached) return noted(cudaErrorNotReady);
  *milliseconds = static_cast<float>(opened(to)->at->milliseconds - opened(from)->at->milliseconds);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned) {
  if (fails()) return noted(cudaErrorUnknown);
  push(stream, [found = *opened(e)] { (void)drain_until(found.at->is_reached, found.on); });
  return cudaSuccess;
}

// --- launches --------------------------------------------------------------------------------------------------------------
cudaError_t cudaLaunchKernel(void const* f, dim3 grid, dim3 block, void** arguments, size_t, cudaStream_t stream) {
  if (fails()) return noted(cudaErrorUnknown);
  auto const threads = block.x * block.y * block.z;
  if (threads == 0 || threads > 1024 || grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535)
    return noted(cudaErrorInvalidConfiguration);
  ++count.launches;
  cuda_double_launch launch;
  static_cast<kernel const*>(f)->bind(arguments, launch);
  push(stream, [=] {
    for (auto const* address : launch.addresses) require_live(address, 0);
    run_grid(grid, block, launch.thread);
  });
  return cudaSuccess;
}
}
