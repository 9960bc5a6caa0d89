// Checkpoints give back all that a run needs, and cached guides what the teacher said.
#include <doctest/doctest.h>

#include <algorithm>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/cached_guide.hpp>
#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/zoo/mlp.hpp>

#include "support.hpp"

using namespace lnpt;

namespace {

using net = network<cpu::backend<float>>;

net make(std::uint64_t seed) {
  std::vector<std::size_t> const sizes{3, 4, 2};
  return zoo::mlp<cpu::backend<float>>(sizes, seed);
}

io::checkpoint make_checkpoint(net& model) {
  io::checkpoint at{.state = {.epoch = 7, .last_accuracy = 0.1, .best_accuracy = 1.0 / 3, .last_loss = 2.5},
                    .settings = {{"lr", "0.1"}, {"data", "none at all"}}};
  mask kept("fc.weight", {2, 4}, true);
  kept.set(3, false);
  at.masks.add(kept);
  float value = 0;
  for (auto const& p : model.parameters()) at.state.velocity.push_back(cpu::filled<float>(shape_of(*p.value), value += 0.5f));
  return at;
}

}  // namespace

TEST_CASE("a checkpoint gives back model, momentum, masks, counters and settings") {
  auto saved = make(1), loaded = make(2);
  auto const at = make_checkpoint(saved);
  support::temporary_folder const folder;
  auto const path = (folder / "checkpoint.safetensors").string();
  io::save_checkpoint(path, saved, at);
  auto const file = io::safetensors::open(path);
  auto const back = io::load_checkpoint(loaded, file);
  CHECK(io::checkpoint_epoch(file) == 7);
  CHECK(back.state.epoch == 7);
  CHECK(back.state.last_accuracy == 0.1);
  CHECK(back.state.best_accuracy == 1.0 / 3);
  CHECK(back.state.last_loss == 2.5);
  CHECK(back.masks == at.masks);
  CHECK(back.settings == at.settings);
  CHECK(back.state.velocity == at.state.velocity);
  for (std::size_t i = 0; i < saved.parameters().size(); ++i)
    CHECK(*saved.parameters()[i].value == *loaded.parameters()[i].value);

  auto plain = make(3);
  io::load_state_dict(plain, path);  // it is a state dict too
  CHECK(*plain.parameters()[0].value == *saved.parameters()[0].value);
}

TEST_CASE("a checkpoint of other settings, or a file that is none, is refused and changes nothing") {
  auto model = make(1), other = make(2);
  support::temporary_folder const folder;
  auto const path = (folder / "checkpoint.safetensors").string(), weights = (folder / "weights.safetensors").string();
  io::save_checkpoint(path, model, make_checkpoint(model));
  io::save_state_dict(model, weights);
  auto const file = io::safetensors::open(path);
  io::require_settings(file, {{"lr", "0.1"}});
  CHECK(support::says(support::refusal([&] { io::require_settings(file, {{"lr", "0.2"}}); }), "trained with lr 0.1 and not 0.2"));
  auto const before = *other.parameters()[0].value;
  CHECK(support::says(support::refusal([&] { static_cast<void>(io::load_checkpoint(other, io::safetensors::open(weights))); }),
                      "no checkpoint"));
  CHECK(*other.parameters()[0].value == before);
}

TEST_CASE("a cached guide says of each view what was stored, and dictates the views") {
  support::temporary_folder const folder;
  io::teacher_cache cache({.seed = 5, .images = 3, .views = 2}, 2, 1);
  for (std::size_t image = 0; image < 3; ++image)
    for (std::size_t view = 0; view < 2; ++view) {
      auto const value = static_cast<float>(10 * image + view);
      cache.set(image, view, std::vector<float>{value, -value}, std::vector<float>{value + 0.5f});
    }
  io::cached_guide const guide(cache, 3, true);
  CHECK(guide.plan(4, 1) == draw_augmentation(5, 1, 0));
  CHECK(guide.plan(5, 1) == draw_augmentation(5, 1, 1));
  auto const predicted = guide.predict({}, {{2, 0}, {}}, 3);
  CHECK(predicted.output(0, 0) == 21);
  CHECK(predicted.output(0, 1) == -21);
  CHECK(predicted.output(1, 0) == 1);
  CHECK((*predicted.features)(0, 0) == 21.5f);

  CHECK(support::says(support::refusal([&] { io::cached_guide(cache, 4, true); }), "holds 3 images"));
  CHECK(support::says(support::refusal([&] { io::cached_guide(cache, 3, false); }), "train with augmentation"));
  io::image_set set{.channels = 1, .height = 2, .width = 2, .mean = {0.5F}, .stddev = {0.25F}};
  set.pixels = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  io::teacher_cache const seen({.images = 3, .views = 2, .form = io::form_of(set)}, 2, 1);
  (void)io::cached_guide(seen, set, true);
  set.mean = {0};
  CHECK(support::says(
      support::refusal([&] { io::cached_guide(seen, set, true); }),
      "is of images of [1, 2, 2] with the means [0.5] and deviations [0.25], and the training set is of [1, 2, 2] with the "
      "means [0] and deviations [0.25]"));
  (void)io::cached_guide(cache, set, true);  // which does not say what the teacher saw

  io::teacher_cache const of_these({.images = 3, .views = 2, .form = io::form_of(set), .pixels = io::pixel_digest(set.pixels)}, 2,
                                   1);
  of_these.save(folder / "cache");
  auto const read = io::open_teacher_cache(folder / "cache");
  CHECK(read.about().pixels == io::pixel_digest(set.pixels));
  (void)io::cached_guide(read, set, true);
  std::swap_ranges(set.pixels.begin(), set.pixels.begin() + 4, set.pixels.begin() + 4);
  CHECK(support::says(support::refusal([&] { io::cached_guide(read, set, true); }), "or of these in another order"));

  io::teacher_cache const plain({.images = 3, .views = 0}, 2, 1);
  CHECK(io::cached_guide(plain, 3, false).plan(9, 2) == no_augmentation());
  CHECK(support::says(support::refusal([&] { io::cached_guide(plain, 3, true); }), "train without augmentation"));
}
