/// Pruning from files to files against pruning in memory: the same bits for every dtype, pattern and cut into files.
#include <doctest/doctest.h>
#include <sys/mount.h>

#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/mask/layerwise_unstructured.hpp>
#include <lnpt/mask/n_of_m.hpp>
#include <lnpt/out_of_core/prune.hpp>
#include <lnpt/prune.hpp>

#include "../io/support.hpp"
#include "../skip.hpp"

using namespace lnpt;
namespace st = io::safetensors;
using support::refusal;
using support::says;

namespace {

using bytes = std::vector<std::byte>;

/// A tensor of a stored model.
struct stored {
  io::dtype dtype;
  shape extents;
  bytes values;
};
using model_files = std::map<std::string, stored>;

std::size_t width_of(stored const& tensor) { return io::bits_of(tensor.dtype) / 8; }

/// Finite values of a dtype from random codes: many equal ones, zeros of both signs and denormals among them.
stored drawn(io::dtype type, shape extents, std::uint64_t seed) {
  stored tensor{type, std::move(extents), {}};
  auto const width = width_of(tensor);
  for (std::uint64_t i = 0, counter = 0; i != element_count(tensor.extents); ++counter) {
    auto const bits = random_bits(seed, counter);
    std::uint32_t code = static_cast<std::uint32_t>(bits) & (width == 4 ? 0xffffffffu : (1u << (8 * width)) - 1);
    if (type == io::dtype::f32) code = (bits >> 40) % 5 == 0 ? code & 0x803fffffu : (code & 0x81ffffffu) | 0x3c000000u;
    bytes value(width);
    std::memcpy(value.data(), &code, width);
    auto read = 0.0f;
    io::detail::with_stored_type(type, [&](auto tag) {
      typename decltype(tag)::type held;
      std::memcpy(&held, value.data(), width);
      read = static_cast<float>(held);
    });
    if (!std::isfinite(read)) continue;
    tensor.values.insert(tensor.values.end(), value.begin(), value.end());
    ++i;
  }
  return tensor;
}

/// Writes the tensors into `cuts` files with an index beside them, dealt out so that neighbours by name lie apart.
void write(std::filesystem::path const& folder, model_files const& model, std::size_t cuts) {
  std::filesystem::create_directories(folder);
  std::string map;
  for (std::size_t c = 0; c != cuts; ++c) {
    auto const name = "model-" + std::to_string(c) + ".safetensors";
    st::writer writer;
    writer.metadata("cut", std::to_string(c));
    std::size_t place = 0;
    for (auto const& [tensor, held] : model)
      if (place++ % cuts == c) {
        writer.add_stored(tensor, held.extents, held.dtype, held.values);
        map += (map.empty() ? "" : ",") + ('"' + tensor + "\":\"" + name + '"');
      }
    writer.save(folder / name);
  }
  std::ofstream(folder / "model.safetensors.index.json") << R"({"metadata":{"total_size":1},"weight_map":{)" << map << "}}";
}

model_files read(std::filesystem::path const& folder) {
  model_files model;
  io::sharded_model const files(folder);
  for (auto const& tensor : files.tensors()) {
    bytes values(tensor.bytes());
    files.read(tensor, 0, values);
    model[tensor.name()] = {tensor.about->dtype, tensor.about->shape, values};
  }
  return model;
}

std::vector<float> floats_of(stored const& tensor) {
  st::writer writer;
  writer.add_stored("x", tensor.extents, tensor.dtype, tensor.values);
  auto const file = writer.bytes();
  return st::view(file).read<float>("x");
}

/// Parameters in memory, in the order of their names.
struct memory_model {
  using tensor_type = cpu::array<float>;
  std::map<std::string, tensor_type> tensors;

