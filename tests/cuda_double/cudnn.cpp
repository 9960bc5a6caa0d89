/// cuDNN's graph API, for graphs of one convolution. Descriptors are checked when they are finalised, and plans want their workspace.
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convolution.hpp"
#include "faults.hpp"
#include "memory.hpp"
#include "streams.hpp"

using namespace cuda_double;

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

std::string reason;
cudnnStatus_t refuse(std::string why, cudnnStatus_t status = CUDNN_STATUS_BAD_PARAM) {
  reason = std::move(why);
  return status;
}
cudnnStatus_t refuse_on_request() { return refuse("made to fail", CUDNN_STATUS_EXECUTION_FAILED); }

/// What a descriptor holds. Attributes that are descriptors are shared: a finalised one may outlive those it was made of.
struct contents {
  cudnnBackendDescriptorType_t type;
  std::map<int, std::vector<char>> values;
  std::map<int, std::shared_ptr<contents>> descriptors;
  bool finalised = false;

  template <class T>
  [[nodiscard]] std::vector<T> all(int name) const {
    auto const found = values.find(name);
    if (found == values.end()) return {};
    std::vector<T> result(found->second.size() / sizeof(T));
    std::memcpy(result.data(), found->second.data(), found->second.size());
    return result;
  }
  template <class T>
  [[nodiscard]] T one(int name) const {
    auto const found = all<T>(name);
    return found.empty() ? T{} : found.front();
  }
};
using shared = std::shared_ptr<contents>;
shared& opened(cudnnBackendDescriptor_t d) { return *static_cast<shared*>(d); }

std::size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE: return 8;
    case CUDNN_TYPE_CHAR:
    case CUDNN_TYPE_BOOLEAN: return 1;
    default: return 4;
  }
}

