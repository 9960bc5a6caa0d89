#pragma once
/// The device of this process: its stream, its libraries' handles, its kernels, and the channel operations that wait to be launched.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/backend/cudnn/descriptor.hpp>
#include <lnpt/backend/cudnn/device.hpp>
#include <lnpt/backend/cudnn/program.hpp>

namespace lnpt::cudnn::detail {

/// An execution plan of cuDNN, ready to run as often as one likes.
struct plan {
  descriptor execution;
  std::size_t workspace;
};

/// Everything that lives as long as the process uses the GPU: the device that `use_device` chose, and one stream on which all work runs
/// in order. For one host thread.
class runtime {
 public:
  runtime() {
    require_device();
    check(cudaSetDevice(device_), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    keep_pooled_memory();
    check(cudnnCreate(cudnn_.out()), "cudnnCreate");
    check(cudnnSetStream(cudnn_.get(), stream()), "cudnnSetStream");
    check(cublasCreate(cublas_.out()), "cublasCreate");
    check(cublasSetStream(cublas_.get(), stream()), "cublasSetStream");
    compiled_kernels const compiled(architecture());
    check(cudaLibraryLoadData(library_.out(), compiled.code.data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
          "cudaLibraryLoadData");
    for (auto const& [name, symbol] : compiled.symbols)
      check(cudaLibraryGetKernel(&kernels_[name], library_.get(), symbol.c_str()), "cudaLibraryGetKernel");
    chosen_device().in_use = true;
  }

  /// The one of this process, made at its first use. Never destroyed: arrays may outlive every static object, and at exit the driver
  /// may be gone already.
  [[nodiscard]] static runtime& current() {
    static auto* const the_only = new runtime;  // NOLINT(cppcoreguidelines-owning-memory)
    return *the_only;
  }

  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }
  [[nodiscard]] cudnnHandle_t cudnn() const { return cudnn_.get(); }
  [[nodiscard]] cublasHandle_t cublas() const { return cublas_.get(); }
  [[nodiscard]] std::map<std::vector<std::int64_t>, plan>& plans() { return plans_; }

  /// Launches a kernel after what is pending. The arguments have exactly the types of its parameters.
  template <class... Arguments>
  void launch(std::string const& kernel, std::size_t blocks, unsigned threads, Arguments... arguments) {
    flush();
    launch_now(kernel, blocks, threads, arguments...);
  }
  /// One thread for each of n elements; n is the last parameter of such kernels.
  template <class... Arguments>
  void for_each_element(std::string const& kernel, std::size_t n, Arguments... arguments) {
    if (n != 0) launch(kernel, (n + threads_ - 1) / threads_, threads_, arguments..., static_cast<unsigned>(n));
  }

  /// Adds an instruction to the channel program, and keeps what it reads and writes until it is launched.
  void defer(channel_instruction const& instruction, std::vector<std::shared_ptr<void>> keep) {
    if (pending_.length == longest_channel_program) flush();
    pending_.at[pending_.length++] = instruction;
    kept_.insert(kept_.end(), std::make_move_iterator(keep.begin()), std::make_move_iterator(keep.end()));
  }
  /// Launches what is pending. Whatever else is queued on the stream comes after it.
  void flush() {
    if (pending_.length == 0) return;
    auto const program = std::exchange(pending_, {});
    auto const kept = std::exchange(kept_, {});
    unsigned width = 0;
    for (unsigned i = 0; i < program.length; ++i) width = std::max(width, program.at[i].n);
    launch_now("run_program", (width + threads_ - 1) / threads_, threads_, program, width);
  }

 private:
  static constexpr unsigned threads_ = 256;

  template <class... Arguments>
  void launch_now(std::string const& kernel, std::size_t blocks, unsigned threads, Arguments... arguments) {
    void* addresses[] = {&arguments...};
    check(cudaLaunchKernel(reinterpret_cast<void const*>(kernels_.at(kernel)), dim3(static_cast<unsigned>(blocks)), dim3(threads),
                           addresses, 0, stream()),
          kernel.c_str());
  }
  void require_device() const {
    int version = 0, count = 0;
    check(cudaRuntimeGetVersion(&version), "cudaRuntimeGetVersion");
    if (version < 12080 || cudnnGetVersion() < 90800)
      fail("lnpt::cudnn runs on CUDA 12.8 and cuDNN 9.8 or newer, not on CUDA ", version / 1000, '.', version % 1000 / 10,
           " and cuDNN ", cudnnGetVersion(), ": install newer ones");
    auto const status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) (void)cudaGetLastError();
    if (status != cudaSuccess || count == 0)
      fail("there is no CUDA device here (", cudaGetErrorName(status),
           "): choose the CPU engine, or a machine with a GPU and its driver");
    check(cudaDriverGetVersion(&version), "cudaDriverGetVersion");
    if (version < 12010)  // before, a kernel took no more than 4 kB of arguments
      fail("the driver of the CUDA device knows CUDA ", version / 1000, '.', version % 1000 / 10,
           " at most: lnpt::cudnn needs a driver for CUDA 12.1 or newer");
    if (architecture() < 75)
      fail("the CUDA device has compute capability ", architecture() / 10, '.', architecture() % 10,
           ": lnpt::cudnn needs 7.5 or newer");
  }
  [[nodiscard]] int architecture() const { return architecture_of(device_); }
  /// By default a pool gives all memory back whenever a stream is waited for.
  void keep_pooled_memory() const {
    cudaMemPool_t pool = nullptr;
    auto all = UINT64_MAX;
    check(cudaDeviceGetDefaultMemPool(&pool, device_), "cudaDeviceGetDefaultMemPool");
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "cudaMemPoolSetAttribute");
  }

  int device_ = chosen_device().number;
  stream_handle stream_;
  cudnn_handle cudnn_;
  cublas_handle cublas_;
  library_handle library_;
  std::map<std::string, cudaKernel_t> kernels_;
  std::map<std::vector<std::int64_t>, plan> plans_;
  channel_program pending_{};
  std::vector<std::shared_ptr<void>> kept_;
};

/// The name of a kernel's instantiation for a type.
template <class T>
[[nodiscard]] std::string kernel_for(char const* name) {
  return std::string(name) + (sizeof(T) == sizeof(float) ? "<float>" : "<double>");
}

}  // namespace lnpt::cudnn::detail