  [[nodiscard]] std::vector<parameter<tensor_type>> parameters() {
    std::vector<parameter<tensor_type>> all;
    for (auto& [name, value] : tensors) all.push_back({name, &value, role::weight});
    return all;
  }
};

std::string const head = "lm_head.weight";
bool is_pruned(std::string const& name, stored const& tensor) {
  return tensor.extents.size() > 1 && name.ends_with(".weight") && name != head && name.find("embed") == name.npos;
}

memory_model in_memory(model_files const& model) {
  memory_model result;
  for (auto const& [name, tensor] : model)
    if (is_pruned(name, tensor))
      result.tensors.emplace(name, tensor_traits<cpu::array<float>>::make(tensor.extents, floats_of(tensor)));
  return result;
}

/// Each row a parameter of its own, named so that the order stays.
memory_model rows_in_memory(model_files const& model) {
  memory_model result;
  for (auto const& [name, tensor] : model) {
    if (!is_pruned(name, tensor)) continue;
    auto const values = floats_of(tensor);
    auto const row = values.size() / tensor.extents[0];
    for (std::size_t r = 0; r != tensor.extents[0]; ++r)
      result.tensors.emplace(name + '#' + std::to_string(1000000 + r),
                             tensor_traits<cpu::array<float>>::make({row}, std::span(values).subspan(r * row, row)));
  }
  return result;
}

/// The stored model with the pruned values as zero bytes.
model_files masked(model_files model, mask_set const& masks) {
  for (auto& [name, tensor] : model) {
    auto const width = width_of(tensor);
    std::size_t first = 0;
    for (auto const& mask : masks) {
      if (mask.name().substr(0, mask.name().find('#')) != name) continue;
      for (std::size_t i = 0; i != mask.size(); ++i)
        if (!mask[i]) std::memset(tensor.values.data() + (first + i) * width, 0, width);
      first += mask.size();
    }
  }
  return model;
}

void check_same(model_files const& seen, model_files const& expected) {
  REQUIRE(seen.size() == expected.size());
  for (auto const& [name, tensor] : expected) {
    CAPTURE(name);
    auto const found = seen.find(name);
    REQUIRE(found != seen.end());
    CHECK(found->second.dtype == tensor.dtype);
    CHECK(found->second.extents == tensor.extents);
    CHECK(found->second.values == tensor.values);
  }
}

model_files mixed(std::vector<io::dtype> const& types) {
  model_files model;
  std::uint64_t seed = 0;
  auto const type = [&] { return types[seed % types.size()]; };
  for (std::string const name : {"model.layers.10.mlp.up.weight", "model.layers.2.mlp.up.weight", "conv.weight", "a.weight"})
    model[name] = drawn(type(), name == "conv.weight" ? shape{6, 8, 3, 3} : shape{24, 40}, ++seed);
  model["big.weight"] = drawn(type(), {2, 300'000}, ++seed);  // more than a block, and rows that end inside one
  model[head] = drawn(type(), {10, 12}, ++seed);
  model["embed.weight"] = drawn(type(), {10, 12}, ++seed);
  model["model.norm.weight"] = drawn(type(), {7}, ++seed);
  model["ids"] = {io::dtype::i64, {2}, bytes(16, std::byte{3})};
  return model;
}

std::vector<std::vector<io::dtype>> const all_types{
    {io::dtype::f32},         {io::dtype::f16},
    {io::dtype::bf16},        {io::dtype::f8_e4m3},
    {io::dtype::f8_e5m2},     {io::dtype::f8_e4m3fnuz},
    {io::dtype::f8_e5m2fnuz}, {io::dtype::f32, io::dtype::bf16, io::dtype::f8_e4m3, io::dtype::f16}};

bytes stored_floats(std::vector<float> const& values) {
  auto const raw = std::as_bytes(std::span(values));
  return {raw.begin(), raw.end()};
}

}  // namespace

TEST_CASE("the four largest of eight, by hand: ties stay in the order of name, then index") {
  support::temporary_folder const folder;
  write(folder / "in",
        {{"b.weight", {io::dtype::f32, {2, 2}, stored_floats({3, -2, 2, 1})}},
         {"a.weight", {io::dtype::f32, {2, 2}, stored_floats({0, 2, -5, 2})}}},
        2);
  auto const report = out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}});
  auto const seen = read(folder / "out");
  CHECK(floats_of(seen.at("a.weight")) == std::vector<float>{0, 2, -5, 2});
  CHECK(floats_of(seen.at("b.weight")) == std::vector<float>{3, 0, 0, 0});
  CHECK(report.kept() == 4);
  CHECK(report.decided_by_position == 4);
}

TEST_CASE("global, layerwise and rows keep the bits that pruning in memory keeps, however the model is cut") {
  support::temporary_folder const folder;
  for (auto const& types : all_types) {
    auto model = mixed(types);
    model["odd.weight"] = drawn(types.back(), {3, 4099}, 99);  // rows that end within the words that are read at a time
    auto memory = in_memory(model), rows = rows_in_memory(model);
    for (std::size_t const cuts : {1u, 2u, 7u}) {
      CAPTURE(io::name_of(types.front()));
      CAPTURE(cuts);
      auto const in = folder / "in";
      write(in, model, cuts);
      auto const pruned = [&](out_of_core::prune_options options) {
        options.replace = true;
        static_cast<void>(out_of_core::prune(in, folder / "out", options));
        return read(folder / "out");
      };
      auto const keep = density{cuts == 7 ? 0.05 : 0.4};
      auto const seed = std::uint64_t{cuts};

      check_same(pruned({.keep = keep}), masked(model, prune<magnitude>(memory, {.budget = keep}).masks));
      check_same(pruned({.keep = keep, .pattern = out_of_core::pattern::layerwise}),
                 masked(model, prune<magnitude, layerwise_unstructured>(memory, {.budget = keep}).masks));
      check_same(pruned({.keep = keep, .pattern = out_of_core::pattern::rows}),
                 masked(model, prune<magnitude, layerwise_unstructured>(rows, {.budget = keep}).masks));
      check_same(pruned({.keep = keep, .criterion = out_of_core::criterion::random, .seed = seed}),
                 masked(model, prune<lnpt::random>(memory, {.budget = keep, .seed = seed}).masks));
      std::filesystem::remove_all(in);
    }
  }
}

TEST_CASE("what rounding empties, and what place alone decides, is reported by every pattern, as in memory") {
  using out_of_core::pattern;
  support::temporary_folder const folder;
  // Of the rows of 8 weights, .01 keeps none; 2 of the 4 threes, the twos and the ones stay by their place.
  model_files const model{{"a.weight", {io::dtype::f32, {1, 8}, stored_floats({3, 3, 3, 3, 2, 2, 1, 1})}},
                          {"b.weight", {io::dtype::f32, {1, 8}, stored_floats({0, 0, 0, 5, 7, 0, 0, 0})}}};
  write(folder / "in", model, 1);
  auto const pruned = [&](double keep, pattern how) {
    return out_of_core::prune(folder / "in", folder / "out", {.keep = density{keep}, .pattern = how, .replace = true});
  };
  for (auto const how : {pattern::layerwise, pattern::rows}) {
    auto const emptied = pruned(0.01, how).emptied();  // a row keeps one
    CHECK(emptied == (how == pattern::rows ? std::vector<std::string>{} : std::vector<std::string>{"a.weight", "b.weight"}));
    auto memory = in_memory(model);
    CHECK(prune<magnitude, layerwise_unstructured>(memory, {.budget = density{0.01}}).report.emptied ==
          std::vector<std::string>{"a.weight", "b.weight"});
    CHECK(pruned(0.25, how).emptied().empty());
    CHECK(pruned(0.25, how).decided_by_position == 4);  // the threes
    CHECK(pruned(0.5, how).decided_by_position == 0);   // of b's six zeros two stay, as the same bytes
    CHECK(pruned(0.625, how).decided_by_position == 2);
  }
  CHECK(pruned(0.5, pattern::n_of_m).decided_by_position == 4);
  CHECK(pruned(0.0625, pattern::global).emptied() == std::vector<std::string>{"a.weight"});

  for (auto const* const other : {"consolidated.safetensors", "original/model.pth", "tokenizer.json"}) {
    std::filesystem::create_directories((folder / "in" / other).parent_path());
    std::ofstream(folder / "in" / other) << "as it was";
  }
  CHECK(pruned(0.5, pattern::global).copied_weights() ==
        std::vector<std::string>{"consolidated.safetensors", "original/model.pth"});
}

