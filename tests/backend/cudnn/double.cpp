/// The double finds what it is there to find: each fault is planted once.
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <limits>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <lnpt/backend/cudnn/execution.hpp>

#include "device.hpp"

namespace {

constexpr auto source = R"cuda(
__global__ void reverse_without_barrier(float const* x, float* y) {
  __shared__ float shared[64];
  shared[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = shared[63 - threadIdx.x];
}
__global__ void reverse(float const* x, float* y) {
  __shared__ float shared[64];
  shared[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = shared[63 - threadIdx.x];
}
__global__ void part_at_a_barrier(float* y) {
  if (threadIdx.x < 32) __syncthreads();
  y[threadIdx.x] = 1;
}
__global__ void read_one_too_far(float const* x, float* y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
)cuda";

void require(bool good) { REQUIRE(good); }

/// The kernels above, loaded.
class kernels {
 public:
  kernels() {
    std::array const names{"reverse_without_barrier", "reverse", "part_at_a_barrier", "read_one_too_far"};
    nvrtcProgram program = nullptr;
    require(nvrtcCreateProgram(&program, source, "faults.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS);
    for (auto const* name : names) require(nvrtcAddNameExpression(program, name) == NVRTC_SUCCESS);
    char const* option = "--gpu-architecture=sm_90";
    require(nvrtcCompileProgram(program, 1, &option) == NVRTC_SUCCESS);
    std::size_t bytes = 0;
    require(nvrtcGetCUBINSize(program, &bytes) == NVRTC_SUCCESS);
    std::string code(bytes, '\0');
    require(nvrtcGetCUBIN(program, code.data()) == NVRTC_SUCCESS);
    require(cudaLibraryLoadData(&library_, code.data(), nullptr, nullptr, 0, nullptr, nullptr, 0) == cudaSuccess);
    for (std::size_t i = 0; i < names.size(); ++i) {
      char const* symbol = nullptr;
      require(nvrtcGetLoweredName(program, names[i], &symbol) == NVRTC_SUCCESS);
      require(cudaLibraryGetKernel(&found_[i], library_, symbol) == cudaSuccess);
    }
    nvrtcDestroyProgram(&program);
  }
  kernels(kernels const&) = delete;
  kernels& operator=(kernels const&) = delete;
  ~kernels() { cudaLibraryUnload(library_); }

  template <class... Arguments>
  void operator()(std::size_t which, cudaStream_t stream, Arguments... arguments) {
    std::array<void*, sizeof...(arguments)> addresses{&arguments...};
    require(cudaLaunchKernel(reinterpret_cast<void const*>(found_[which]), dim3(1), dim3(64), addresses.data(), 0, stream) ==
            cudaSuccess);
  }

 private:
  cudaLibrary_t library_ = nullptr;
  std::array<cudaKernel_t, 4> found_{};
};

struct stream {
  cudaStream_t is = nullptr;
  stream() { require(cudaStreamCreateWithFlags(&is, cudaStreamNonBlocking) == cudaSuccess); }
  stream(stream const&) = delete;
  stream& operator=(stream const&) = delete;
  ~stream() { cudaStreamDestroy(is); }
};

/// 64 floats on the device.
struct block {
  stream const& on;
  float* at = nullptr;
  static constexpr std::size_t bytes = 64 * sizeof(float);

  explicit block(stream const& s) : on(s) { require(cudaMallocAsync(reinterpret_cast<void**>(&at), bytes, s.is) == cudaSuccess); }
  block(block const&) = delete;
  block& operator=(block const&) = delete;
  ~block() { cudaFreeAsync(at, on.is); }

  void count_up() const {
    std::vector<float> values(64);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    require(cudaMemcpyAsync(at, values.data(), bytes, cudaMemcpyHostToDevice, on.is) == cudaSuccess);
  }
  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> result(64);
    require(cudaMemcpyAsync(result.data(), at, bytes, cudaMemcpyDeviceToHost, on.is) == cudaSuccess);
    return result;
  }
};

/// What a kernel makes of 0, 1, 2, … with a block's threads in this order.
std::vector<float> reversed(kernels& run, std::size_t which, int how) {
  stream const s;
  block const x(s);
  block const y(s);
  x.count_up();
  order(how);
  run(which, s.is, static_cast<float const*>(x.at), y.at);
  auto const result = y.values();
  order(0);
  return result;
}

/// Whether a process that does this ends badly. (Doctest's handlers stay with the parent.)
template <class F>
bool dies(F f) {
  std::fflush(nullptr);
  auto const child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    _exit(f());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

}  // namespace

TEST_CASE("a missing barrier gives other numbers in another order of threads, and a barrier the same") {
  if (!device_is_here() || !on_double()) return;
  kernels run;
  CHECK(reversed(run, 0, 0) != reversed(run, 0, 1));
  for (int const how : {1, 2, 3}) CHECK(reversed(run, 1, how) == reversed(run, 1, 0));
  CHECK(reversed(run, 1, 0)[0] == 63);
}

TEST_CASE("threads that part at a barrier end in an error") {
  if (!device_is_here() || !on_double()) return;
  CHECK(dies([] {
    kernels run;
    stream const s;
    block const y(s);
    run(2, s.is, y.at);
    return cudaStreamSynchronize(s.is) == cudaErrorIllegalAddress ? 1 : 0;
  }));
}

TEST_CASE("one element too far is NaN, since memory that nobody owns is") {
  if (!device_is_here() || !on_double()) return;
  kernels run;
  stream const s;
  block const x(s);
  block const y(s);
  x.count_up();
  run(3, s.is, static_cast<float const*>(x.at), y.at);
  auto const found = y.values();
  CHECK(found[62] == 63);
  CHECK(std::isnan(found[63]));
}

TEST_CASE("the host cannot look at an address of the device") {
  if (!device_is_here() || !on_double()) return;
  stream const s;
  block const x(s);
  x.count_up();
  CHECK(x.values()[5] == 5);
  CHECK(dies([&] { return x.at[5] > 1000 ? 1 : 0; }));
}

TEST_CASE("a pinned result that is read before the stream was waited for is not there yet") {
  if (!device_is_here() || !on_double()) return;
  stream const s;
  block const x(s);
  x.count_up();
  float* pinned = nullptr;
  REQUIRE(cudaMallocHost(reinterpret_cast<void**>(&pinned), block::bytes) == cudaSuccess);
  REQUIRE(cudaMemcpyAsync(pinned, x.at, block::bytes, cudaMemcpyDeviceToHost, s.is) == cudaSuccess);
  CHECK(std::isnan(pinned[7]));
  REQUIRE(cudaStreamSynchronize(s.is) == cudaSuccess);
  CHECK(pinned[7] == 7);
  cudaFreeHost(pinned);
}

TEST_CASE("a pinned buffer that is used again before its copy ran sends the new values") {
  if (!device_is_here() || !on_double()) return;
  stream const s;
  block const x(s);
  float* pinned = nullptr;
  REQUIRE(cudaMallocHost(reinterpret_cast<void**>(&pinned), block::bytes) == cudaSuccess);
  pinned[0] = 1;
  REQUIRE(cudaMemcpyAsync(x.at, pinned, block::bytes, cudaMemcpyHostToDevice, s.is) == cudaSuccess);
  pinned[0] = 2;
  CHECK(x.values()[0] == 2);
  cudaFreeHost(pinned);
}

TEST_CASE("a stream that does not wait for another one's event does not see its work") {
  if (!device_is_here() || !on_double()) return;
  for (bool const waits : {false, true}) {
    CAPTURE(waits);
    stream const first;
    stream const second;
    block const x(first);
    cudaEvent_t done = nullptr;
    REQUIRE(cudaEventCreateWithFlags(&done, cudaEventDisableTiming) == cudaSuccess);
    x.count_up();
    REQUIRE(cudaEventRecord(done, first.is) == cudaSuccess);
    if (waits) REQUIRE(cudaStreamWaitEvent(second.is, done, 0) == cudaSuccess);
    std::vector<float> seen(64);
    REQUIRE(cudaMemcpyAsync(seen.data(), x.at, block::bytes, cudaMemcpyDeviceToHost, second.is) == cudaSuccess);
    CHECK((seen[9] == 9) == waits);
    cudaEventDestroy(done);
  }
}

TEST_CASE("fresh and freed memory is NaN, and what is not given back is counted") {
  if (!device_is_here() || !on_double()) return;
  stream const s;
  auto const bytes = live_bytes();
  auto const objects = tally("live_objects");
  {
    block const x(s);
    stream const another;
    CHECK(std::isnan(x.values()[0]));
    CHECK(live_bytes() == bytes + block::bytes);
    CHECK(tally("live_objects") == objects + 1);
  }
  CHECK(live_bytes() == bytes);
  CHECK(tally("live_objects") == objects);
}

TEST_CASE("too small a workspace for a convolution ends in an error, and a whole one does not") {
  if (!device_is_here() || !on_double()) return;
  for (bool const is_whole : {true, false}) {
    CAPTURE(is_whole);
    CHECK(dies([=] {
            namespace adapter = lnpt::cudnn::detail;
            adapter::convolution const c{adapter::direction::forward,
                                         {1, 1, 4, 4},
                                         {1, 1, 1, 1},
                                         {1, 1, 4, 4},
                                         {0, 0},
                                         {0, 0},
                                         {1, 1},
                                         {1, 1},
                                         CUDNN_DATA_FLOAT,
                                         false,
                                         16};
            auto& device = adapter::runtime::current();
            auto plan = adapter::build_plan(c, {.handle = device.cudnn(), .device = nullptr});
            if (!is_whole) plan.workspace /= 2;
            auto key = c.key();
            key.push_back(static_cast<int>(lnpt::cudnn::plan_choice::first));
            device.plans().emplace(std::move(key), std::move(plan));
            adapter::buffer const x(64);
            adapter::buffer const w(4);
            adapter::buffer const y(64);
            adapter::run(c, {x.get(), w.get(), y.get()});
            return cudaStreamSynchronize(device.stream()) == cudaErrorIllegalAddress ? 1 : 0;
          }) != is_whole);
  }
}

TEST_CASE("the call that is to fail does, and no other") {
  if (!device_is_here() || !on_double()) return;
  int n = 0;
  fail_at(2);
  CHECK(cudaGetDeviceCount(&n) == cudaSuccess);
  CHECK(cudaGetDeviceCount(&n) != cudaSuccess);
  CHECK(cudaGetDeviceCount(&n) == cudaSuccess);
}
