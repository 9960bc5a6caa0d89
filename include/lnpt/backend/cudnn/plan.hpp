#pragma once
/// One direction of a convolution as finished execution plans: of the engines that cuDNN's heuristics offer, those that our wishes admit.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/backend/cudnn/convolution.hpp>
#include <lnpt/backend/cudnn/runtime.hpp>

namespace lnpt::cudnn::detail {

/// Where a plan is to run: on the device of a handle, or, never to be executed, on one that is absent and described by its properties.
struct plan_target {
  cudnnHandle_t handle = nullptr;
  descriptor const* device = nullptr;

  [[nodiscard]] descriptor told(descriptor&& d, cudnnBackendAttributeName_t handle_name,
                                std::optional<cudnnBackendAttributeName_t> device_name) const {
    if (handle != nullptr) return std::move(d).set(handle_name, CUDNN_TYPE_HANDLE, 1, &handle);
    return device_name ? std::move(d).set(*device_name, *device) : std::move(d);
  }
};

namespace building {

/// The operands of a plan by the identifiers that a variant pack gives them.
inline constexpr std::array<std::int64_t, 3> operand_ids{'x', 'w', 'y'};

[[nodiscard]] inline descriptor tensor(std::size_t i, convolution const& c) {
  auto const& extents = c.operand(i);
  return descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR)
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, c.type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, {extents.begin(), extents.end()})
      .set(CUDNN_ATTR_TENSOR_STRIDES, c.strides_of(i))
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, operand_ids[i])
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, c.alignment)
      .finalized();
}

[[nodiscard]] inline descriptor window(convolution const& c) {
  auto const mode = CUDNN_CROSS_CORRELATION;
  auto const both = [](std::array<std::int64_t, 2> const& v) { return std::vector<std::int64_t>(v.begin(), v.end()); };
  return descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, c.type_of_sums())  // in double no engine is offered that computes in float
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, both(c.before))
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, both(c.after))
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, both(c.stride))
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, both(c.dilation))
      .finalized();
}

/// The names that each direction has for its attributes.
struct operation_names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, w, y, window, alpha, beta;
};
inline constexpr std::array names_of_directions{
    operation_names{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    operation_names{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    operation_names{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};

/// The graph of this one operation.
[[nodiscard]] inline descriptor graph(convolution const& c, plan_target const& target) {
  auto const& names = names_of_directions[static_cast<std::size_t>(c.which)];
  auto const operation = descriptor(names.type)
                             .set(names.x, tensor(0, c))
                             .set(names.w, tensor(1, c))
                             .set(names.y, tensor(2, c))
                             .set(names.window, window(c))
                             .set(names.alpha, 1.0)
                             .set(names.beta, 0.0)
                             .finalized();
  return target
      .told(descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR).set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation),
            CUDNN_ATTR_OPERATIONGRAPH_HANDLE, std::nullopt)
      .finalized();
}

/// What a mode of the heuristics offers, best first.
[[nodiscard]] inline std::vector<descriptor> offers(descriptor const& graph, cudnnBackendHeurMode_t mode,
                                                    plan_target const& target) {
  auto description = descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
                         .set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
                         .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (target.device != nullptr) description = std::move(description).set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.device);
  auto const search = std::move(description).finalized();
  auto const count = search.read(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  std::vector<descriptor> configurations;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < count; ++i) {
    configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    raw.push_back(configurations.back().get());
  }
  auto const found = search.read(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, raw.data());
  while (configurations.size() > static_cast<std::size_t>(found)) configurations.pop_back();
  return configurations;
}

/// Whether an engine computes as is asked for.
[[nodiscard]] inline bool is_admitted(descriptor const& configuration, convolution const& c, bool deterministic) {
  descriptor const engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  auto raw = engine.get();
  configuration.read(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  auto const count =
      engine.read(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, notes.data());
  return std::none_of(notes.begin(), notes.begin() + count, [&](auto note) {
    return (note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC && deterministic) ||
           (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && !c.tensor_cores) || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
           note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
  });
}

/// The plan of an engine, or nothing where cuDNN does not support it after all (statuses of the class 3000).
[[nodiscard]] inline std::optional<plan> finish(descriptor const& configuration, plan_target const& target) {
  auto execution =
      target.told(descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR).set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration),
                  CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  auto const status = cudnnBackendFinalize(execution.get());
  if (status / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000) return std::nullopt;
  check(status, "cudnnBackendFinalize");
  std::int64_t bytes = 0;
  execution.read(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &bytes);
  return plan{std::move(execution), static_cast<std::size_t>(bytes)};
}

}  // namespace building

/// The first plans for a convolution, `most` at most and at least one.
[[nodiscard]] inline std::vector<plan> build_plans(convolution const& c, plan_target const& target, std::size_t most,
                                                   bool deterministic) {
  std::vector<plan> plans;
  auto const graph = building::graph(c, target);
  for (auto const mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (auto const& configuration : building::offers(graph, mode, target)) {
      if (plans.size() == most) return plans;
      if (!building::is_admitted(configuration, c, deterministic)) continue;
      if (auto made = building::finish(configuration, target)) plans.push_back(std::move(*made));
    }
  if (plans.empty())
    fail("cuDNN has no ", deterministic ? "deterministic " : "", "engine for the ", c.text(), ": ", last_reason(),
         "; take another shape, or the CPU engine");
  return plans;
}

/// The first deterministic plan.
[[nodiscard]] inline plan build_plan(convolution const& c, plan_target const& target) {
  return std::move(build_plans(c, target, 1, true).front());
}

}  // namespace lnpt::cudnn::detail
