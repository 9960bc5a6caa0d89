/// State dicts and masks: all of a file fits the model, or nothing changes.
#include <doctest/doctest.h>

#include <limits>
#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/io/pruned_copy.hpp>
#include <lnpt/io/state_dict.hpp>

#include "support.hpp"

namespace io = lnpt::io;
using support::refusal;
using support::says;

namespace {

/// A model of one weight, one bias and one buffer.
template <class T>
struct tiny_model {
  using tensor = lnpt::cpu::array<T>;
  tensor weight = lnpt::cpu::filled<T>({2, 3}, 0), bias = lnpt::cpu::filled<T>({2}, 0), mean = lnpt::cpu::filled<T>({2}, 0);

  [[nodiscard]] std::vector<lnpt::parameter<tensor>> parameters() {
    return {{"fc.weight", &weight, lnpt::role::classifier_weight}, {"fc.bias", &bias, lnpt::role::bias}};
  }
  [[nodiscard]] std::vector<lnpt::parameter<tensor>> buffers() { return {{"bn.running_mean", &mean, lnpt::role::running_mean}}; }

  void count_up() {
    T next = 1;
    for (auto* const each : {&weight, &bias, &mean})
      for (auto& value : *each) value = next++;
  }
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> all;
    for (auto const* const each : {&weight, &bias, &mean}) all.insert(all.end(), each->begin(), each->end());
    return all;
  }
};

io::safetensors::writer complete(std::string const& prefix = "") {
  io::safetensors::writer writer;
  writer.add(prefix + "fc.weight", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  writer.add(prefix + "fc.bias", {2}, std::vector<float>{7, 8});
  writer.add(prefix + "bn.running_mean", {2}, std::vector<float>{9, 10});
  writer.add(prefix + "bn.num_batches_tracked", {}, std::vector<std::int64_t>{3});
  return writer;
}

/// What loading the file says; the model must be untouched if it says anything.
std::string load(io::safetensors::writer const& writer, io::state_dict_options const& options = {}) {
  auto const bytes = writer.bytes();
  tiny_model<float> model;
  auto const said = refusal([&] { io::load_state_dict(model, io::safetensors::view(bytes, "f"), options); });
  CHECK(model.values() == (said.empty() ? std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10} : std::vector<float>(10)));
  return said;
}

}  // namespace

TEST_CASE_TEMPLATE("a model that is saved and loaded is the same model", T, float, double) {
  support::temporary_folder const folder;
  tiny_model<T> saved, loaded;
  saved.count_up();
  io::save_state_dict(saved, folder / "m");
  io::load_state_dict(loaded, folder / "m");
  CHECK(loaded.values() == saved.values());
  CHECK(io::safetensors::open(folder / "m").info("fc.weight").dtype == io::dtype_of<T>());
}

TEST_CASE("loading reads what lies under the prefix and leaves the rest") {
  CHECK(load(complete()).empty());
  auto both = complete("student.");
  both.add("teacher.fc.weight", {1}, std::vector<float>{0});
  CHECK(load(both, {.prefix = "student."}).empty());
}

TEST_CASE("a float model loads from doubles and halves too") {
  auto writer = io::safetensors::writer();
  writer.add("fc.weight", {2, 3}, std::vector<double>{1, 2, 3, 4, 5, 6});
  writer.add("fc.bias", {2}, std::vector<std::int64_t>{7, 8});
  writer.add("bn.running_mean", {2}, std::vector<double>{9, 10});
  CHECK(load(writer).empty());
}

TEST_CASE("missing names are listed with the prefixes that the file has") {
  CHECK(load(io::safetensors::writer()) ==
        R"(f lacks "fc.weight", "fc.bias", "bn.running_mean" of the model's 3 tensors; its names have no prefix)");
  CHECK(says(load(complete("student.")), R"(its prefixes are "student.")"));
  CHECK(
      says(load(complete("a.b."), {.prefix = "a."}), R"(lacks "fc.weight", "fc.bias", "bn.running_mean" under the prefix "a.")"));
  CHECK(says(load(complete("a.b."), {.prefix = "a."}), R"(its prefixes are "a.b.")"));
  io::safetensors::writer other;
  for (auto const* name : {"a.x", "b.x", "c.x", "d.x", "e.x"}) other.add(name, {}, std::vector<float>{0});
  CHECK(says(load(other), R"(its prefixes are "a.", "b.", "c." and 2 more)"));
}

TEST_CASE("a tensor that the model does not have is refused") {
  auto writer = complete();
  writer.add("conv.weight", {1}, std::vector<float>{0});
  CHECK(says(load(writer), R"(f also holds "conv.weight", which the model does not have)"));
  for (auto const* name : {"x", "y", "z"}) writer.add(name, {1}, std::vector<float>{0});
  CHECK(says(load(writer), R"("conv.weight", "x", "y" and 1 more)"));
  auto masked = complete();
  masked.add("mask.fc.weight", {2, 3}, std::vector<std::uint8_t>(6));
  CHECK(load(masked).empty());
  masked.add("mask.conv.weight", {1}, std::vector<std::uint8_t>(1));
  CHECK(says(load(masked), R"("mask.conv.weight")"));
}