TEST_CASE("rows of which nothing is left are counted where rows are outputs, by every pattern and through many blocks") {
  using out_of_core::pattern;
  support::temporary_folder const folder;
  constexpr std::size_t width = 500'000;  // rows that begin and end inside blocks
  std::vector<float> wide(3 * width, 1.0F);
  std::fill(wide.begin() + width, wide.begin() + 2 * width, -0.0F);
  model_files const model{{"a.weight", {io::dtype::f32, {3, 4}, stored_floats({9, 8, 7, 6, 1, 0, -0.0F, 0, 5, 1, 1, 1})}},
                          {"h.c_fc.weight", {io::dtype::f32, {2, 4}, stored_floats({0, 0, 0, 0, 9, 9, 9, 9})}},
                          {"wide.weight", {io::dtype::f32, {3, width}, stored_floats(wide)}}};
  write(folder / "in", model, 2);
  auto const empty = [&](double keep, pattern how) {
    auto const report =
        out_of_core::prune(folder / "in", folder / "out", {.keep = density{keep}, .pattern = how, .replace = true});
    std::vector<std::uint64_t> rows;
    for (auto const& each : report.pruned) rows.push_back(each.empty_rows);
    CHECK(report.empty_rows() == std::accumulate(rows.begin(), rows.end(), std::uint64_t{0}));
    return rows;
  };
  using counts = std::vector<std::uint64_t>;
  CHECK(empty(0.25, pattern::layerwise) == counts{2, 1, 2});  // the nines of a row; the first of equal ones
  CHECK(empty(0.25, pattern::rows) == counts{0, 1, 1});       // those that held nothing
  CHECK(empty(0.5, pattern::n_of_m) == counts{0, 1, 1});
  CHECK(empty(0.5, pattern::global) == counts{0, 1, 1});
  CHECK(empty(1e-6, pattern::global) == counts{2, 1, 3});                  // two nines
  std::ofstream(folder / "in/config.json") << R"({"model_type":"gpt2"})";  // whose c_fc has outputs as columns
  CHECK(empty(1, pattern::layerwise) == counts{0, 0, 1});
}

TEST_CASE("N:M keeps what it keeps in memory, along the inputs of linear layers and of convolutions") {
  support::temporary_folder const folder;
  for (auto const& types : all_types) {
    auto model = mixed(types);
    auto linear = model;
    linear.erase("conv.weight");
    auto memory = in_memory(linear);
    write(folder / "in", model, 2);
    auto const report =
        out_of_core::prune(folder / "in", folder / "out", {.pattern = out_of_core::pattern::n_of_m, .replace = true});
    auto expected = masked(linear, prune<magnitude, n_of_m<2, 4>>(memory, {}).masks);
    auto const of_8 = out_of_core::prune(folder / "in", folder / "of_8",
                                         {.pattern = out_of_core::pattern::n_of_m, .n = 3, .m = 8, .replace = true});
    auto seen_of_8 = read(folder / "of_8");
    auto expected_of_8 = masked(linear, prune<magnitude, n_of_m<3, 8>>(memory, {}).masks);
    seen_of_8.erase("conv.weight");
    check_same(seen_of_8, expected_of_8);
    CHECK(of_8.kept() * 8 == of_8.total() * 3);

    // Of 8 input channels, the two best of each four at every filter and place; written out.
    auto conv = model.at("conv.weight");
    auto const scores = floats_of(conv);
    auto const width = width_of(conv);
    for (std::size_t filter = 0; filter != 6; ++filter)
      for (std::size_t group = 0; group != 2; ++group)
        for (std::size_t place = 0; place != 9; ++place) {
          auto const at = [&](std::size_t i) { return (filter * 8 + group * 4 + i) * 9 + place; };
          for (std::size_t i = 0; i != 4; ++i) {
            std::size_t better = 0;
            for (std::size_t j = 0; j != 4; ++j)
              better += std::abs(scores[at(j)]) > std::abs(scores[at(i)]) ||
                        (std::abs(scores[at(j)]) == std::abs(scores[at(i)]) && j < i);
            if (better >= 2) std::memset(conv.values.data() + at(i) * width, 0, width);
          }
        }
    expected["conv.weight"] = conv;
    check_same(read(folder / "out"), expected);
    CHECK(report.kept() * 2 == report.total());
    std::filesystem::remove_all(folder / "in");
  }
}

