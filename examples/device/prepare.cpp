// The cloud's half: a teacher learns from labels, chooses the weights of a student, and writes down what it says of every image.
#include <cstdio>
#include <numeric>

#include "student.hpp"

namespace {

// The images as bytes, in one file: what the device trains on, and labels by which it is judged.
void write_images() {
  auto const data = lnpt::io::open_data_set("synthetic", {.train_limit = 2000, .test_limit = 500});
  lnpt::io::safetensors::writer writer;
  auto const add = [&](char const* pixels, char const* labels, lnpt::io::image_set const& set) {
    writer.add(pixels, {set.size(), set.channels, set.height, set.width}, std::span(set.pixels));
    writer.add(labels, {set.size()}, std::span(set.labels));
  };
  add("input", "labels", data.train);
  add("test_input", "test_labels", data.test);
  writer.save(images);
}

// What the teacher says of each image as it is, without augmentation.
template <class Guide>
void write_cache(Guide const& guide, lnpt::io::image_set const& train) {
  std::vector<std::size_t> all(train.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  auto const said = guide.predict(lnpt::gather_images<float>(train, {std::move(all), {}}));
  auto const outputs = lnpt::values_of(said.output);
  auto const features = lnpt::values_of(*said.features);
  auto const k = outputs.size() / train.size();
  auto const m = features.size() / train.size();
  lnpt::io::teacher_cache cache({.data_set = images, .teacher = "resnet 8", .images = train.size()}, k, m);
  for (std::size_t i = 0; i < train.size(); ++i)
    cache.set(i, 0, std::span(outputs).subspan(i * k, k), std::span(features).subspan(i * m, m));
  cache.save(teacher_said);
}

}  // namespace

int main() {
  write_images();
  auto const data = lnpt::io::tensor_images(lnpt::io::safetensors::open(images));
  auto cloud = fresh_student(/*seed=*/1);
  lnpt::train(cloud, {}, data.train, data.test, lnpt::no_guide{}, lnpt::cross_entropy{},
              {.epochs = 12, .batch = 32, .augment = false});
  std::printf("teacher: %.1f %% right\n", 100 * lnpt::accuracy(cloud, data.test));
  lnpt::teacher const guide(cloud);
  write_cache(guide, data.train);

  auto student = fresh_student(/*seed=*/2);
  auto const sample = lnpt::sample_at_random(data.train.size(), 100, /*seed=*/3);
  auto const batches = lnpt::plain_batches(data.train, sample.indices, 100);
  auto const pruned = lnpt::prune<lnpt::snip>(student, batches, guide, lnpt::distillation{}, {.budget = lnpt::sparsity{0.9}});
  lnpt::io::save_packed(packed_student, student, pruned.masks);
}
