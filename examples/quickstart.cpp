// A trained teacher chooses which weights of a fresh student to keep, and trains it: no label is read after the teacher.
#include <cstdio>

#include <lnpt/io.hpp>
#include <lnpt/lnpt.hpp>

int main() {
  using backend = lnpt::cpu::backend<float>;
  auto const data = lnpt::io::open_data_set("synthetic", {.train_limit = 2000, .test_limit = 500});
  lnpt::zoo::resnet_options const shape{.depth = 8, .widths = {8, 16, 32}};

  auto cloud = lnpt::zoo::resnet<backend>(shape, /*seed=*/1);
  lnpt::train(cloud, {}, data.train, data.test, lnpt::no_guide{}, lnpt::cross_entropy{},
              {.epochs = 12, .batch = 32, .augment = false});
  std::printf("teacher: %.1f %% right\n", 100 * lnpt::accuracy(cloud, data.test));

  // Score on 100 images nobody labelled, keep 10 % of the weights.
  auto student = lnpt::zoo::resnet<backend>(shape, /*seed=*/2);
  lnpt::teacher const guide(cloud);
  auto const sample = lnpt::sample_at_random(data.train.size(), 100, /*seed=*/3);
  auto const batches = lnpt::plain_batches(data.train, sample.indices, 100);
  auto const [masks, report] =
      lnpt::prune<lnpt::feature_map_synaptic<>>(student, batches, guide, {.budget = lnpt::sparsity{0.9}});

  for (auto const& layer : report.layers)
    std::printf("%-28s %6zu of %6zu weights\n", layer.name.c_str(), layer.kept, layer.total);
  std::printf("%.1f %% of the scored weights removed, %zu layers emptied\n", 100 * report.sparsity_scored, report.emptied.size());

  // Train what is left on what the teacher says; pruned weights stay exactly zero.
  auto const learn = lnpt::pseudo_label{} + 1.0 * lnpt::feature_mse{};
  lnpt::train(student, masks, data.train, data.test, guide, learn, {.epochs = 12, .batch = 32, .augment = false});
  std::printf("student: %.1f %% right\n", 100 * lnpt::accuracy(student, data.test));
}