TEST_CASE("what stays dense is listed with its reason, and names can be included and excluded") {
  support::temporary_folder const folder;
  write(folder / "in", mixed({io::dtype::bf16}), 1);
  std::ofstream(folder / "in" / "config.json") << R"({"model_type":"gpt2","vocab_size":24})";
  std::ofstream(folder / "in" / "tokenizer.txt") << "words";
  auto const report = out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}});
  CHECK(report.dense == std::vector<std::pair<std::string, std::string>>{
                            {"a.weight", "one row for each word of the vocabulary"},
                            {"embed.weight", "an embedding by its name"},
                            {"ids", "I64 is not ranked"},
                            {"lm_head.weight", "the classifier over the vocabulary by its name"},
                            {"model.layers.10.mlp.up.weight", "one row for each word of the vocabulary"},
                            {"model.layers.2.mlp.up.weight", "one row for each word of the vocabulary"},
                            {"model.norm.weight", "fewer than two axes"}});
  CHECK(report.copied == std::vector<std::string>{"config.json", "model.safetensors.index.json", "tokenizer.txt"});
  CHECK(support::text_of(folder / "out/tokenizer.txt") == "words");
  CHECK(st::open(folder / "out/model-0.safetensors").metadata() == st::open(folder / "in/model-0.safetensors").metadata());
  auto const chosen = out_of_core::prune(folder / "in", folder / "chosen",
                                         {.keep = density{0.5}, .include = {"*.mlp.*", "lm_head*"}, .exclude = {"*.2.*"}});
  REQUIRE(chosen.pruned.size() == 2);
  CHECK(chosen.pruned[0].name == "lm_head.weight");
  CHECK(chosen.pruned[0].kept + chosen.pruned[1].kept == (120 + 960) / 2);
  auto const refused = [&](out_of_core::prune_options const& options) {
    return refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "none", options)); });
  };
  CHECK(says(refused({.include = {"nobody"}}), "no tensor is called \"nobody\""));
  CHECK(says(refused({.exclude = {"*"}}), "nothing is left to prune, \"a.weight\": excluded"));
  CHECK(says(refused({.pattern = out_of_core::pattern::n_of_m, .n = 4, .m = 4}), "0 < N < M"));
  CHECK(says(refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {})); }), "out exists"));
  CHECK(says(refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "in", {.replace = true})); }),
             "is the folder that is read"));
  CHECK(says(refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "in/out", {})); }),
             "lies in the folder that is read"));
  CHECK_FALSE(std::filesystem::exists(folder / "none"));
}

TEST_CASE("weights stored without their zeros are named by their format") {
  support::temporary_folder const folder;
  std::vector<float> const values(16, 1);
  std::vector<std::uint8_t> const bits(4, 0xf0);
  std::vector<std::int64_t> const extents{4, 8};
  auto const model = [&](char const* name, bool with_dense) {
    std::filesystem::create_directory(folder / name);
    st::writer writer;
    writer.add("mlp.weight.bitmask", {4, 1}, std::span(bits));
    writer.add("mlp.weight.compressed", {4, 4}, std::span(values));
    writer.add("mlp.weight.shape", {2}, std::span(extents));
    if (with_dense) writer.add("other.weight", {4, 4}, std::span(values));
    writer.save(folder / name / "model.safetensors");
    return folder / name;
  };
  auto const refused = refusal([&] { static_cast<void>(out_of_core::prune(model("all", false), folder / "none", {})); });
  CHECK(says(refused, "\"mlp.weight.bitmask\" is part of a weight stored as a bit mask and the values it keeps"));
  CHECK(says(refused, "sparse-24-bitmask"));
  auto const report = out_of_core::prune(model("some", true), folder / "out", {.keep = density{0.5}});
  REQUIRE(report.dense.size() == 3);
  for (auto const& [name, reason] : report.dense) CHECK(says(reason, "stored as a bit mask"));
}

TEST_CASE("what counts as kept is not 0, also of a model that had zeros before, and rows keep one weight at least") {
  support::temporary_folder const folder;
  model_files model;
  model["a.weight"] = drawn(io::dtype::f32, {6, 8}, 1);
  model["b.weight"] = drawn(io::dtype::bf16, {6, 4}, 2);
  write(folder / "in", model, 1);
  auto const half = out_of_core::prune(folder / "in", folder / "half", {.keep = density{0.5}});
  CHECK(half.kept() * 2 == half.total());
  auto const zeros_left = [&](char const* out) {
    std::size_t nonzero = 0;
    for (auto const& [name, tensor] : read(folder / out))
      for (auto const v : floats_of(tensor)) nonzero += v != 0;
    return nonzero;
  };
  out_of_core::prune_options by_chance{.keep = density{0.5}, .criterion = out_of_core::criterion::random};
  auto const again = out_of_core::prune(folder / "half", folder / "again", by_chance);
  CHECK(again.kept() < half.kept());
  CHECK(again.kept() == zeros_left("again"));
  auto const more = out_of_core::prune(folder / "half", folder / "more", {.keep = density{0.75}});
  CHECK(more.kept() == half.kept());
  auto const rows =
      out_of_core::prune(folder / "in", folder / "rows", {.keep = density{0.01}, .pattern = out_of_core::pattern::rows});
  CHECK(rows.kept() == 12);
  CHECK(rows.empty_rows() == 0);
}

