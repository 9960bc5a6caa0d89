// LibTorch as an engine of the command line.
#include <torch/cuda.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include <lnpt/torch/model.hpp>
#include <lnpt/torch/module_of.hpp>
#include <lnpt/torch/train/train.hpp>

#include "../engine_elsewhere.hpp"
#include "../other_engines.hpp"

namespace cli {

namespace {

using lnpt::torch_tensor;

at::Device parse_device(std::string const& text) {
  if (text.empty() || text == "cpu") return at::kCPU;
  auto const index = cuda_device(text);
  if (!index) refuse("\"", text, "\" is no device: write cpu, cuda or cuda:N");
  auto const count = static_cast<std::size_t>(torch::cuda::device_count());  // a byte in newer versions
  if (count == 0)
    refuse("--device ", text, " asks for CUDA, and ",
           at::hasCUDA() ? "LibTorch finds no such GPU" : "this lnpt was built with a LibTorch for the CPU alone",
           ": give --device cpu");
  if (*index >= count) refuse("there is no ", text, ": LibTorch finds ", count, " CUDA devices, counted from cuda:0");
  return {at::kCUDA, static_cast<at::DeviceIndex>(*index)};
}

/// A device of LibTorch.
class torch_device {
 public:
  using train_options = lnpt::torch_train_options;

  torch_device(std::string const& device, std::size_t threads) : device_(parse_device(device)) {
    // LibTorch's own default is the number of cores that it recognises, which in some virtual machines is one.
    at::set_num_threads(static_cast<int>(threads > 0 ? threads : std::max(std::thread::hardware_concurrency(), 1U)));
  }

  template <class T>
  class network {
   public:
    network(torch_device const& at, cpu_network<T>& net)
        : module_(std::make_shared<lnpt::graph_module>(net, at.device_)), model_(module_) {}
    [[nodiscard]] lnpt::torch_model<T>& model() { return model_; }
    void write_back() { module_->write_back(); }

   private:
    std::shared_ptr<lnpt::graph_module> module_;
    lnpt::torch_model<T> model_;
  };
  template <class T>
  [[nodiscard]] torch_tensor<T> near() const {
    return torch_tensor<T>(at::empty({0}, at::TensorOptions(device_).dtype(torch_tensor<T>::scalar_type)));
  }
  /// What LibTorch complains of, said without its own call stack.
  template <class F>
  [[nodiscard]] auto plainly(F f) const {
    try {
      return f();
    } catch (c10::Error const& reason) {
      lnpt::fail("LibTorch: ", reason.what_without_backtrace());
    }
  }

 private:
  at::Device device_;
};

}  // namespace

template <class T>
std::unique_ptr<scoring_engine<T>> open_torch_scoring_engine(std::string const& device, std::size_t threads) {
  return std::make_unique<engine_elsewhere<torch_device, T, scoring_engine<T>>>(device, threads);
}
template std::unique_ptr<scoring_engine<float>> open_torch_scoring_engine(std::string const&, std::size_t);
template std::unique_ptr<scoring_engine<double>> open_torch_scoring_engine(std::string const&, std::size_t);

std::unique_ptr<training_engine> open_torch_training_engine(std::string const& device, std::size_t threads) {
  return std::make_unique<training_engine_elsewhere<torch_device>>(device, threads);
}

}  // namespace cli
