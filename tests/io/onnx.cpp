/// ONNX files against the wire format by hand, and against the engines that are installed.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <sys/wait.h>

#include <lnpt/io/onnx.hpp>
#include <lnpt/structure/recalibrate.hpp>
#include <lnpt/structure/shrink.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "../repository.hpp"
#include "../skip.hpp"
#include "../structure/nets.hpp"
#include "support.hpp"

using namespace lnpt;
using backend = cpu::backend<float>;
using net32 = network<backend>;

namespace {

template <class T>
void write_values(std::filesystem::path const& path, cpu::array<T> const& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<char const*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

/// The file, and what the network says of batches of 4, 1 and 2.
void write_case(std::filesystem::path const& stem, net32& network, shape const& input, bool fold) {
  auto const at = [&](std::string const& suffix) { return stem.string() + suffix; };
  io::save_onnx(network, input, at(".onnx"), {.fold_batch_norm = fold});
  std::size_t classes = 0;
  for (std::size_t const batch : {4, 1, 2}) {
    auto extents = input;
    extents.insert(extents.begin(), batch);
    auto const x = test::images<float>(extents, 7 + batch);
    auto const logits = network.predict(x).output;
    classes = logits.shape()[1];
    write_values(at('.' + std::to_string(batch) + ".input"), x);
    write_values(at('.' + std::to_string(batch) + ".output"), logits);
  }
  std::ofstream(at(".json")) << R"({"input": )" << list(input) << R"(, "classes": )" << classes << "}";
}

/// Concatenation, pools, groups, dilation and two linear layers, after shrinking.
net32 joined() {
  network_builder<backend> net(3);
  auto const a = net.batch_norm("bn", net.conv2d("a", net.input(), 8), true);
  auto const b = net.relu(net.conv2d("b", a, 12, {.groups = 2, .bias = true}));
  auto const both = net.concat({net.max_pool(a, 2, 2), net.average_pool(b, 2, 2), net.max_pool(a, 3, 2, 1)});
  net.classifier("fc", net.relu(net.linear("hidden", net.flatten(both), 9, 28 * 16)), 5);
  return std::move(net).build();
}

/// An option-A shortcut as PyTorch exports it, each axis a slice of its own that names all channels too; and one of channels and columns.
net32 sliced_with_gaps() {
  network_builder<backend> net(3);
  auto const a = net.batch_norm("bn", net.conv2d("a", net.input(), 8), true);
  auto const rows = net.slice(a, {{0, 8}, {0, 8, 2}, {}});
  auto const shortcut = net.pad(net.slice(rows, {{0, 8}, {}, {0, 8, 2}}), 0, 2, 2);
  auto const both = net.join(net.conv2d("b", a, 12, {.stride = 2}), shortcut, true);
  net.classifier("fc", net.global_average_pool(net.slice(both, {{2, 10}, {}, {1, 4}})), 5);
  return std::move(net).build();
}

/// Biases and norm parameters unlike 0 and 1.
net32 disturbed(net32 network) {
  for (std::uint64_t stream = 0; auto const& p : network.parameters())
    if (!is_prunable(p.role))
      for (std::size_t i = 0; i < p.value->size(); ++i) p.value->data()[i] += static_cast<float>(0.3 * uniform(3, ++stream, i));
  return network;
}

/// With the statistics of its inputs.
net32 settled(net32 network, shape const& input) {
  network = disturbed(network);
  auto extents = input;
  extents.insert(extents.begin(), 16);
  auto const batch = test::images<float>(extents, 3);
  recalibrate(network, std::span(&batch, 1));
  return network;
}

net32 shrunk_by_half(net32 network, shape const& input) {
  auto const map = channel_map_of(network, input);
  auto extents = input;
  extents.insert(extents.begin(), 2);
  return shrink(network, masks_of(map.set, test::drawn(map.set, 0.5, 3)), test::images<float>(extents, 1)).model;
}

}  // namespace

TEST_CASE("messages are varints, little-endian floats and lengths") {
  io::protobuf_message inner, outer;
  inner.integer(1, 150);  // the example of the format's own description: 08 96 01
  CHECK(inner.bytes() == "\x08\x96\x01");
  outer.text(2, "testing").nested(3, inner).real(4, 1.0f);
  CHECK(outer.bytes() == std::string("\x12\x07testing\x1a\x03\x08\x96\x01\x25\0\0\x80\x3f", 19));
}

TEST_CASE("a file names its batch, its operators and its weights") {
  network_builder<backend> net(2);
  net.classifier("fc", net.input(), 3);
  auto network = std::move(net).build();
  auto const bytes = io::onnx_bytes(network, {2});
  for (auto const* const word : {"Gemm", "fc.weight", "fc.bias", "logits", "input", "lnpt"}) CHECK(support::says(bytes, word));
  CHECK(bytes.substr(0, 2) == "\x08\x08");                                            // IR 8
  CHECK(bytes.substr(bytes.size() - 6) == std::string("\x42\x04\x0a\0\x10\x0d", 6));  // opset 13 of the domain ""
  CHECK(support::says(bytes, std::string("\x0a\x03\x12\x01N", 5)));
}

TEST_CASE("the output is the network's, whatever its layers are called and whatever shape it has") {
  network_builder<backend> net(2);
  net.classifier("fc", net.relu(net.linear("logits", net.input(), 3)), 3);
  auto network = std::move(net).build();
  auto const bytes = io::onnx_bytes(network, {2});
  CHECK(support::says(bytes,
                      "\x0a\x02"
                      "fc"
                      "\x12\x06"
                      "logits"));  // from fc to logits
  CHECK(support::says(bytes, "logits_1"));
  CHECK(support::says(support::refusal([&] { static_cast<void>(io::onnx_bytes(network, {2}, {.output = "input"})); }),
                      "are both to be called input"));

  network_builder<backend> image(3);
  image.conv2d("head", image.input(), 2);
  auto dense = std::move(image).build();
  CHECK(support::says(io::onnx_bytes(dense, {3, 5, 6}), "\x0a\x03\x12\x01N\x0a\x02\x08\x02\x0a\x02\x08\x05\x0a\x02\x08\x06"));
}

TEST_CASE("a slice is written for neighbouring axes, and for what takes a part") {
  auto const slices = [](image_region const& region) {
    network_builder<backend> net(3);
    net.classifier("fc", net.global_average_pool(net.slice(net.relu(net.input()), region)), 2);
    auto network = std::move(net).build();
    auto const bytes = io::onnx_bytes(network, {3, 8, 8});
    std::size_t count = 0;
    for (auto at = bytes.find("Slice"); at != bytes.npos; at = bytes.find("Slice", at + 1)) ++count;
    return count;
  };
  CHECK(slices({{0, 2}, {1, 8, 2}, {0, 8, 2}}) == 1);
  CHECK(slices({{0, 3}, {0, 8}, {0, 8, 2}}) == 1);  // as PyTorch exports x[:, :, :, ::2]
  CHECK(slices({{0, 2}, {0, 8}, {0, 8, 2}}) == 2);
  CHECK(slices({{0, 3}, {0, 8}, {0, 9}}) == 0);
}

TEST_CASE("weights that pass what a file holds are refused, and named, before they are copied") {
  CHECK(io::onnx_graph::too_many_bytes == 2147483647);
  io::onnx_graph graph(64);
  std::vector<float> const half(8);
  graph.weights("first", {8}, half);
  CHECK(support::says(support::refusal([&] { graph.weights("second", {8}, half); }),
                      "holds less than 2 GiB, and with second the weights take 64 bytes"));
}

TEST_CASE("other engines say the same, at batches of 4, 1 and 2") {
  support::temporary_folder const folder;
  shape const images{3, 32, 32}, small{3, 8, 8};
  auto resnet =
      settled(zoo::resnet<backend>({.depth = 20, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded}), images);
  auto vgg = settled(zoo::vgg<backend>({.depth = 11, .width = 8}), images);
  // Unsettled: a fresh one says nearly the same of all noise, and batch norm would magnify what rounding leaves of the difference.
  auto mobilenet = disturbed(zoo::mobilenet<backend>({.width = 8}));
  auto concat = settled(joined(), small), every = settled(test::of_every_layer<backend>(), small);
  auto sliced = settled(sliced_with_gaps(), small);
  auto smaller_every = shrunk_by_half(every, small);
  auto smaller_resnet = shrunk_by_half(resnet, images), smaller_mobilenet = shrunk_by_half(mobilenet, images),
       smaller_concat = shrunk_by_half(concat, small);
  for (bool const fold : {true, false}) {
    auto const stem = [&](char const* name) { return folder / (name + std::string(fold ? "_folded" : "_kept")); };
    write_case(stem("resnet20a"), resnet, images, fold);
    write_case(stem("resnet20a_shrunk"), smaller_resnet, images, fold);
    write_case(stem("vgg11"), vgg, images, fold);
    write_case(stem("mobilenet"), mobilenet, images, fold);
    write_case(stem("mobilenet_shrunk"), smaller_mobilenet, images, fold);
    write_case(stem("every_layer"), every, small, fold);
    write_case(stem("every_layer_shrunk"), smaller_every, small, fold);
    write_case(stem("concat"), concat, small, fold);
    write_case(stem("sliced"), sliced, small, fold);
    write_case(stem("concat_shrunk"), smaller_concat, small, fold);
  }
  auto const* const named = std::getenv("LNPT_PYTHON");
  auto const script = test::repository() / "tests/io/onnx_check.py";
  auto const status = std::system(
      (std::string(named ? named : "/usr/bin/python3") + ' ' + script.string() + ' ' + folder.path().string()).c_str());
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 77)
    return skip("no Python with numpy and onnx, cv2 or onnxruntime: name one by LNPT_PYTHON");
  CHECK(WEXITSTATUS(status) == 0);
}