TEST_CASE("matrices stored the other way round are grouped along their inputs where the model says so, else left dense") {
  support::temporary_folder const folder;
  model_files model;
  model["h.0.mlp.c_fc.weight"] = drawn(io::dtype::bf16, {8, 6}, 1);
  model["layers.0.experts.gate_up_proj"] = drawn(io::dtype::bf16, {2, 8, 6}, 2);
  write(folder / "in", model, 1);
  std::ofstream(folder / "in" / "config.json") << R"({"model_type":"gpt2"})";
  out_of_core::prune_options const two_of_four{.pattern = out_of_core::pattern::n_of_m};
  auto const report = out_of_core::prune(folder / "in", folder / "out", two_of_four);
  REQUIRE(report.dense.size() == 1);
  CHECK(report.dense[0].second == "which axis counts its inputs is not known");
  auto const seen = floats_of(read(folder / "out").at("h.0.mlp.c_fc.weight"));
  auto const before = floats_of(model["h.0.mlp.c_fc.weight"]);
  for (std::size_t out = 0; out != 6; ++out)
    for (std::size_t group = 0; group != 2; ++group) {
      std::vector<float> four, left;
      for (std::size_t i = 0; i != 4; ++i) {
        four.push_back(std::abs(before[(group * 4 + i) * 6 + out]));
        left.push_back(std::abs(seen[(group * 4 + i) * 6 + out]));
      }
      std::ranges::sort(four, std::greater{});
      std::ranges::sort(left, std::greater{});
      CHECK(left == std::vector<float>{four[0], four[1], 0, 0});
    }
  std::ofstream(folder / "in" / "config.json") << R"({"model_type":"gpt_oss"})";
  auto const experts = out_of_core::prune(folder / "in", folder / "oss", two_of_four).pruned;
  REQUIRE(experts.size() == 1);
  CHECK(experts[0].name == "layers.0.experts.gate_up_proj");  // 6 inputs of a linear layer [8, 6] are no multiple of 4
  auto const rows = refusal([&] {
    static_cast<void>(
        out_of_core::prune(folder / "in", folder / "rows", {.pattern = out_of_core::pattern::rows, .include = {"*gate_up*"}}));
  });
  CHECK(says(rows, "\"layers.0.experts.gate_up_proj\": its rows are inputs"));
}

TEST_CASE("8-bit weights are ranked by what they stand for: their value times the scale of their block") {
  support::temporary_folder const folder;
  auto const model_with = [&](shape const& scales_shape, std::vector<float> const& scales) {
    model_files model;
    model["a.weight"] = drawn(io::dtype::f8_e4m3, {4, 6}, 3);
    model["b.weight"] = drawn(io::dtype::f32, {4, 6}, 4);
    auto const raw = std::as_bytes(std::span(scales));
    model["a.weight_scale_inv"] = {io::dtype::f32, scales_shape, bytes(raw.begin(), raw.end())};
    std::filesystem::remove_all(folder / "in");
    write(folder / "in", model, 1);
    return model;
  };
  std::size_t across = 4;  // columns that share a scale of [2, 2]: a power of two, where no configuration says otherwise
  auto const factor = [&](shape const& scales, std::vector<float> const& values, std::size_t i) {
    if (values.size() == 1) return values[0];
    if (scales.size() == 1) return values[i / 6];
    return values[i / 6 / 2 * 2 + i % 6 / across];
  };
  auto const expect = [&](shape const& extents, std::vector<float> const& scales, std::string const& config = "{}") {
    auto const model = model_with(extents, scales);
    std::ofstream(folder / "in" / "config.json") << config;
    memory_model memory;
    for (std::string const name : {"a.weight", "b.weight"}) {
      auto values = floats_of(model.at(name));
      for (std::size_t i = 0; name[0] == 'a' && i != values.size(); ++i) values[i] *= factor(extents, scales, i);
      memory.tensors.emplace(name, tensor_traits<cpu::array<float>>::make({4, 6}, values));
    }
    static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}, .replace = true}));
    check_same(read(folder / "out"), masked(model, prune<magnitude>(memory, {.budget = density{0.5}}).masks));
  };
  expect({}, {0.25f});
  expect({1}, {0.125f});
  expect({4}, {1, 0.5f, 2, 0.01f});
  expect({2, 2}, {1, 0.03f, 0.2f, 7});
  across = 5;
  expect({2, 2}, {1, 0.03f, 0.2f, 7}, R"({"quantization_config":{"weight_block_size":[2,5]}})");
  across = 3;
  expect({2, 2}, {1, 0.03f, 0.2f, 7},
         R"({"quantization_config":{"config_groups":{"group_0":{"weights":{"block_structure":[2,3]}}}}})");

  auto exponents = model_with({2, 2}, {1, 0.5f, 0.25f, 8});
  static_cast<void>(out_of_core::prune(folder / "in", folder / "floats", {.keep = density{0.5}}));
  for (auto const type : {io::dtype::u8, io::dtype::f8_e8m0}) {  // 2^(u − 127)
    exponents["a.weight_scale_inv"] = {type, {2, 2}, {std::byte{127}, std::byte{126}, std::byte{125}, std::byte{130}}};
    std::filesystem::remove_all(folder / "in");
    write(folder / "in", exponents, 1);
    static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}, .replace = true}));
    for (std::string const name : {"a.weight", "b.weight"})
      CHECK(read(folder / "out").at(name).values == read(folder / "floats").at(name).values);
  }

  model_with({3, 2}, std::vector<float>(6, 1.0f));
  auto const refused =
      refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "no", {.keep = density{0.5}})); });
  CHECK(says(refused, R"(the scales "a.weight_scale_inv" of shape [3, 2] do not tile "a.weight")"));

  // A factor of an unknown name: it matters among tensors, not within one.
  auto named_otherwise = model_with({1}, {0.5f});
  auto scale = named_otherwise.extract("a.weight_scale_inv");
  scale.key() = "a.scale_weight";
  named_otherwise.insert(std::move(scale));
  std::filesystem::remove_all(folder / "in");
  write(folder / "in", named_otherwise, 1);
  auto const unknown =
      refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "no", {.keep = density{0.5}})); });
  CHECK(says(unknown, R"(whether "a.scale_weight" scales "a.weight" is not known)"));
  CHECK_NOTHROW(static_cast<void>(out_of_core::prune(folder / "in", folder / "layerwise",
                                                     {.keep = density{0.5}, .pattern = out_of_core::pattern::layerwise})));

  // So does one beside the scales that are known; those of another tensor of the module do not.
  auto with_another = model_with({1}, {0.5f});
  with_another["a.weight_scale_2"] = with_another.at("a.weight_scale_inv");
  std::filesystem::remove_all(folder / "in");
  write(folder / "in", with_another, 1);
  CHECK(says(refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "no", {.keep = density{0.5}})); }),
             R"(whether "a.weight_scale_2" scales "a.weight" is not known)"));
}