/// The names that one direction of the convolution has for its attributes.
struct operation_names {
  cudnnBackendDescriptorType_t type;
  direction which;
  int x, w, y, window, alpha, beta;
};
constexpr std::array triple{
    operation_names{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, direction::forward,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    operation_names{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, direction::data,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    operation_names{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, direction::filter,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};

operation_names const* names_of(contents const& operation) {
  auto const* const found = std::find_if(triple.begin(), triple.end(), [&](auto const& n) { return n.type == operation.type; });
  return found == triple.end() ? nullptr : found;
}

template <std::size_t N>
std::array<std::int64_t, N> integers(contents const& d, int name) {
  std::array<std::int64_t, N> result{};
  auto const found = d.all<std::int64_t>(name);
  std::copy_n(found.begin(), std::min(N, found.size()), result.begin());
  return result;
}
strided tensor_of(contents const& d) {
  return {integers<4>(d, CUDNN_ATTR_TENSOR_DIMENSIONS), integers<4>(d, CUDNN_ATTR_TENSOR_STRIDES)};
}

/// The convolution that an operation describes.
convolution convolution_of(contents const& op) {
  auto const& n = *names_of(op);
  auto const& w = *op.descriptors.at(n.window);
  auto const type = op.descriptors.at(n.x)->one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  return {n.which,
          tensor_of(*op.descriptors.at(n.x)),
          tensor_of(*op.descriptors.at(n.w)),
          tensor_of(*op.descriptors.at(n.y)),
          {integers<2>(w, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS), integers<2>(w, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS),
           integers<2>(w, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES), integers<2>(w, CUDNN_ATTR_CONVOLUTION_DILATIONS)},
          type == CUDNN_DATA_DOUBLE     ? element::fp64
          : type == CUDNN_DATA_BFLOAT16 ? element::bf16
                                        : element::fp32,
          op.one<double>(n.alpha),
          op.one<double>(n.beta)};
}

/// What an operation lacks, before it can be finalised.
std::string fault_of(contents const& op) {
  auto const& n = *names_of(op);
  for (auto const part : {n.x, n.w, n.y, n.window})
    if (!op.descriptors.contains(part)) return "an operand of the convolution is missing";
  return convolution_of(op).mismatch();
}

void write(void* to, std::int64_t value) { std::memcpy(to, &value, sizeof value); }

/// An engine by its notes, what it rounds operands to where they are fp32, and its milliseconds.
struct engine {
  std::vector<cudnnBackendNumericalNote_t> notes;
  rounding operands;
  int milliseconds;
};
/// As NVIDIA's heuristics offer them: the first ones suit neither who wants the same bits at every run nor who wants fp32.
std::vector<engine> const engines{
    {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, rounding::bf16, 1},
    {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}, rounding::tf32, 1},
    {{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, rounding::tf32, 2},
    {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, rounding::tf32, 5},
    {{}, rounding::none, 6},
    {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, rounding::tf32, 3},
    {{}, rounding::none, 4}};

/// How many engines there are for an operation: none for data in double that is to be computed in float, as by NVIDIA's heuristics, and
/// for bf16 that is to be summed in bf16.
std::size_t engines_for(contents const& op) {
  auto const& n = *names_of(op);
  auto const compute = op.descriptors.at(n.window)->one<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE);
  auto const wanted = convolution_of(op).type == element::fp64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  return compute == wanted ? engines.size() : 0;
}
std::size_t number_of(contents const& configuration) {
  return static_cast<std::size_t>(configuration.one<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
}
void number(contents& configuration, std::size_t engine) {
  configuration.values[CUDNN_ATTR_ENGINE_GLOBAL_INDEX].resize(sizeof(std::int64_t));
  write(configuration.values[CUDNN_ATTR_ENGINE_GLOBAL_INDEX].data(), static_cast<std::int64_t>(engine));
}

contents const& configuration_of_plan(contents const& plan) {
  return *plan.descriptors.at(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
}
contents const& operation_of_plan(contents const& plan) {
  return *configuration_of_plan(plan)
              .descriptors.at(CUDNN_ATTR_ENGINE_OPERATION_GRAPH)
              ->descriptors.at(CUDNN_ATTR_OPERATIONGRAPH_OPS);
}

/// Not none, so that callers have to bring it.
std::int64_t workspace_of(contents const& op) { return static_cast<std::int64_t>(convolution_of(op).x.span() * sizeof(float)); }

}  // namespace

extern "C" {
size_t cudnnGetVersion() { return CUDNN_VERSION; }
char const* cudnnGetErrorString(cudnnStatus_t s) {
  return s == CUDNN_STATUS_SUCCESS     ? "CUDNN_STATUS_SUCCESS"
         : s == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM"
                                       : "CUDNN_STATUS_EXECUTION_FAILED";
}
void cudnnGetLastErrorString(char* out, size_t room) {
  auto const n = std::min(reason.size(), room - 1);
  std::memcpy(out, reason.c_str(), n);
  out[n] = 0;
  reason.clear();
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* h) {
  if (fails()) return refuse_on_request();
  *h = new cudnnContext;
  ++count.objects;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t h) {
  delete h;
  --count.objects;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t stream) {
  if (fails()) return refuse_on_request();
  h->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* d) {
  if (fails()) return refuse_on_request();
  *d = new shared(std::make_shared<contents>(contents{type, {}, {}}));
  ++count.objects;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d) {
  delete static_cast<shared*>(d);
  --count.objects;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t n, void const* values) {
  if (fails()) return refuse_on_request();
  auto& to = *opened(d);
  if (to.finalised) return refuse("an attribute of a descriptor that is finalised");
  if (n <= 0 || values == nullptr) return refuse("an attribute without values");
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    auto const part = opened(*static_cast<cudnnBackendDescriptor_t const*>(values));
    if (!part->finalised) return refuse("a descriptor that is not finalised", CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
    to.descriptors[name] = part;
    return CUDNN_STATUS_SUCCESS;
  }
  auto const* const first = static_cast<char const*>(values);
  to.values[name].assign(first, first + static_cast<std::size_t>(n) * size_of(type));
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t d) {
  if (fails()) return refuse_on_request();
  auto& made = *opened(d);
  if (names_of(made) != nullptr)
    if (auto fault = fault_of(made); !fault.empty()) return refuse(std::move(fault));
  if (made.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR && !made.descriptors.contains(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH))
    return refuse("heuristics without a graph");
  if (made.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && !made.descriptors.contains(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG))
    return refuse("a plan without an engine");
  made.finalised = true;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t,
                                       std::int64_t n, std::int64_t* found, void* out) {
  if (fails()) return refuse_on_request();
  auto const& from = *opened(d);
  if (!from.finalised) return refuse("a descriptor that is not finalised", CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS: {
      auto const graph = from.descriptors.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
      auto const all = engines_for(*graph->descriptors.at(CUDNN_ATTR_OPERATIONGRAPH_OPS));
      for (std::size_t i = 0; i < std::min(all, static_cast<std::size_t>(n)); ++i) {
        auto& configuration = *opened(static_cast<cudnnBackendDescriptor_t*>(out)[i]);
        configuration.descriptors[CUDNN_ATTR_ENGINE_OPERATION_GRAPH] = graph;
        number(configuration, i);
        configuration.finalised = true;
      }
      *found = static_cast<std::int64_t>(n == 0 ? all : std::min(all, static_cast<std::size_t>(n)));
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINECFG_ENGINE: {
      *found = 1;
      auto& taken = *opened(*static_cast<cudnnBackendDescriptor_t*>(out));
      number(taken, number_of(from));
      taken.finalised = true;
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE: {
      auto const& notes = engines[number_of(from)].notes;
      std::copy_n(notes.begin(), std::min(notes.size(), static_cast<std::size_t>(n)),
                  static_cast<cudnnBackendNumericalNote_t*>(out));
      *found = static_cast<std::int64_t>(notes.size());
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION: {
      constexpr std::string_view text = R"({"deviceName": "the double", "deviceVer": 900})";
      *found = static_cast<std::int64_t>(text.size() + 1);
      if (n >= *found) std::memcpy(out, text.data(), text.size() + 1);
      return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      *found = 1;
      write(out, workspace_of(operation_of_plan(from)));
      return CUDNN_STATUS_SUCCESS;
    default: return refuse("an attribute that the double does not know", CUDNN_STATUS_NOT_SUPPORTED);
  }
}
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  if (fails()) return refuse_on_request();
  auto const& op = operation_of_plan(*opened(plan));
  auto const& given = *opened(pack);
  auto const ids = given.all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  auto const addresses = given.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  auto const address = [&](int operand) -> void* {
    auto const id = op.descriptors.at(operand)->one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    auto const at = std::find(ids.begin(), ids.end(), id) - ids.begin();
    return static_cast<std::size_t>(at) < addresses.size() ? addresses[static_cast<std::size_t>(at)] : nullptr;
  };
  auto const& n = *names_of(op);
  ++count.launches;
  count.engine = static_cast<long>(number_of(configuration_of_plan(*opened(plan))));
  auto const& chosen = engines[static_cast<std::size_t>(count.engine)];
  push(h->stream,
       [&chosen, run = convolution_of(op), x = address(n.x), w = address(n.w), y = address(n.y),
        space = given.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE), bytes = static_cast<std::size_t>(workspace_of(op))] {
         require_live(space, bytes);
         std::memset(space, 0xFF, bytes);
         run.run(x, w, y, run.type == element::fp32 ? chosen.operands : rounding::none);
         count.milliseconds += chosen.milliseconds;
       });
  return CUDNN_STATUS_SUCCESS;
}
}
