// The device's half: a packed student, trained on what a teacher said elsewhere. No teacher, no label, no framework.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "student.hpp"

int main() try {
  auto const data = lnpt::io::tensor_images(lnpt::io::safetensors::open(images));
  auto const cache = lnpt::io::open_teacher_cache(teacher_said);

  // Kept weights alone are loaded, held and trained: gradients and momentum are as few.
  auto student = fresh_student(/*seed=*/0);
  auto const masks = lnpt::io::load_packed(student, lnpt::io::packed_file(lnpt::io::safetensors::open(packed_student)));
  std::size_t kept = 0;
  for (auto const& each : masks) kept += each.count();
  std::printf("%s: %zu kept weights, %ju bytes\n", packed_student, kept,
              std::uintmax_t{std::filesystem::file_size(packed_student)});

  lnpt::train_observer progress;
  progress.on_epoch = [](lnpt::train_state const& now) {
    std::printf("epoch %zu: loss %.3f, %.1f %% right\n", now.epoch, now.last_loss, 100 * now.last_accuracy);
  };
  lnpt::io::cached_guide const guide(cache, data.train.size(), /*augment=*/false);
  auto const learn = lnpt::pseudo_label{} + 1.0 * lnpt::feature_mse{};
  lnpt::train(student, masks, data.train, data.test, guide, learn, {.epochs = 12, .batch = 32, .augment = false}, {}, progress);

  lnpt::io::save_packed("learned.packed", student, masks);
} catch (std::exception const& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
