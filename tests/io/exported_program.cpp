// Networks that PyTorch exported, against what PyTorch computes of them; what is not a network of ours is refused by name.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
#include <lnpt/io/network_description.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/shrink.hpp>

#include "../repository.hpp"
#include "../skip.hpp"
#include "../structure/nets.hpp"
#include "support.hpp"

using namespace lnpt;
using support::refusal;
using support::says;

namespace {

template <class T>
using engine_network = network<cpu::backend<T>>;

std::filesystem::path const folder = test::repository() / "tests/io/exported";

template <class T>
cpu::array<T> values_in(io::safetensors::file const& file, std::string const& name) {
  return tensor_traits<cpu::array<T>>::make(file.info(name).shape, file.read<T>(name));
}

/// As a fraction of the largest value expected, or of 1.
template <class T>
double largest_difference(cpu::array<T> const& found, std::vector<double> const& expected) {
  auto const values = values_of(found);
  REQUIRE(values.size() == expected.size());
  double worst = 0, largest = 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(values[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

template <class T>
constexpr double tolerance = std::is_same_v<T, double> ? 1e-9 : 1e-4;

std::vector<std::string> names_of(auto const& views) {
  std::vector<std::string> names;
  for (auto const& each : views) names.push_back(each.name);
  return names;
}

role role_of(auto& network, std::string const& name) {
  auto const all = network.parameters();
  return std::ranges::find(all, name, [](auto const& p) { return p.name; })->role;
}

/// Writes the program with one piece of its text replaced.
void replace(std::string const& name, std::string const& from, std::string const& to, std::filesystem::path const& path) {
  io::zip::archive const old(io::byte_source::open(folder / name));
  io::zip::writer writer(path);
  for (auto const& entry : old.entries()) {
    auto const bytes = old.read(entry);
    std::string text(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    if (entry.name.ends_with(".json"))
      for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
    writer.add(entry.name, std::as_bytes(std::span(text)));
  }
  writer.commit();
}
std::string refusal_with(std::string const& name, std::string const& from, std::string const& to) {
  support::temporary_folder const scratch;
  replace(name, from, to, scratch / "changed.pt2");
  return refusal([&] { (void)io::load_exported<cpu::backend<float>>(scratch / "changed.pt2"); });
}

}  // namespace

TEST_CASE_TEMPLATE("networks compute what PyTorch computes, in both modes of batch norm", T, double, float) {
  for (auto const* const name : {"layers", "joins", "line", "own", "constants", "pieces", "core", "spelt_out", "branches"}) {
    CAPTURE(name);
    auto const network = io::load_exported<cpu::backend<T>>(folder / (std::string(name) + ".pt2"));
    auto const file = io::safetensors::open(folder / (std::string(name) + ".safetensors"));
    auto input = values_in<T>(file, "input");
    if (input.dimension() == 3) input.reshape({input.shape()[0], input.shape()[1], 1, input.shape()[2]});
    for (auto const& [mode, norm] : {std::pair("eval", norm_mode::eval), std::pair("train", norm_mode::train)}) {
      CAPTURE(mode);
      auto const predicted = network.predict(input, {norm});
      CHECK(largest_difference(predicted.output, file.read<double>(std::string("logits.") + mode)) < tolerance<T>);
      if (auto const features = std::string("features.") + mode; file.contains(features))
        CHECK(largest_difference(*predicted.features, file.read<double>(features)) < tolerance<T>);
    }
  }
}

TEST_CASE("parameters have the state_dict's names, and roles by the graph") {
  auto network = io::load_exported<cpu::backend<float>>(folder / "layers.pt2");
  CHECK(names_of(network.parameters()).front() == "classifier.weight");
  CHECK(role_of(network, "classifier.weight") == role::classifier_weight);
  CHECK(role_of(network, "even.weight") == role::weight);
  CHECK(role_of(network, "dilated.bias") == role::bias);
  CHECK(role_of(network, "norm.weight") == role::norm_scale);
  CHECK(role_of(network, "prelu.weight") == role::bias);
  CHECK(names_of(network.buffers()) == std::vector<std::string>{"norm.running_mean", "norm.running_var"});
  auto const names = names_of(network.parameters());
  CHECK(std::ranges::count(names, "first.weight") == 1);  // which second.weight is, too
  CHECK(std::ranges::count(names, "second.weight") == 0);
}

TEST_CASE("a state_dict of weights that are still computed is refused, also where what is extra is passed over") {
  auto network = io::load_exported<cpu::backend<float>>(folder / "layers.pt2");
  io::exported::program const source(io::byte_source::open(folder / "layers.pt2"));
  io::safetensors::writer pruned;
  pruned.add("even.weight_orig", {1}, std::vector<float>{1});
  pruned.add("even.weight_mask", {1}, std::vector<float>{0});
  auto const bytes = pruned.bytes();
  auto const file = io::safetensors::view(bytes, "f");
  for (auto const& options : {io::state_dict_options{}, io::state_dict_options{.ignore_extra = true}}) {
    auto const said = refusal([&] { io::exported::load_state_dict(network, source, file, options); });
    CHECK(says(said, R"(of which "even.weight" is computed: call torch.nn.utils.prune.remove)"));
  }
}

TEST_CASE("tensors beside the weights are never pruned, have their own names, and are written back") {
  auto network = io::load_exported<cpu::backend<float>>(folder / "constants.pt2");
  for (auto const* const name : {"gamma", "beta", "gain", "gate", "place", "temper"}) CHECK(role_of(network, name) == role::leaf);
  auto const buffers = network.buffers();
  for (auto const* const name : {"mean", "deviation"})
    CHECK(std::ranges::find(buffers, name, [](auto const& b) { return b.name; })->role == role::constant);
  auto const parameters = network.parameters();
  auto const gamma = std::ranges::find(parameters, "gamma", [](auto const& p) { return p.name; });
  CHECK(shape_of(*gamma->value) == shape{6, 1, 1, 1});

  support::temporary_folder const scratch;
  for (auto const& p : network.parameters())
    for (auto& value : tensor_traits<cpu::array<float>>::view(*p.value)) value *= -2;
  io::save_exported(folder / "constants.pt2", network, scratch / "trained.pt2");
  auto trained = io::load_exported<cpu::backend<float>>(scratch / "trained.pt2");
  for (std::size_t i = 0; auto const& p : trained.parameters()) {
    CAPTURE(p.name);
    CHECK(values_of(*p.value) == values_of(*network.parameters()[i++].value));
  }
  CHECK(says(refusal_with("constants.pt2", "\"name\":\"running_mean\"", "\"name\":\"nothing\""), "track_running_stats=False"));
}

TEST_CASE("running statistics move by the momentum of the file, as PyTorch's do, and a description brings it along") {
  auto network = io::load_exported<cpu::backend<double>>(folder / "spelt_out.pt2");
  auto const file = io::safetensors::open(folder / "spelt_out.safetensors");
  auto const input = values_in<double>(file, "input");
  auto const step = [&](engine_network<double>& net) { net.update_running_statistics(net.forward(input, {norm_mode::train})); };
  auto described = io::build_network<cpu::backend<double>>(io::describe(network, {2, 7, 6}), 1).first;
  for (std::size_t i = 0; i < network.nodes().size(); ++i)
    if (auto const* const norm = std::get_if<nn::batch_norm>(&network.nodes()[i].rules))
      CHECK(std::get<nn::batch_norm>(described.nodes()[i].rules).momentum == norm->momentum);
  step(network);
  for (auto const& buffer : network.buffers()) {
    CAPTURE(buffer.name);
    CHECK(largest_difference(*buffer.value, file.read<double>("moved." + buffer.name)) < tolerance<double>);
  }

  support::temporary_folder const scratch;
  constexpr auto momentum = R"("name":"momentum","arg":{"as_float":)";
  replace("spelt_out.pt2", momentum + std::string("0.03"), momentum + std::string("0.0"), scratch / "still.pt2");
  auto still = io::load_exported<cpu::backend<double>>(scratch / "still.pt2");
  CHECK(says(refusal([&] { step(still); }), "batch norm norm has a momentum of 0, by which training moves"));
}

TEST_CASE("a choice between two values is read as the function that it spells out, and refused where it spells out none") {
  auto const network = io::load_exported<cpu::backend<double>>(folder / "spelt_out.pt2");
  auto const count = [&]<class Layer>(std::type_identity<Layer>) {
    return std::ranges::count_if(network.nodes(), [](auto const& node) { return std::holds_alternative<Layer>(node.rules); });
  };
  CHECK(count(std::type_identity<nn::prelu>{}) == 3);
  CHECK(count(std::type_identity<nn::multiply>{}) == 1);  // the square
  auto const other = refusal_with("spelt_out.pt2", R"("name":"other","arg":{"as_int":0)", R"("name":"other","arg":{"as_int":3)");
  CAPTURE(other);
  CHECK(says(other, "gt.Scalar in each (PReLU)"));
  CHECK(says(other, "where.self in each (PReLU)"));
}

TEST_CASE("what cannot be read is refused in words that say where and why") {
  CHECK(says(refusal_with("line.pt2", "aten.relu.default", "aten.layer_norm.default"),
             "layer_norm.default in the network itself (Line) and 1 other place"));
  CHECK(
      says(refusal_with("line.pt2", "aten.relu.default", "aten.layer_norm.default"), "Prune this network as a LibTorch module"));
  CHECK(says(refusal_with("line.pt2", "aten.relu.default", "aten.bernoulli.default"),
             "draws at random (export the network in eval mode)"));
  CHECK(says(refusal_with("line.pt2", "\"major\":8", "\"major\":9"), "follows version 9 of the export schema"));
  CHECK(says(refusal_with("line.pt2", "\"path_name\": \"weight_0\"", "\"path_name\": \"weight_99\""), "which the file lacks"));
  CHECK(says(refusal_with("line.pt2", "\"graph_module\"", "\"graph\""), "is not written as PyTorch writes it"));
  CHECK(says(refusal_with("line.pt2", "{", "{{"), "breaks JSON at its byte 2, byte "));
  CHECK(says(refusal([] { (void)io::load_exported<cpu::backend<float>>(folder / "line.safetensors"); }), "is no zip archive"));
}

TEST_CASE("numbers that mean nothing are refused by their names, and tensors that hold none") {
  for (auto const* const epsilon : {"-1e-05", "0.0"})
    CHECK(says(refusal_with("own.pt2", R"("name":"eps","arg":{"as_float":1e-05)",
                            std::string(R"("name":"eps","arg":{"as_float":)") + epsilon),
               "which must be a positive number, in stem_norm (BatchNorm2d)"));
  CHECK(says(refusal_with("own.pt2", R"("name":"stride","arg":{"as_ints":[4,4])", R"("name":"stride","arg":{"as_ints":[4,0])"),
             "has stride = [4, 0], of which every number must be from 1 to "));
  CHECK(says(
      refusal_with("layers.pt2", R"("name":"dilation","arg":{"as_ints":[2,1])", R"("name":"dilation","arg":{"as_ints":[2,-1])"),
      "has dilation = [2, -1]"));
  CHECK(says(refusal_with("joins.pt2", R"("name":"kernel_size","arg":{"as_ints":[3,3])",
                          R"("name":"kernel_size","arg":{"as_ints":[1,1])"),
             "which must be at most half of them"));
  CHECK(says(refusal_with("layers.pt2", R"("name":"min","arg":{"as_int":-1)", R"("name":"min","arg":{"as_int":3)"),
             "bounds numbers from 3 to 2"));
  CHECK(says(refusal_with("pieces.pt2", R"("as_float":0.7)", R"("as_float":-0.7)"), "celu.default, which has alpha = -0.7"));
  auto const complex = refusal_with("line.pt2", "\"dtype\": 13", "\"dtype\": 10");
  CAPTURE(complex);
  CHECK(says(complex, "reads the tensor wide.weight of dtype complex64 (float32 or another dtype of real numbers"));

  support::temporary_folder const scratch;
  replace("own.pt2", "\"dtype\": 5", "\"dtype\": 29", scratch / "own.pt2");  // the counters, which no logits need
  CHECK_NOTHROW((void)io::load_exported<cpu::backend<float>>(scratch / "own.pt2"));
  io::safetensors::writer writer;
  io::exported::program const source(io::byte_source::open(scratch / "own.pt2"));
  CHECK(says(refusal([&] { io::exported::add_state_dict(writer, source, {}); }),
             "holds the tensor hidden_norm.num_batches_tracked of dtype float8_e4m3fn"));
  CHECK(says(refusal_with("core.pt2", R"([1,0])", R"([0,1])"), "exchanges axes of weights, but for rows and columns"));
}

TEST_CASE("a pruned program keeps its names, dtypes and strides, and every weight that is not pruned to the bit") {
  support::temporary_folder const scratch;
  for (auto const* const name : {"layers", "line"}) {
    CAPTURE(name);
    auto const from = folder / (std::string(name) + ".pt2"), to = scratch / "pruned.pt2";
    auto network = io::load_exported<cpu::backend<float>>(from);
    mask_set masks;
    for (auto const& p : network.parameters()) {
      if (!is_prunable(p.role)) continue;
      mask kept(p.name, shape_of(*p.value), true);
      for (std::size_t i = 0; i < kept.size(); i += 3) kept.set(i, false);
      masks.add(std::move(kept));
    }
    io::save_exported(from, masks, to);

    auto pruned = io::load_exported<cpu::backend<float>>(to);
    auto const before = network.parameters(), after = pruned.parameters();
    REQUIRE(names_of(before) == names_of(after));
    for (std::size_t p = 0; p < before.size(); ++p) {
      CAPTURE(before[p].name);
      auto expected = values_of(*before[p].value);
      for (std::size_t i = 0; is_prunable(before[p].role) && i < expected.size(); i += 3) expected[i] = 0;
      CHECK(values_of(*after[p].value) == expected);
    }

    io::exported::program const source(io::byte_source::open(from)), result(io::byte_source::open(to));
    io::safetensors::writer writer;
    io::exported::add_state_dict(writer, source, io::exported::pruned_by(source, masks));
    writer.save(scratch / "pruned.safetensors");
    auto const file = io::safetensors::open(scratch / "pruned.safetensors");
    CHECK(file.entries().size() == source.state_size());
    for (std::size_t i = 0; i < source.state_size(); ++i) {
      auto const &was = source.tensors()[i], &is = result.tensors()[i];
      CAPTURE(was.name);
      CHECK(is.name == was.name);
      CHECK(is.dtype == was.dtype);
      CHECK(is.strides == was.strides);
      CHECK(file.info(was.name).dtype == was.dtype);
      CHECK(file.info(was.name).shape == was.extents);
      if (was.dtype == io::dtype::f32)
        CHECK(file.read<float>(was.name) == io::exported::read_values<float>(result.archive(), is));
    }
  }
  CHECK(says(refusal([&] {
               io::save_exported(
                   folder / "line.pt2",
                   [] {
                     mask_set masks;
                     masks.add(mask("missing.weight", {1}, true));
                     return masks;
                   }(),
                   scratch / "never.pt2");
             }),
             "holds no tensor missing.weight"));
  CHECK_FALSE(std::filesystem::exists(scratch / "never.pt2"));
}

TEST_CASE("trained values are rounded to the nearest number of 16 bits") {
  using io::bfloat16, io::half;
  CHECK(bfloat16::nearest(1.5F).bits == 0x3fc0);
  CHECK(bfloat16::nearest(1 + 0x1p-8F).bits == 0x3f80);      // a tie goes to the even mantissa, down
  CHECK(bfloat16::nearest(1 + 3 * 0x1p-8F).bits == 0x3f82);  // and up
  CHECK(bfloat16::nearest(-0.0F).bits == 0x8000);
  CHECK(half::nearest(1 + 0x1p-11F).bits == 0x3c00);
  CHECK(half::nearest(-1 - 3 * 0x1p-11F).bits == 0xbc02);
  CHECK(half::nearest(2 - 0x1p-12F).bits == 0x4000);  // carries into the exponent
  CHECK(half::nearest(0x1p-25F).bits == 0);           // half of the smallest number
  CHECK(half::nearest(3 * 0x1p-26F).bits == 1);
  CHECK(half::nearest(65519.0F).bits == 0x7bff);
  CHECK(half::nearest(65520.0F).bits == 0x7c00);  // infinity
  for (std::uint32_t code = 0; code < 0x7c00; ++code)
    REQUIRE(half::nearest(static_cast<float>(half{static_cast<std::uint16_t>(code)})).bits == code);
}

TEST_CASE("a network's values are written as the program that it was read from, in the dtypes of the file") {
  support::temporary_folder const scratch;
  auto const to = scratch / "trained.pt2";
  for (auto const* const name : {"layers.pt2", "line.pt2"}) {  // strided and shared weights; bfloat16
    CAPTURE(name);
    auto network = io::load_exported<cpu::backend<float>>(folder / name);
    for (auto const& p : network.parameters())
      for (auto& value : tensor_traits<cpu::array<float>>::view(*p.value)) value *= -2;
    io::save_exported(folder / name, network, to);
    auto trained = io::load_exported<cpu::backend<float>>(to);
    for (std::size_t i = 0; auto const& p : trained.parameters()) {
      CAPTURE(p.name);
      CHECK(values_of(*p.value) == values_of(*network.parameters()[i++].value));
    }
  }
  auto network = io::load_exported<cpu::backend<float>>(folder / "line.pt2");
  tensor_traits<cpu::array<float>>::view(*network.parameters().front().value).front() = 3.4e38F;
  CHECK(says(refusal([&] { io::save_exported(folder / "line.pt2", network, scratch / "never.pt2"); }),
             "have no finite places in its dtype BF16"));
  CHECK_FALSE(std::filesystem::exists(scratch / "never.pt2"));
}

TEST_CASE("a network that became smaller is written as the program that it was read from") {
  support::temporary_folder const scratch;
  auto const to = scratch / "small.pt2";
  auto const shrunk_from = [&](std::string const& name, std::string const& only = "") {
    auto network = io::load_exported<cpu::backend<double>>(folder / name);
    io::exported::program const source(io::byte_source::open(folder / name));
    auto extents = source.sample_shape(source.batch());
    auto const map = channel_map_of(network, extents);
    extents.insert(extents.begin(), 2);
    std::vector<double> noise(element_count(extents));
    for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = normal(5, 0, i).first;
    auto const x = tensor_traits<cpu::array<double>>::make(extents, noise);
    auto removed = test::drawn(map.set, .5, 3);
    auto const makes = [&](tensor_slices const& s) {
      return s.role == slice_role::row && map.set.tensors[s.tensor].name == only;
    };
    for (std::size_t a = 0; a < removed.size(); ++a)
      if (!only.empty() && std::ranges::none_of(map.set.atoms[a].slices, makes)) removed[a] = 0;
    auto smaller = shrink(network, masks_of(map.set, removed), x);
    io::save_smaller_exported(folder / name, smaller.model, to);
    auto again = io::load_exported<cpu::backend<double>>(to);
    CHECK(count(again, source.sample_shape(source.batch())).size() < count(network, source.sample_shape(source.batch())).size());
    return compare_outputs(smaller.model.predict(x).output, again.predict(x).output, name == "line.pt2" ? 2e-2 : 1e-6);
  };
  CHECK(shrunk_from("joins.pt2").holds());
  CHECK(shrunk_from("line.pt2").holds());       // the weights are rounded to bfloat16 again
  CHECK(shrunk_from("constants.pt2").holds());  // gates and gains lose their channels under every view of them
  CHECK(shrunk_from("core.pt2").holds());       // so do by-products, and the rows and columns of what is transposed
  std::filesystem::remove(to);
  CHECK(says(refusal([&] { (void)shrunk_from("layers.pt2"); }), "shares its storage with right.weight"));
  CHECK(says(refusal([&] { (void)shrunk_from("own.pt2"); }), "for a result that the logits do not need"));
  CHECK(says(refusal([&] { (void)shrunk_from("own.pt2", "hidden.weight"); }), "returns result 1, which is neither its logits"));
  CHECK(std::filesystem::is_empty(to.parent_path()));
}
