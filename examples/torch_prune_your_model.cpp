// Prunes a module of LibTorch to 5 % of its weights without labels: what is kept closes the gap to a trained teacher.
#include <torch/nn.h>

#include <iostream>
#include <lnpt/torch.hpp>

namespace nn = torch::nn;

nn::Sequential network() {
  auto const conv = [](int in, int out) { return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(false)); };
  return nn::Sequential(conv(3, 32), nn::BatchNorm2d(32), nn::ReLU(), nn::MaxPool2d(2),   //
                        conv(32, 64), nn::BatchNorm2d(64), nn::ReLU(), nn::MaxPool2d(2),  //
                        conv(64, 128), nn::BatchNorm2d(128), nn::ReLU(),                  //
                        nn::AdaptiveAvgPool2d(1), nn::Flatten(), nn::Linear(128, 10));
}

int main() {
  torch::manual_seed(0);
  auto net = network(), trained = network();  // yours: load the trained one with torch::load
  lnpt::torch_model student(net), expert(trained);

  auto const images = lnpt::torch_batch(torch::randn({100, 3, 32, 32}));  // yours: any images, no labels
  auto const [masks, report] = lnpt::prune<lnpt::feature_map_synaptic<>>(student, images, lnpt::teacher{expert},
                                                                         {.budget = lnpt::sparsity{0.95}, .rounds = 10});
  lnpt::apply(masks, student);

  for (auto const& layer : report.layers)
    std::cout << layer.name << ": " << layer.kept << " of " << layer.total << " weights kept\n";

  torch::optim::SGD sgd(student.torch_parameters(), torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4));
  lnpt::masked_optimizer optimizer(sgd, student, masks);  // pruned weights stay exactly zero
  optimizer.zero_grad();
  net->forward(images.input.get()).square().mean().backward();  // yours: any loss
  optimizer.step();
}
