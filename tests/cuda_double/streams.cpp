#include "streams.hpp"

#include <deque>
#include <exception>
#include <map>
#include <string>
#include <utility>

#include "cuda_double.hpp"
#include "memory.hpp"

namespace cuda_double {

namespace {

std::map<cudaStream_t, std::deque<std::function<void()>>> queues;
std::string fault;
cudaError_t lost = cudaSuccess;

void run_first(std::deque<std::function<void()>>& queue) {
  auto const work = std::move(queue.front());
  queue.pop_front();
  if (lost != cudaSuccess) return;
  try {
    work();
  } catch (std::exception const& e) {
    fault = e.what();
    lost = cudaErrorIllegalAddress;
  }
}

}  // namespace

void push(cudaStream_t stream, std::function<void()> work) { queues[stream].push_back(std::move(work)); }

cudaError_t drain(cudaStream_t stream) {
  auto& queue = queues[stream];
  if (queue.empty()) return lost;
  accessible const now;
  while (!queue.empty()) run_first(queue);
  return lost;
}

cudaError_t drain_all() {
  for (auto const& each : queues) (void)drain(each.first);
  return lost;
}

cudaError_t drain_until(bool const& reached, cudaStream_t stream) {
  auto& queue = queues[stream];
  accessible const now;
  while (!reached && !queue.empty()) run_first(queue);
  return lost;
}

void forget(cudaStream_t stream) { queues.erase(stream); }

}  // namespace cuda_double

extern "C" {
std::size_t cuda_double_live_bytes() {
  (void)cuda_double::drain_all();  // memory is given back on a stream
  return cuda_double::bytes_in_use();
}
char const* cuda_double_last_fault() { return cuda_double::fault.c_str(); }
}