TEST_CASE("the block of scales is the one of those stated that fits, and none where several do") {
  using out_of_core::detail::stated_block;
  using block = std::array<std::uint64_t, 2>;
  CHECK(stated_block({{96, 96}}, {200, 200}, {3, 3}) == block{96, 96});
  CHECK(stated_block({{128, 128}, {96, 96}}, {200, 200}, {3, 3}) == block{96, 96});  // 128 would make two
  CHECK(stated_block({{70, 70}, {96, 96}}, {200, 200}, {3, 3}) == std::nullopt);
  CHECK(stated_block({{70, 70}, {70, 70}}, {200, 200}, {3, 3}) == block{70, 70});
  CHECK(stated_block({{64, 64}}, {200, 200}, {3, 3}) == block{0, 0});
  CHECK(stated_block({{128, 128}}, {200, 100}, {2, 1}) == block{128, 100});
  auto const blocks_of = [](std::string const& quantization) {
    return out_of_core::parse_config(R"({"quantization_config":)" + quantization + "}", "config.json").scale_blocks;
  };
  CHECK(blocks_of(R"({"weight_block_size":[96.0,96]})") == std::vector<block>{{96, 96}});
  CHECK(blocks_of(R"({"weight_block_size":[-1,96]})").empty());
  CHECK(blocks_of(R"({"weight_block_size":["96",96]})").empty());
  CHECK(blocks_of(R"({"weight_block_size":[96,96],"config_groups":{"g":{"weights":{"block_structure":[128,64]}}}})") ==
        std::vector<block>{{96, 96}, {128, 64}});
}

TEST_CASE("the last block of scales may be short") {
  using out_of_core::detail::block_extent;
  CHECK(block_extent(576, 5, 0) == 128);  // kv_a_proj_with_mqa of DeepSeek-V3: 4 blocks of 128 rows, one of 64
  CHECK(block_extent(576, 5, 120) == 120);
  CHECK(block_extent(576, 5, 64) == 128);  // what is stated for other tensors would make 9
  CHECK(block_extent(7168, 56, 0) == 128);
  CHECK(block_extent(576, 576, 128) == 1);
  CHECK(block_extent(576, 1, 128) == 576);
  CHECK(block_extent(7, 3, 0) == 3);
  CHECK(block_extent(5, 4, 0) == 0);
  CHECK(block_extent(4, 5, 0) == 0);
}

TEST_CASE("a run that stops anywhere goes on to the same bytes, and the old output stays until the new one is whole") {
  support::temporary_folder const folder;
  auto const model = mixed({io::dtype::f32, io::dtype::bf16});
  write(folder / "in", model, 2);
  out_of_core::prune_options options{.keep = density{0.05}, .journal_after = 1000, .replace = true};
  auto const empty_rows = out_of_core::prune(folder / "in", folder / "whole", options).empty_rows();
  REQUIRE(empty_rows > 0);
  auto const whole = read(folder / "whole");
  static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.9}}));
  auto const old = read(folder / "out");

  struct stopped {};
  for (int steps = 1, done = 0; done == 0; ++steps) {
    CAPTURE(steps);
    REQUIRE(steps < 200);
    int left = steps;
    options.progress = [&](std::uint64_t at, std::uint64_t total, char const*) {
      CHECK(at <= total);
      if (--left == 0) throw stopped{};
    };
    try {
      auto const report = out_of_core::prune(folder / "in", folder / "out", options);
      done = steps;
      CHECK(report.empty_rows() == empty_rows);
    } catch (stopped const&) {
      check_same(read(folder / "out"), old);
    }
    if (steps % 3 == 0) {  // as if the last line of the journal had been cut
      auto const journal = folder / "out.partial/.lnpt-prune.journal";
      if (std::filesystem::exists(journal)) std::filesystem::resize_file(journal, std::filesystem::file_size(journal) * 2 / 3);
    }
  }
  check_same(read(folder / "out"), whole);
  CHECK_FALSE(std::filesystem::exists(folder / "out.partial"));
  CHECK_FALSE(std::filesystem::exists(folder / "out/.lnpt-prune.journal"));

  options.progress = [&](std::uint64_t, std::uint64_t, char const*) { throw stopped{}; };
  CHECK_THROWS_AS(static_cast<void>(out_of_core::prune(folder / "in", folder / "out", options)), stopped);
  auto const other = refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.replace = true})); });
  CHECK(says(other, "holds an unfinished run with other options or on other files"));
}

/// What the killed run and the one after it are asked.
out_of_core::prune_options after_a_kill() { return {.keep = density{0.3}, .journal_after = 1000, .replace = true}; }

/// Not a test: the run that another case kills at its n-th step, in a process of its own.
TEST_CASE("the run that is killed" * doctest::skip()) {
  auto const* const folder = std::getenv("LNPT_KILLED_RUN");
  auto const* const at = std::getenv("LNPT_KILLED_AT");
  REQUIRE(folder != nullptr);
  REQUIRE(at != nullptr);
  auto options = after_a_kill();
  options.progress = [left = std::stoi(at)](std::uint64_t, std::uint64_t, char const*) mutable {
    if (--left == 0) std::raise(SIGKILL);
  };
  static_cast<void>(out_of_core::prune(std::filesystem::path(folder) / "in", std::filesystem::path(folder) / "out", options));
}

