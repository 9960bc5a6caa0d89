// Every convolution of the zoo at batch 128 has a deterministic plan on devices of every generation, in little workspace. cuDNN plans for
// a device that is not there from its properties alone, without GPU and driver; on the double, which has no engines, it skips.
//
// The properties of absent devices were written by hand from what NVIDIA publishes, not read from one; LNPT_DEVICE_JSON names a file that gets
// those of the device that is here.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <lnpt/backend/cudnn/plan.hpp>

#include "device.hpp"

using namespace lnpt::cudnn::detail;

namespace {

struct gpu {
  char const* name;
  int version, processors, cache_mb, shared_kb, threads;
};
std::vector<gpu> const gpus{{"Tesla T4", 750, 40, 4, 64, 1024},         {"NVIDIA A100-SXM4-80GB", 800, 108, 40, 163, 2048},
                            {"NVIDIA L4", 890, 58, 48, 99, 1536},       {"NVIDIA H100 80GB HBM3", 900, 132, 50, 227, 2048},
                            {"NVIDIA B200", 1000, 148, 126, 227, 2048}, {"NVIDIA GeForce RTX 5090", 1200, 170, 96, 99, 1536}};

std::string properties(gpu const& g) {
  auto const member = [](char const* name, std::int64_t value) {
    return std::string(", \"") + name + "\": " + std::to_string(value);
  };
  return R"({"maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64])" + member("regsPerBlock", 65536) +
         member("multiProcessorCount", g.processors) + member("smClockRateKHz", 1980000) + member("memClockRateKHz", 2619000) +
         member("memoryBusWidth", 5120) + member("l2CacheSize", std::int64_t{g.cache_mb} << 20) + member("warpSize", 32) +
         member("maxSharedMemoryPerBlock", 49152) + member("maxSharedMemoryPerBlockOptin", g.shared_kb * 1024) +
         member("reservedSharedMemoryPerBlock", 1024) + member("maxRegistersPerSM", 65536) + member("pciDeviceId", 0) +
         member("maxCtasPerSM", 32) + member("maxThreadsPerBlock", 1024) + member("maxThreadsPerSM", g.threads) +
         member("isTccDriver", 0) + member("supportCoopLaunch", 1) + member("deviceVer", g.version) + member("driverVer", 13000) +
         member("cudaDeviceId", 0) + member("totalGlobalMem", std::int64_t{16} << 30) + R"(, "deviceName": ")" + g.name + "\"}";
}

/// A square convolution of square images, padded to keep their size but for the stride.
struct layer {
  std::int64_t inputs, outputs, side, kernel, stride, groups;
  auto operator<=>(layer const&) const = default;
};

/// The distinct convolutions of ResNet-32 (32/64/128), VGG-19 and MobileNet on images of 32×32.
std::set<layer> zoo() {
  std::set<layer> all{{3, 32, 32, 3, 1, 1}};
  for (std::int64_t const width : {32, 64, 128}) {
    all.insert({width, width, 1024 / width, 3, 1, 1});
    if (width != 32) all.insert({width / 2, width, 2048 / width, 3, 2, 1});
  }
  std::int64_t inputs = 3;
  std::int64_t side = 32;
  for (std::int64_t const width : {64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512}) {
    if (width == 0) {
      side /= 2;
    } else {
      all.insert({inputs, width, side, 3, 1, 1});
      inputs = width;
    }
  }
  side = 32;
  inputs = 32;
  for (auto const& [width, stride] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {1024, 2}, {1024, 1}}) {
    all.insert({inputs, inputs, side, 3, stride, inputs});
    side /= stride;
    all.insert({inputs, width, side, 1, 1, 1});
    inputs = width;
  }
  return all;
}

/// How convolutions compute, as `convolution` has it.
struct arithmetic {
  cudnnDataType_t type;
  bool tensor_cores;
};
constexpr arithmetic fp32{CUDNN_DATA_FLOAT, false};
constexpr arithmetic tf32{CUDNN_DATA_FLOAT, true};
constexpr arithmetic bf16{CUDNN_DATA_BFLOAT16, true};

convolution problem(direction which, layer const& l, arithmetic how) {
  std::int64_t const batch = 128;
  auto const out = (l.side + l.stride - 1) / l.stride;
  auto const before = l.kernel / 2;
  auto const after = (out - 1) * l.stride + l.kernel - l.side - before;
  return {which,
          {batch, l.inputs, l.side, l.side},
          {l.outputs, l.inputs / l.groups, l.kernel, l.kernel},
          {batch, l.outputs, out, out},
          {before, before},
          {after, after},
          {l.stride, l.stride},
          {1, 1},
          how.type,
          how.tensor_cores,
          16};
}

/// A device that is here, as cuDNN reads it.
std::string properties_here() {
  std::int32_t const first = 0;
  auto const device = descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)
                          .set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, &first)
                          .finalized();
  auto const length = device.read(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, nullptr);
  std::string text(static_cast<std::size_t>(length), '\0');
  device.read(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, length, text.data());
  return text.c_str();  // the length counts the end
}

/// The device, or nothing where cuDNN cannot plan without a driver (from 9.27 on it loads a library that asks for libcuda).
std::optional<descriptor> described(std::string const& text) {
  auto made = descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)
                  .set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<std::int64_t>(text.size() + 1),
                       text.c_str());
  auto const status = cudnnBackendFinalize(made.get());
  if (status == CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED) return std::nullopt;
  check(status, "cudnnBackendFinalize");
  return made;
}

}  // namespace

TEST_CASE(
    "every convolution of the zoo has a deterministic plan in each precision of every generation of devices, in at most 160 "
    "MiB") {
  if (on_double()) return skip("the double has no engines to choose from");
  auto const layers = zoo();
  CHECK(layers.size() > 30);
  for (auto const& g : gpus) {
    CAPTURE(g.name);
    auto const device = described(properties(g));
    if (!device) return skip("this cuDNN does not plan without a driver: " + last_reason());
    for (auto const how : {fp32, tf32, bf16})
      for (auto const& l : layers)
        for (auto const which : {direction::forward, direction::input_gradient, direction::weight_gradient}) {
          auto const c = problem(which, l, how);
          CAPTURE(c.text());
          plan_target const there{.handle = nullptr, .device = &*device};
          if (g.version < 800 &&
              how.tensor_cores) {  // which `use_precision` refuses: there are engines for tf32 that compute in fp32
            if (how.type == bf16.type) CHECK_THROWS_AS((void)build_plan(c, there), lnpt::error);
          } else {
            CHECK(build_plan(c, there).workspace <= std::size_t{160} << 20);
          }
        }
  }
}

TEST_CASE("the plans for the device here, if there is one, are those predicted from its properties alone") {
  if (lnpt::cudnn::device_count() == 0) return;  // the first case needs none
  auto const text = properties_here();
  if (auto const* const path = std::getenv("LNPT_DEVICE_JSON")) std::ofstream(path) << text << '\n';
  auto const predicted = described(text);
  if (!predicted) return skip("this cuDNN does not plan without a driver: " + last_reason());
  auto const handle = runtime::current().cudnn();
  for (auto const how : {fp32, tf32, bf16})
    for (auto const& l : zoo())
      for (auto const which : {direction::forward, direction::input_gradient, direction::weight_gradient}) {
        auto const c = problem(which, l, how);
        CAPTURE(c.text());
        if (how.tensor_cores && lnpt::cudnn::detail::architecture_of(0) < 80) continue;
        CHECK(build_plan(c, {.handle = handle, .device = nullptr}).workspace ==
              build_plan(c, {.handle = nullptr, .device = &*predicted}).workspace);
      }
}
