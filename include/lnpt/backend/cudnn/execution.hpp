#pragma once
/// Plans of convolutions, built once and run on the stream; where the fastest are wanted, timed before.
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <lnpt/backend/cudnn/buffer.hpp>
#include <lnpt/backend/cudnn/plan.hpp>

namespace lnpt::cudnn::detail {

/// The addresses of x, w and y; cuDNN takes all of them as ones that may be written.
using operands = std::array<void*, 3>;

inline void execute(plan const& of, operands const& addresses) {
  auto& device = runtime::current();
  device.flush();
  buffer const workspace(of.workspace);
  auto* const space = workspace.get();
  auto const pack = descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
                        .set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, building::operand_ids.data())
                        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, addresses.data())
                        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &space)
                        .finalized();
  check(cudnnBackendExecute(device.cudnn(), of.execution.get(), pack.get()), "cudnnBackendExecute");
}

/// Milliseconds of the fastest of three runs, after one that warms up. The host waits.
[[nodiscard]] inline float time_of(plan const& of, operands const& addresses) {
  auto const stream = runtime::current().stream();
  event_handle begin;
  event_handle end;
  for (auto* const each : {&begin, &end})
    check(cudaEventCreateWithFlags(each->out(), cudaEventDefault), "cudaEventCreateWithFlags");
  execute(of, addresses);
  auto least = std::numeric_limits<float>::infinity();
  for (int i = 0; i < 3; ++i) {
    check(cudaEventRecord(begin.get(), stream), "cudaEventRecord");
    execute(of, addresses);
    check(cudaEventRecord(end.get(), stream), "cudaEventRecord");
    check(cudaEventSynchronize(end.get()), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "cudaEventElapsedTime");
    least = std::min(least, milliseconds);
  }
  return least;
}

/// The fastest of the first eight plans. One that fails, for want of memory say, is the slowest; if all do, whoever runs it is told why.
[[nodiscard]] inline plan fastest_plan(convolution const& c, plan_target const& target, operands const& addresses) {
  auto plans = build_plans(c, target, 8, false);
  std::vector<float> times(plans.size(), std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < plans.size(); ++i) {
    try {
      times[i] = time_of(plans[i], addresses);
    } catch (lnpt::error const&) {
      continue;
    }
  }
  return std::move(plans[static_cast<std::size_t>(std::ranges::min_element(times) - times.begin())]);
}

/// Runs a convolution on the stream; its plan is built once.
inline void run(convolution const& c, operands const& addresses) {
  auto& device = runtime::current();
  auto const choice = chosen_device().plans;
  auto key = c.key();
  key.push_back(static_cast<int>(choice));
  auto found = device.plans().find(key);
  if (found == device.plans().end()) {
    plan_target const here{.handle = device.cudnn(), .device = nullptr};
    found = device.plans()
                .emplace(std::move(key), choice == plan_choice::first ? build_plan(c, here) : fastest_plan(c, here, addresses))
                .first;
  }
  execute(found->second, addresses);
}

}  // namespace lnpt::cudnn::detail