TEST_CASE("a run killed at any of twenty places leaves the old output whole, and goes on to the same bytes") {
  support::temporary_folder const folder;
  write(folder / "in", mixed({io::dtype::f32, io::dtype::bf16}), 2);
  static_cast<void>(out_of_core::prune(folder / "in", folder / "whole", after_a_kill()));
  auto const whole = read(folder / "whole");
  static_cast<void>(out_of_core::prune(folder / "in", folder / "old", {.keep = density{0.9}}));
  auto const old = read(folder / "old");
  auto const program = std::filesystem::read_symlink("/proc/self/exe").string();
  int killed = 0;
  for (int at = 1; at <= 20; ++at) {
    CAPTURE(at);
    std::filesystem::remove_all(folder / "out");
    std::filesystem::copy(folder / "old", folder / "out", std::filesystem::copy_options::recursive);
    auto const run = "LNPT_KILLED_RUN='" + folder.path().string() + "' LNPT_KILLED_AT=" + std::to_string(at) + " '" + program +
                     "' --no-skip --test-case='the run that is killed' >'" + (folder / "log").string() + "' 2>&1";
    if (std::system(("exec 2>/dev/null; " + run).c_str()) != 0) {
      ++killed;
      check_same(read(folder / "out"), old);
    }
    static_cast<void>(out_of_core::prune(folder / "in", folder / "out", after_a_kill()));
    check_same(read(folder / "out"), whole);
    CHECK_FALSE(std::filesystem::exists(folder / "out.partial"));
  }
  CHECK(killed >= 10);
}

TEST_CASE("a full disk is refused with the old output whole, and space lets the same run through") {
  support::temporary_folder const folder;
  auto const disk = folder / "disk";
  std::filesystem::create_directories(disk);
  if (::mount("lnpt", disk.c_str(), "tmpfs", 0, "size=1m") != 0) return skip("mounting a small disk takes root");
  struct unmounted {
    std::filesystem::path const& where;
    ~unmounted() { ::umount(where.c_str()); }
  } const at_the_end{disk};
  write(folder / "in", {{"a.weight", drawn(io::dtype::f32, {512, 512}, 1)}, {"b.weight", drawn(io::dtype::bf16, {512, 64}, 2)}},
        2);
  static_cast<void>(out_of_core::prune(folder / "in", folder / "whole", after_a_kill()));
  auto const run = [&] { static_cast<void>(out_of_core::prune(folder / "in", disk / "out", after_a_kill())); };
  CHECK(says(refusal(run), "left: free the rest, or choose another disk"));

  REQUIRE(::mount("lnpt", disk.c_str(), "tmpfs", MS_REMOUNT, "size=2m") == 0);
  auto options = after_a_kill();
  options.progress = [&](std::uint64_t, std::uint64_t, char const*) {  // somebody else fills the disk meanwhile
    std::ofstream(disk / "filler", std::ios::binary | std::ios::app) << std::string(std::size_t{4} << 20, 'x');
  };
  auto const refused = refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", disk / "out", options)); });
  CAPTURE(refused);
  CHECK(std::filesystem::exists(disk / "out") == refused.empty());
  std::filesystem::remove(disk / "filler");
  run();
  check_same(read(disk / "out"), read(folder / "whole"));
}

TEST_CASE("what is read, and what others put there, is never replaced") {
  support::temporary_folder const folder;
  auto const model = mixed({io::dtype::f32});
  write(folder / "models/in", model, 1);
  auto const shard = folder / "models/in/model-0.safetensors";
  auto const refused = [&](std::filesystem::path const& from, std::filesystem::path const& out) {
    return refusal([&] { static_cast<void>(out_of_core::prune(from, out, {.keep = density{0.5}, .replace = true})); });
  };
  CHECK(says(refused(folder / "models/in", folder / "models"), "which is read: name another folder"));
  CHECK(says(refused(folder / "models/in", folder / "models/in/../../models/"), "which is read: name another folder"));
  CHECK(says(refused(shard, folder / "models"), "which is read: name another folder"));
  CHECK(says(refused(shard, folder / "models/in"), "is the folder that is read"));
  CHECK(says(refused(folder / "models/in", folder / "models/in/out"), "lies in the folder that is read"));
  auto const here = std::filesystem::current_path();
  std::filesystem::current_path(folder / "models/in");
  auto const relative = refused(".", "out");
  std::filesystem::current_path(here);
  CHECK(says(relative, "lies in the folder that is read"));
  std::filesystem::create_directories(folder / "linked");
  std::filesystem::create_symlink(shard, folder / "linked/model.safetensors");
  CHECK(says(refused(folder / "linked", folder / "models"), "which is read: name another folder"));
  std::ofstream(folder / "file") << "notes";
  CHECK(says(refused(folder / "models/in", folder / "file"), "is a file or a link"));
  std::filesystem::create_directories(folder / "notes");
  std::ofstream(folder / "notes/day") << "notes";
  auto const unasked = [&](char const* out) {  // what would not be replaced is not offered to be
    return refusal([&] { static_cast<void>(out_of_core::prune(folder / "models/in", folder / out, {.keep = density{0.5}})); });
  };
  CHECK(says(unasked("file"), "is a file or a link"));
  CHECK(says(unasked("notes"), "no model to be replaced: name another folder"));
  std::filesystem::create_directories(folder / "empty");
  CHECK(says(unasked("empty"), "exists: name a new folder, or have it replaced"));
  CHECK(refused(folder / "models/in", folder / "empty").empty());
  std::filesystem::create_directory_symlink(folder / "nowhere", folder / "link");
  CHECK(says(refused(folder / "models/in", folder / "link"), "is a file or a link"));
  std::filesystem::create_directories(folder / "out.partial");
  std::ofstream(folder / "out.partial/notes") << "notes";
  CHECK(says(refused(folder / "models/in", folder / "out"), "holds files of something else"));
  CHECK(std::filesystem::exists(folder / "out.partial/notes"));
  CHECK_FALSE(std::filesystem::exists(folder / "models.partial"));
  check_same(read(folder / "models/in"), model);
}

