// A trained teacher chooses which weights of a fresh student to keep, and trains it: no label is read after the teacher.
#include <algorithm>
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
  auto const rating = [&](auto& model) {  // of ten classes
    return lnpt::accuracy(model, data.test) > 0.2 ? "more than twice as often right as guessing" : "hardly better than guessing";
  };
  std::printf("teacher, trained on labels: %s\n", rating(cloud));

  // Score on 100 images nobody labelled, keep 10 % of the weights.
  auto student = lnpt::zoo::resnet<backend>(shape, /*seed=*/2);
  lnpt::teacher const guide(cloud);
  auto const sample = lnpt::sample_at_random(data.train.size(), 100, /*seed=*/3);
  auto const batches = lnpt::plain_batches(data.train, sample.indices, 100);
  auto const [masks, report] =
      lnpt::prune<lnpt::feature_map_synaptic<>>(student, batches, guide, {.budget = lnpt::sparsity{0.9}});

  std::size_t scored = 0;
  std::size_t kept = 0;
  for (auto const& layer : report.layers) {
    scored += layer.reached ? layer.total : 0;
    kept += layer.reached ? layer.kept : 0;
  }
  std::printf("kept without a label: %zu of %zu weights, %zu of %zu layers emptied\n", kept, scored, report.emptied.size(),
              report.layers.size());
  for (auto const& name : report.unreached) std::printf("left whole: %s, which comes after the features\n", name.c_str());

  // Train what is left on what the teacher says; pruned weights stay exactly zero.
  auto const learn = lnpt::pseudo_label{} + 1.0 * lnpt::feature_mse{};
  lnpt::train(student, masks, data.train, data.test, guide, learn, {.epochs = 12, .batch = 32, .augment = false});
  std::size_t zeros = 0;
  for (auto const& p : student.parameters())
    if (lnpt::is_prunable(p.role)) zeros += static_cast<std::size_t>(std::ranges::count(lnpt::values_of(*p.value), 0.0f));
  std::printf("after training without a label: %zu weights are exactly 0\n", zeros);
  std::printf("student, trained on what the teacher says: %s\n", rating(student));
}
