#pragma once
/// The zoo's networks as modules of LibTorch, with the same parameter names: what tests and benchmarks hold the adapter to.
#include <torch/nn/functional/activation.h>
#include <torch/nn/functional/pooling.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace torch_modules {

namespace nn = torch::nn;

inline nn::Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

/// Kaiming-normal (fan-in) weights of convolutions and linear layers, biases 0.
inline void initialise(nn::Module& module) {
  at::NoGradGuard const plain;
  for (auto const& p : module.named_parameters()) {
    if (p.value().dim() >= 2)
      nn::init::kaiming_normal_(p.value());
    else if (p.key().size() >= 4 && p.key().substr(p.key().size() - 4) == "bias")
      p.value().zero_();
  }
}

struct residual_block : nn::Module {
  residual_block(std::int64_t in, std::int64_t out, std::int64_t stride)
      : conv1(register_module("conv1", convolution(in, out, 3, stride))),
        bn1(register_module("bn1", nn::BatchNorm2d(out))),
        conv2(register_module("conv2", convolution(out, out, 3, 1))),
        bn2(register_module("bn2", nn::BatchNorm2d(out))) {
    if (stride != 1 || in != out)
      downsample = register_module("downsample", nn::Sequential(convolution(in, out, 1, stride), nn::BatchNorm2d(out)));
  }

  at::Tensor forward(at::Tensor x) {
    auto const y = bn2(conv2(at::relu(bn1(conv1(x)))));
    return at::relu(y + (downsample ? downsample->forward(x) : x));
  }

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  nn::Sequential downsample{nullptr};
};

/// ResNet-(6n+2) for CIFAR with convolutions as shortcuts.
struct resnet : nn::Module {
  resnet(int depth, std::array<std::int64_t, 3> widths, std::int64_t classes = 10)
      : conv1(register_module("conv1", convolution(3, widths[0], 3, 1))),
        bn1(register_module("bn1", nn::BatchNorm2d(widths[0]))) {
    auto in = widths[0];
    for (std::size_t stage = 0; stage < 3; ++stage) {
      nn::Sequential blocks;
      for (int i = 0; i < (depth - 2) / 6; ++i) {
        blocks->push_back(std::make_shared<residual_block>(in, widths[stage], stage > 0 && i == 0 ? 2 : 1));
        in = widths[stage];
      }
      layers.push_back(register_module("layer" + std::to_string(stage + 1), blocks));
    }
    fc = register_module("fc", nn::Linear(in, classes));
    initialise(*this);
  }

  at::Tensor features(at::Tensor x) {
    x = at::relu(bn1(conv1(x)));
    for (auto& layer : layers) x = layer->forward(x);
    return x.mean({2, 3});
  }
  at::Tensor head(at::Tensor const& f) { return fc(f); }

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  std::vector<nn::Sequential> layers;
  nn::Linear fc{nullptr};
};

/// VGG for CIFAR: five blocks, four pools, a global average and a linear classifier.
struct vgg : nn::Module {
  vgg(int depth, std::int64_t width, bool batch_norm = true, std::int64_t classes = 10) {
    std::array<int, 5> const per_block = depth == 19   ? std::array{2, 2, 4, 4, 4}
                                         : depth == 16 ? std::array{2, 2, 3, 3, 3}
                                                       : std::array{1, 1, 2, 2, 2};
    std::array<std::int64_t, 5> const widths{1, 2, 4, 8, 8};
    std::int64_t in = 3;
    for (std::size_t block = 0; block < 5; ++block) {
      for (int i = 0; i < per_block[block]; ++i) {
        auto const out = widths[block] * width;
        body->push_back(convolution(in, out, 3, 1));
        if (batch_norm) body->push_back(nn::BatchNorm2d(out));
        body->push_back(nn::ReLU(nn::ReLUOptions(true)));
        in = out;
      }
      if (block < 4) body->push_back(nn::MaxPool2d(2));
    }
    register_module("features", body);
    classifier = register_module("classifier", nn::Linear(in, classes));
    initialise(*this);
  }

  at::Tensor forward(at::Tensor x) { return classifier(body->forward(x).mean({2, 3})); }

  nn::Sequential body;
  nn::Linear classifier{nullptr};
};

/// `hidden.0 … hidden.N` with ReLU between them, then `fc`.
struct mlp : nn::Module {
  explicit mlp(std::vector<std::int64_t> const& sizes) {
    for (std::size_t i = 0; i + 2 < sizes.size(); ++i) hidden->push_back(nn::Linear(sizes[i], sizes[i + 1]));
    register_module("hidden", hidden);
    fc = register_module("fc", nn::Linear(sizes[sizes.size() - 2], sizes.back()));
    initialise(*this);
  }

  at::Tensor forward(at::Tensor x) {
    x = x.flatten(1);
    for (auto const& layer : *hidden) x = at::relu(layer->as<nn::Linear>()->forward(x));
    return fc(x);
  }

  nn::ModuleList hidden;
  nn::Linear fc{nullptr};
};

}  // namespace torch_modules