TEST_CASE("what is missing and what is extra stand side by side, and a renaming brings them together") {
  io::safetensors::writer other;
  other.add("linear.weight", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  other.add("linear.bias", {2}, std::vector<float>{7, 8});
  other.add("norm.bn.running_mean", {2}, std::vector<float>{9, 10});
  other.add("norm.bn.num_batches_tracked", {}, std::vector<std::int64_t>{3});
  auto const said = load(other);
  CHECK(says(said, R"(f lacks "fc.weight", "fc.bias", "bn.running_mean" of the model's 3 tensors)"));
  CHECK(says(said, R"(and holds "linear.bias", "linear.weight", "norm.bn.running_mean", which the model does not have)"));
  CHECK(load(other, {.rename = {{"linear", "fc"}, {"norm.bn", "bn"}}}).empty());
  CHECK(says(load(other, {.rename = {{"lin", "fc"}}}), R"(lacks "fc.weight")"));  // whole parts only
  CHECK(says(load(other, {.rename = {{"linear.weight", "x"}, {"linear.bias", "x"}}}), "which are both called \"x\""));
  CHECK(says(load(other, {.rename = {{"", "x"}}}), "says nothing"));
}

TEST_CASE("a renaming takes whole dotted parts wherever they stand") {
  CHECK(io::renamed("shortcut.0.shortcut", {"shortcut", "downsample"}) == "downsample.0.downsample");
  CHECK(io::renamed("layer1.0.shortcuts.0", {"shortcut", "downsample"}) == "layer1.0.shortcuts.0");
  CHECK(io::renamed("a.b.c", {"b.c", "d"}) == "a.d");
  CHECK(io::renamed("a.b.cc", {"b.c", "d"}) == "a.b.cc");
  CHECK(io::model_name("mask.student.linear.weight", {.prefix = "student.", .rename = {{"linear", "fc"}}}) == "mask.fc.weight");
  CHECK(io::model_name("teacher.linear.weight", {.prefix = "student."}).empty());
}

TEST_CASE("what is extra is passed over where that is asked for; what is missing never is") {
  auto writer = complete();
  writer.add("conv.weight", {1}, std::vector<float>{0});
  CHECK(load(writer, {.ignore_extra = true}).empty());
  io::safetensors::writer other;
  other.add("conv.weight", {1}, std::vector<float>{0});
  CHECK(says(load(other, {.ignore_extra = true}), R"(lacks "fc.weight")"));
}

TEST_CASE("what a weight is computed of is not taken for the weight, renamed or passed over") {
  auto pruned = io::safetensors::writer();
  pruned.add("fc.weight_orig", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  pruned.add("fc.weight_mask", {2, 3}, std::vector<float>{1, 0, 1, 0, 1, 0});
  pruned.add("fc.bias", {2}, std::vector<float>{7, 8});
  pruned.add("bn.running_mean", {2}, std::vector<float>{9, 10});
  std::string const sentence =
      R"(f holds "fc.weight_orig" and "fc.weight_mask", of which "fc.weight" is computed: call torch.nn.utils.prune.remove on its module before saving)";
  CHECK(load(pruned) == sentence);
  CHECK(load(pruned, {.rename = {{"fc.weight_orig", "fc.weight"}}, .ignore_extra = true}) == sentence);
  auto normed = complete();
  normed.add("fc.parametrizations.weight.original0", {2, 1}, std::vector<float>{1, 2});
  CHECK(says(
      load(normed, {.ignore_extra = true}),
      R"(f holds "fc.parametrizations.weight.original0", of which "fc.weight" is computed: call torch.nn.utils.parametrize)"));
  auto const computed = [](std::vector<std::string> const& names) {
    io::safetensors::writer writer;
    for (auto const& name : names) writer.add(name, {1}, std::vector<float>{1});
    return load(writer, {.ignore_extra = true});
  };
  CHECK(
      computed({"fc.weight_g", "fc.weight_v"}) ==
      R"(f holds "fc.weight_g" and "fc.weight_v", of which "fc.weight" is computed: call torch.nn.utils.remove_weight_norm on its module before saving)");
  CHECK(
      computed({"fc.weight_orig", "fc.weight_u", "fc.weight_v"}) ==
      R"(f holds "fc.weight_orig" and "fc.weight_u", of which "fc.weight" is computed: call torch.nn.utils.remove_spectral_norm on its module before saving)");
  CHECK(says(computed({"fc.parametrizations.weight.original"}), R"(of which "fc.weight" is computed)"));
  CHECK(says(computed({"fc.weight_g"}), R"(lacks "fc.weight")"));  // of nobody's
  auto other = complete();  // of another module's: an x_orig without a mask is like any other extra tensor
  other.add("other.weight_orig", {1}, std::vector<float>{0});
  CHECK(load(other, {.ignore_extra = true}).empty());
}

TEST_CASE("a pruned copy has the file's names, dtypes and bytes but for what the masks prune") {
  auto const bfloats = std::vector<std::byte>{std::byte{0x80}, std::byte{0x3f}, std::byte{1}, std::byte{2}};
  io::safetensors::writer writer;
  writer.add_stored("net.linear.weight", {2}, io::dtype::bf16, bfloats);
  writer.add("net.linear.bias", {1}, std::vector<double>{0.1});
  writer.add("net.steps", {}, std::vector<std::int64_t>{5});
  writer.add("mask.linear.weight", {2}, std::vector<std::uint8_t>{1, 1});
  writer.add("other.weight", {1}, std::vector<float>{1});
  auto const bytes = writer.bytes();
  auto const file = io::safetensors::view(bytes, "f");
  lnpt::mask kept("fc.weight", {2}, true);
  kept.set(0, false);
  lnpt::mask_set masks;
  masks.add(kept);
  io::safetensors::writer copy;
  io::add_pruned_copy(copy, file, masks, {.prefix = "net.", .rename = {{"linear", "fc"}}});
  auto const written = copy.bytes();
  auto const back = io::safetensors::view(written, "copy");
  CHECK(back.names() == std::vector<std::string>{"steps", "linear.bias", "linear.weight"});
  CHECK(back.info("linear.weight").dtype == io::dtype::bf16);
  std::vector<std::byte> stored(4);
  back.read_bytes(back.info("linear.weight"), 0, stored);
  CHECK(stored == std::vector<std::byte>{std::byte{0}, std::byte{0}, std::byte{1}, std::byte{2}});
  CHECK(back.read<double>("linear.bias") == std::vector<double>{0.1});

  lnpt::mask_set wrong;
  wrong.add({"fc.weight", {3}, true});
  io::safetensors::writer none;
  CHECK(says(refusal([&] { io::add_pruned_copy(none, file, wrong, {.prefix = "net.", .rename = {{"linear", "fc"}}}); }),
             "has shape [3] where the file has [2]"));
}

TEST_CASE("another shape is refused, also of the same size") {
  io::safetensors::writer writer;
  writer.add("fc.weight", {3, 2}, std::vector<float>(6));
  writer.add("fc.bias", {2}, std::vector<float>{7, 8});
  writer.add("bn.running_mean", {2}, std::vector<float>{9, 10});
  CHECK(says(load(writer), R"("fc.weight" has shape [3, 2] where the model has [2, 3])"));
}

TEST_CASE("values that are not finite are refused by name and count, even in the last tensor") {
  auto const inf = std::numeric_limits<float>::infinity();
  io::safetensors::writer writer;
  writer.add("fc.weight", {2, 3}, std::vector<float>(6));
  writer.add("fc.bias", {2}, std::vector<float>(2));
  writer.add("bn.running_mean", {2}, std::vector<float>{-inf, std::numeric_limits<float>::quiet_NaN()});
  CHECK(says(load(writer), R"("bn.running_mean" holds 2 values of 2 that are NaN or infinite)"));
}

TEST_CASE("masks are written beside the weights and read back") {
  support::temporary_folder const folder;
  tiny_model<float> model;
  lnpt::mask weight("fc.weight", {2, 3}, true), bias("fc.bias", {2}, false);
  weight.set(4, false);
  lnpt::mask_set masks;
  masks.add(weight);
  masks.add(bias);
  io::save_state_dict(model, folder / "m", masks);
  auto const file = io::safetensors::open(folder / "m");
  CHECK(io::load_masks(model, file) == masks);
  CHECK(file.read<std::uint8_t>("mask.fc.weight") == std::vector<std::uint8_t>{1, 1, 1, 1, 0, 1});
  auto const by_name = io::load_masks(file);
  REQUIRE(by_name.size() == 2);
  CHECK(by_name.begin()->name() == "fc.bias");
  CHECK(*by_name.find("fc.weight") == weight);
  io::load_state_dict(model, file);
}

TEST_CASE("a mask of other values, shape or name is refused") {
  tiny_model<float> model;
  auto const load_masks = [&](std::string const& name, lnpt::shape extents, std::vector<std::uint8_t> values) {
    io::safetensors::writer writer;
    writer.add(name, std::move(extents), std::move(values));
    auto const bytes = writer.bytes();
    return refusal([&] { (void)io::load_masks(model, io::safetensors::view(bytes, "f")); });
  };
  CHECK(load_masks("mask.fc.bias", {2}, {0, 1}).empty());
  CHECK(says(load_masks("mask.fc.bias", {2}, {0, 2}), "f: mask.fc.bias holds 2 at 1; a mask holds 0 and 1"));
  CHECK(says(load_masks("mask.fc.bias", {3}, {0, 1, 1}), "the mask of fc.bias has shape [3] where the model has [2]"));
  CHECK(says(load_masks("mask.conv", {1}, {1}), "holds 1 masks, of which the model knows 0"));
}
