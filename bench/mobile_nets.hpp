#pragma once
/// Networks of torchvision for 1000 classes, layer by layer as their authors have them: what PyTorch's users bring along.
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/nn/builder.hpp>

namespace bench_nets {

/// Builds one of them; each function is one architecture.
template <class Backend>
class mobile_nets {
 public:
  using network = lnpt::network<Backend>;

  explicit mobile_nets(std::uint64_t seed) : net_(3, seed) {}

  /// Inverted residuals under ReLU6. Sandler et al., CVPR 2018, arXiv:1801.04381.
  [[nodiscard]] network mobilenet_v2() && {
    struct stage {
      std::size_t expansion, width, blocks, stride;
    };
    constexpr stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    auto x = relu6(norm(convolution(net_.input(), 32, {.stride = 2})));
    for (auto const& s : stages)
      for (std::size_t i = 0; i < s.blocks; ++i) x = inverted_residual(x, s.width, s.expansion, i == 0 ? s.stride : 1);
    return finish(relu6(norm(point(x, 1280))));
  }

  /// Every layer reads all before it in its block. Huang et al., CVPR 2017, arXiv:1608.06993.
  [[nodiscard]] network densenet121() && {
    auto x = norm(convolution(net_.input(), 64, {.kernel = 7, .stride = 2, .padding = 3}), true);
    x = net_.max_pool(x, 3, 2, 1);
    for (std::size_t const layers : {6, 12, 24, 16}) {
      if (net_.width(x) != 64) x = net_.average_pool(point(norm(x, true), net_.width(x) / 2), 2, 2);
      std::vector<node> features{x};
      for (std::size_t i = 0; i < layers; ++i) {
        auto const all = features.size() == 1 ? x : net_.concat(features);
        features.push_back(convolution(norm(point(norm(all, true), 128), true), 32, {}));
      }
      x = net_.concat(features);
    }
    return finish(norm(x, true));
  }

  /// Half of the channels pass each block as they are. Ma et al., ECCV 2018, arXiv:1807.11164.
  [[nodiscard]] network shufflenet_v2() && {
    auto x = norm(convolution(net_.input(), 24, {.stride = 2}), true);
    x = net_.max_pool(x, 3, 2, 1);
    for (auto const& [width, blocks] : {std::pair<std::size_t, std::size_t>{116, 4}, {232, 8}, {464, 4}})
      for (std::size_t i = 0; i < blocks; ++i) {
        auto const half = width / 2;
        auto const left = i == 0 ? norm(point(norm(depthwise(x, 2)), half), true) : net_.slice(x, {.channels = {0, half}});
        auto const from = i == 0 ? x : net_.slice(x, {.channels = {half, width}});
        auto const right = norm(point(norm(depthwise(norm(point(from, half), true), i == 0 ? 2 : 1)), half), true);
        x = net_.channel_shuffle(net_.concat({left, right}), 2);
      }
    return finish(norm(point(x, 1024), true));
  }

 private:
  using node = std::size_t;

  node convolution(node from, std::size_t width, lnpt::conv_options const& o) {
    return net_.conv2d(next("conv"), from, width, o);
  }
  node point(node from, std::size_t width) { return convolution(from, width, {.kernel = 1, .padding = 0}); }
  node depthwise(node from, std::size_t stride) {
    return convolution(from, net_.width(from), {.stride = stride, .groups = net_.width(from)});
  }
  node norm(node from, bool rectify = false) { return net_.batch_norm(next("norm"), from, rectify); }
  node relu6(node from) { return net_.activation(from, lnpt::activation_function::relu6()); }

  node inverted_residual(node x, std::size_t width, std::size_t expansion, std::size_t stride) {
    auto const wide = expansion == 1 ? x : relu6(norm(point(x, expansion * net_.width(x))));
    auto const narrow = norm(point(relu6(norm(depthwise(wide, stride))), width));
    return stride == 1 && width == net_.width(x) ? net_.join(x, narrow) : narrow;
  }

  [[nodiscard]] network finish(node features) {
    net_.classifier("classifier", net_.global_average_pool(features), 1000);
    return std::move(net_).build();
  }
  [[nodiscard]] std::string next(std::string const& kind) { return kind + std::to_string(layers_++); }

  lnpt::network_builder<Backend> net_;
  std::size_t layers_ = 0;
};

}  // namespace bench_nets
