#pragma once
/// Lets the options of LibTorch's C++ modules, and numbers in the code of scripts, follow the sizes of their tensors.
#include <torch/nn/functional/instancenorm.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// What lets the numbers in the code of scripts follow, by what they are while every tensor is whole.
[[nodiscard]] inline std::vector<size_follower> script_followers(module_tree const& tree) {
  std::vector<size_follower> followers;
  for (auto const& entry : tree)
    if (entry.sizes) followers.push_back(entry.sizes());
  return followers;
}

/// Sets options, and numbers in the code of scripts, by the tensors that the modules hold now, and back unless they are to stay.
class module_sizes {
 public:
  module_sizes(module_tree const& tree, std::vector<size_follower> const& scripts) {
    using namespace torch::nn;
    for (auto const& follow_code : scripts) undo_.push_back(follow_code());
    for (auto const& entry : tree) {
      if (!entry.module) continue;
      auto& module = *entry.module;
      follow_convolution<Conv1dImpl>(module), follow_convolution<Conv2dImpl>(module), follow_convolution<Conv3dImpl>(module);
      follow_convolution<ConvTranspose1dImpl>(module), follow_convolution<ConvTranspose2dImpl>(module);
      follow_convolution<ConvTranspose3dImpl>(module);
      follow_features<BatchNorm1dImpl>(module), follow_features<BatchNorm2dImpl>(module),
          follow_features<BatchNorm3dImpl>(module);
      follow_features<InstanceNorm1dImpl>(module), follow_features<InstanceNorm2dImpl>(module);
      follow_features<InstanceNorm3dImpl>(module);
      follow<LinearImpl>(module,
                         [](auto& m) { m.options.in_features(m.weight.size(1)), m.options.out_features(m.weight.size(0)); });
      follow<LayerNormImpl>(module, [](auto& m) {
        if (m.weight.defined()) m.options.normalized_shape(m.weight.sizes().vec());
      });
      follow<GroupNormImpl>(module, [](auto& m) {
        if (m.weight.defined()) narrow_groups(m.options, m.weight.size(0));
      });
    }
  }
  module_sizes(module_sizes const&) = delete;
  module_sizes& operator=(module_sizes const&) = delete;
  ~module_sizes() {
    for (auto& undo : undo_) undo();
  }

  void keep() { undo_.clear(); }

 private:
  template <class Module, class Follow>
  void follow(torch::nn::Module& module, Follow follow) {
    auto* const found = dynamic_cast<Module*>(&module);
    if (found == nullptr) return;
    undo_.emplace_back([found, own = found->options] { found->options = own; });
    follow(*found);
  }

  template <class Module>
  void follow_features(torch::nn::Module& module) {
    follow<Module>(module, [](auto& m) {
      auto const& sized = m.weight.defined() ? m.weight : m.running_mean;
      if (sized.defined()) m.options.num_features(sized.size(0));
    });
  }

  /// The statistics of a group are those of all its channels: groups go whole, and those that stay are as wide as before.
  static void narrow_groups(torch::nn::GroupNormOptions& options, std::int64_t channels) {
    auto const width = options.num_channels() / options.num_groups();
    options.num_channels(channels);
    if (width > 0 && channels % width == 0) options.num_groups(channels / width);
  }

  /// A depthwise convolution has a group for each channel; any other keeps its groups, which all become narrower.
  template <class Module>
  void follow_convolution(torch::nn::Module& module) {
    follow<Module>(module, [](auto& m) {
      auto& o = m.options;
      auto const first = m.weight.size(0), second = m.weight.size(1);
      if (o.groups() > 1 && o.groups() == o.in_channels())
        o.groups(o.transposed() ? first : first * o.groups() / o.out_channels());
      o.in_channels(o.transposed() ? first : second * o.groups());
      o.out_channels(o.transposed() ? second * o.groups() : first);
    });
  }

  std::vector<std::function<void()>> undo_;
};

}  // namespace lnpt::detail
