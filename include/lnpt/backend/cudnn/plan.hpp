#pragma once
/// One direction of a convolution as a finished execution plan: the first engine that cuDNN's heuristics offer and our wishes admit.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/backend/cudnn/buffer.hpp>

namespace lnpt::cudnn::detail {

enum class direction : int { forward, input_gradient, weight_gradient };

/// Extents [N, C, H, W] and [O, C/groups, kh, kw], contiguous; groups follow from the channels of x and w.
struct convolution {
  direction which;
  std::array<std::int64_t, 4> x, w, y;
  std::array<std::int64_t, 2> before, after, stride, dilation;
  cudnnDataType_t type;
  std::int64_t alignment;  ///< bytes to which every operand is aligned

  /// Everything that a plan depends on.
  [[nodiscard]] std::vector<std::int64_t> key() const {
    std::vector<std::int64_t> all{static_cast<int>(which), static_cast<int>(type), alignment};
    for (auto const* part : {&x, &w, &y}) all.insert(all.end(), part->begin(), part->end());
    for (auto const* part : {&before, &after, &stride, &dilation}) all.insert(all.end(), part->begin(), part->end());
    return all;
  }
  [[nodiscard]] std::string text() const {
    static constexpr std::array names{"convolution", "input gradient of a convolution", "weight gradient of a convolution"};
    return std::string(names[static_cast<std::size_t>(which)]) + " of images " + list(x) + " with weights " + list(w) + " to " +
           list(y) + ", stride " + list(stride) + ", dilation " + list(dilation) +
           (type == CUDNN_DATA_DOUBLE ? ", in double" : ", in fp32 without tensor cores");
  }
};

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

[[nodiscard]] inline descriptor tensor(std::int64_t id, std::array<std::int64_t, 4> const& e, convolution const& c) {
  return descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR)
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, c.type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, {e.begin(), e.end()})
      .set(CUDNN_ATTR_TENSOR_STRIDES, {e[1] * e[2] * e[3], e[2] * e[3], e[3], 1})
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, c.alignment)
      .finalized();
}

[[nodiscard]] inline descriptor window(convolution const& c) {
  auto const mode = CUDNN_CROSS_CORRELATION;
  auto const both = [](std::array<std::int64_t, 2> const& v) { return std::vector<std::int64_t>(v.begin(), v.end()); };
  return descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, c.type)  // in double no engine is offered that computes in float
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
                             .set(names.x, tensor(operand_ids[0], c.x, c))
                             .set(names.w, tensor(operand_ids[1], c.w, c))
                             .set(names.y, tensor(operand_ids[2], c.y, c))
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

/// Whether an engine gives the same bits at every run, and fp32 where fp32 is asked for.
[[nodiscard]] inline bool is_admitted(descriptor const& configuration) {
  descriptor const engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  auto raw = engine.get();
  configuration.read(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  auto const count =
      engine.read(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, notes.data());
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE ||
        notes[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)
      return false;
  return true;
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

[[nodiscard]] inline plan build_plan(convolution const& c, plan_target const& target) {
  auto const graph = building::graph(c, target);
  for (auto const mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (auto const& configuration : building::offers(graph, mode, target))
      if (building::is_admitted(configuration))
        if (auto made = building::finish(configuration, target)) return std::move(*made);
  fail("cuDNN has no deterministic engine for the ", c.text(), ": ", last_reason(), "; take another shape, or the CPU engine");
}

/// Runs a convolution on the stream; its plan is built once.
inline void run(convolution const& c, void const* x, void const* w, void const* y) {
  auto& device = runtime::current();
  auto found = device.plans().find(c.key());
  if (found == device.plans().end())
    found = device.plans().emplace(c.key(), build_plan(c, {.handle = device.cudnn(), .device = nullptr})).first;
  device.flush();
  buffer const workspace(found->second.workspace);
  // cuDNN takes all operands as addresses that may be written.
  std::array<void*, 3> const operands{const_cast<void*>(x), const_cast<void*>(w), const_cast<void*>(y)};
  auto* const space = workspace.get();
  auto const pack = descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
                        .set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, building::operand_ids.data())
                        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, operands.data())
                        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &space)
                        .finalized();
  check(cudnnBackendExecute(device.cudnn(), found->second.execution.get(), pack.get()), "cudnnBackendExecute");
}

}  // namespace lnpt::cudnn::detail