TEST_CASE("two runs do not fill one folder") {
  support::temporary_folder const folder;
  write(folder / "in", mixed({io::dtype::f32}), 1);
  std::string second;
  out_of_core::prune_options options{.keep = density{0.5}};
  options.progress = [&](std::uint64_t, std::uint64_t, char const*) {
    if (second.empty())
      second = refusal([&] { static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}})); });
  };
  static_cast<void>(out_of_core::prune(folder / "in", folder / "out", options));
  CHECK(says(second, "is being filled by another run"));
  CHECK_FALSE(std::filesystem::exists(folder / "out.partial"));
}

TEST_CASE("weights that are not finite, or all 0, are refused by name, and nothing appears") {
  support::temporary_folder const folder;
  auto model = mixed({io::dtype::f32});
  auto const nan = std::bit_cast<std::array<std::byte, 4>>(std::nanf(""));
  for (auto const pattern : {out_of_core::pattern::global, out_of_core::pattern::layerwise, out_of_core::pattern::rows,
                             out_of_core::pattern::n_of_m}) {
    auto broken = model;
    std::ranges::copy(nan, broken["conv.weight"].values.begin());
    write(folder / "in", broken, 1);
    auto const refused = refusal([&] {
      static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}, .pattern = pattern}));
    });
    CHECK(says(refused, "1 of 432 in conv.weight"));
    CHECK_FALSE(std::filesystem::exists(folder / "out"));
    CHECK_FALSE(std::filesystem::exists(folder / "out.partial"));
  }
  for (auto& [name, tensor] : model) tensor.values.assign(tensor.values.size(), std::byte{0});
  write(folder / "in", model, 1);
  for (auto const pattern : {out_of_core::pattern::global, out_of_core::pattern::layerwise, out_of_core::pattern::rows,
                             out_of_core::pattern::n_of_m}) {
    auto const refused = refusal([&] {
      static_cast<void>(
          out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}, .pattern = pattern, .journal_after = 1000}));
    });
    CHECK(says(refused, "every weight is 0"));
    CHECK_FALSE(std::filesystem::exists(folder / "out"));
    CHECK_FALSE(std::filesystem::exists(folder / "out.partial"));
  }
}

TEST_CASE("what is not finite is refused in every dtype, by its tensor, whatever its sign") {
  using enum io::dtype;
  support::temporary_folder const folder;
  std::vector<std::pair<io::dtype, std::vector<unsigned>>> const codes{
      {f32, {0x7f800000, 0xff800001}}, {f16, {0x7c00, 0xfe00}}, {bf16, {0xff80, 0x7fc0}}, {f8_e4m3, {0x7f, 0xff}},
      {f8_e5m2, {0x7c, 0xfd}},         {f8_e4m3fnuz, {0x80}},   {f8_e5m2fnuz, {0x80}}};
  for (auto const& [type, those] : codes)
    for (auto const pattern : {out_of_core::pattern::global, out_of_core::pattern::layerwise, out_of_core::pattern::rows,
                               out_of_core::pattern::n_of_m}) {
      CAPTURE(io::name_of(type));
      auto model = mixed({type});
      for (auto const* const name : {"conv.weight", "big.weight"})
        for (std::size_t i = 0; i != those.size(); ++i)
          std::memcpy(model[name].values.data() + (101 + i) * width_of(model[name]), &those[i], width_of(model[name]));
      write(folder / "in", model, 1);
      auto const refused = refusal([&] {
        static_cast<void>(out_of_core::prune(folder / "in", folder / "out", {.keep = density{0.5}, .pattern = pattern}));
      });
      auto const count = std::to_string(those.size());
      CHECK(says(refused, count + " of 600000 in big.weight"));
      if (pattern == out_of_core::pattern::global) CHECK(says(refused, count + " of 432 in conv.weight"));
      CHECK_FALSE(std::filesystem::exists(folder / "out"));
    }
}

TEST_CASE("an index that disagrees with its files is refused") {
  support::temporary_folder const folder;
  write(folder / "in", mixed({io::dtype::bf16}), 2);
  auto const index = folder / "in/model.safetensors.index.json";
  auto const whole = support::text_of(index);
  auto const said = [&](std::string const& text) {
    std::ofstream(index) << text;
    return refusal([&] { io::sharded_model const model(folder / "in"); });
  };
  CHECK(said(whole).empty());
  CHECK(says(said("[]"), "is a JSON array"));
  CHECK(says(said("{}"), "has no weight_map"));
  CHECK(says(said("{"), "breaks the index's JSON"));
  CHECK(says(said(R"({"weight_map":{"a":"../b"}})"), "shards lie beside their index"));
  CHECK(says(said(R"({"weight_map":{"a":1}})"), "something that is no file name"));
  CHECK(says(said(R"({"weight_map":{"a":"x","a":"y"}})"), R"(the tensor "a" appears twice)"));
  CHECK(says(said(R"({"weight_map":{"ids":"model-0.safetensors"}})"), "does not say that"));
  auto changed = whole;
  changed.insert(changed.find("\"ids\""), R"("extra":"model-0.safetensors",)");
  CHECK(says(said(changed), "tensors, and it holds"));
}

TEST_CASE("stars and question marks in patterns") {
  CHECK(io::matches("*.mlp.*", "model.layers.0.mlp.up.weight"));
  CHECK(io::matches("a?c", "abc"));
  CHECK_FALSE(io::matches("a?c", "ac"));
  CHECK(io::matches("*", ""));
  CHECK_FALSE(io::matches("", "a"));
  CHECK(io::matches("a*b*c", "a.b.b.c"));
  CHECK_FALSE(io::matches("a*b*d", "a.b.b.c"));
}
