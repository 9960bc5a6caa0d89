#pragma once
/// The networks of nets.hpp as modules of LibTorch, and the batches they run on.
#include <torch/nn/functional/loss.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <lnpt/io/synthetic.hpp>
#include <lnpt/torch.hpp>
#include <lnpt/torch/module_of.hpp>

#include "../tests/torch/modules.hpp"
#include "nets.hpp"

namespace bench_nets {

/// MobileNet-v1 for 32×32 images, as `lnpt::zoo::mobilenet`.
struct mobilenet : torch::nn::Module {
  explicit mobilenet(std::int64_t width = 32, std::int64_t classes = 10) {
    struct block {
      std::int64_t width, stride;
    };
    constexpr block blocks[] = {{2, 1},  {4, 2},  {4, 1},  {8, 2},  {8, 1},  {16, 2}, {16, 1},
                                {16, 1}, {16, 1}, {16, 1}, {16, 1}, {32, 2}, {32, 1}};
    add(3, width, 3, 1, 1);
    auto in = width;
    for (auto const& [factor, stride] : blocks) {
      add(in, in, 3, stride, in);
      add(in, factor * width, 1, 1, 1);
      in = factor * width;
    }
    register_module("body", body);
    linear = register_module("linear", torch::nn::Linear(in, classes));
    torch_modules::initialise(*this);
  }

  at::Tensor forward(at::Tensor x) { return linear(body->forward(x).mean({2, 3})); }

  torch::nn::Sequential body;
  torch::nn::Linear linear{nullptr};

 private:
  void add(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t groups) {
    body->push_back(torch::nn::Conv2d(
        torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false)));
    body->push_back(torch::nn::BatchNorm2d(out));
    body->push_back(torch::nn::ReLU(torch::nn::ReLUOptions(true)));
  }
};

/// A network, a batch for it, and what some teacher said of that batch.
struct workload {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(at::Tensor)> logits;
  std::shared_ptr<lnpt::torch_model<>> model;
  lnpt::labelled_batch<lnpt::torch_tensor<float>> batch;
  at::Tensor labels;
  lnpt::prediction<lnpt::torch_tensor<float>> teacher_prediction;
  lnpt::mask_set masks = {};        ///< where training is measured
  lnpt::io::image_set images = {};  ///< likewise: an epoch of them
};

template <class Module>
workload make_workload(std::shared_ptr<Module> module, std::function<at::Tensor(at::Tensor)> logits, std::int64_t width,
                       std::size_t size, std::int64_t side = 32, std::int64_t classes = 10) {
  at::set_num_threads(2);
  at::manual_seed(0);
  auto const samples = static_cast<std::int64_t>(size);
  auto const labels = at::randint(classes, {samples}, at::kLong);
  return {module,
          std::move(logits),
          std::make_shared<lnpt::torch_model<>>(module),
          lnpt::torch_batch(at::randn({samples, 3, side, side}), labels),
          labels,
          {at::randn({samples, classes}), lnpt::torch_tensor<float>(at::rand({samples, width}))}};
}

/// A network of the library's own engine, computed by LibTorch: the same layers, one operator each.
inline workload make_mobile_workload(std::string const& name) {
  auto const network = std::make_shared<lnpt::network<lnpt::cpu::backend<float>>>(make<>(name, 1));
  auto const module = std::make_shared<lnpt::graph_module>(*network, at::kCPU);
  auto const width = (network->parameters().end() - 2)->value->shape()[1];
  return make_workload(
      module, [network, module](at::Tensor x) { return module->forward(x).first; }, static_cast<std::int64_t>(width),
      mobile_batch, mobile_side, mobile_classes);
}

inline workload make_workload(std::string const& name, std::size_t samples) {
  if (std::ranges::find(mobile_networks, name) != mobile_networks.end()) return make_mobile_workload(name);
  if (name == "resnet32") {
    auto const net = std::make_shared<torch_modules::resnet>(32, std::array<std::int64_t, 3>{32, 64, 128});
    return make_workload(net, [net](at::Tensor x) { return net->head(net->features(x)); }, 128, samples);
  }
  if (name == "vgg19") {
    auto const net = std::make_shared<torch_modules::vgg>(19, 64);
    return make_workload(net, [net](at::Tensor x) { return net->forward(x); }, 512, samples);
  }
  if (name == "mobilenet") {
    auto const net = std::make_shared<mobilenet>();
    return make_workload(net, [net](at::Tensor x) { return net->forward(x); }, 1024, samples);
  }
  throw std::invalid_argument("no bench network is called " + name);
}

/// LibTorch's own pass: the unit of its rows. Gradients are dropped before it, which is the quickest way.
inline void forward_backward(workload& w) {
  w.module->train();
  w.module->zero_grad(true);
  torch::nn::functional::cross_entropy(w.logits(w.batch.input.get()), w.labels).backward();
}

}  // namespace bench_nets
