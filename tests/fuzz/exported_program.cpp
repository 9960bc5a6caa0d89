/// Any text as the graph of an exported program: a network is read, or refused with lnpt::error, and nothing else happens.
#include <cstddef>
#include <cstdint>
#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
#include <span>
#include <string>

#include "../io/zip_bytes.hpp"
#include "support.hpp"

namespace {

using lnpt::io::exported::program;

std::string sizes(std::string const& of) { return R"("sizes":[)" + of + R"(],)"; }
std::string number(int n) { return R"({"as_int":)" + std::to_string(n) + "}"; }
std::string value(std::string const& name, std::string const& of) {
  return '"' + name + R"(":{"sizes":[{"as_expr":{"expr_str":"s","hint":{"as_int":2}}},)" + of + "]}";
}
std::string tensor(std::string const& name) { return R"({"as_tensor":{"name":")" + name + R"("}})"; }
std::string argument(std::string const& name, std::string const& value) {
  return R"({"name":")" + name + R"(","arg":)" + value + "}";
}
std::string node(std::string const& target, std::string const& inputs, std::string const& output) {
  return R"({"target":"torch.ops.aten.)" + target + R"(","inputs":[)" + inputs + R"(],"outputs":[)" + output + "]}";
}
std::string held(std::string const& kind, std::string const& value, std::string const& name) {
  return "{\"" + kind + R"(":{"arg":{"name":")" + value + R"("},")" + kind + R"(_name":")" + name + R"("}})";
}

/// The whole document; `buffers`: what the graph reads beside its two weights.
std::string document_of(std::string const& nodes, std::string const& values, std::string const& buffers) {
  auto const signature = R"({"input_specs":[)" + held("parameter", "w", "conv.weight") + ',' +
                         held("parameter", "l", "head.weight") + ',' + buffers + R"({"user_input":{"arg":)" + tensor("x") +
                         R"(}}],"output_specs":[{"user_output":{"arg":)" + tensor("z") + "}}]}";
  return R"({"schema_version":{"major":8},"graph_module":{"graph":{"nodes":[)" + nodes + R"(],"tensor_values":{)" + values +
         R"(}},"signature":)" + signature + "}}";
}

/// A convolution, a gate, pieces and a shuffle, in the fewest words.
std::string valid_graph() {
  auto const image = number(4) + ',' + number(3) + ',' + number(3), half = number(2) + ',' + number(3) + ',' + number(3);
  auto const split = number(2) + ',' + number(2) + ',' + number(3) + ',' + number(3);
  auto const nodes =
      node("conv2d.default",
           argument("input", tensor("x")) + ',' + argument("weight", tensor("w")) + ',' +
               argument("padding", R"({"as_ints":[1,1]})"),
           tensor("c")) +
      ',' + node("relu_.default", argument("self", tensor("c")), tensor("r")) + ',' +
      node("chunk.default",
           argument("self", tensor("r")) + ',' + argument("chunks", number(2)) + ',' + argument("dim", number(1)),
           R"({"as_tensors":[{"name":"p"},{"name":"q"}]})") +
      ',' +
      node("cat.default", argument("tensors", R"({"as_tensors":[{"name":"q"},{"name":"p"}]})") + ',' + argument("dim", number(1)),
           tensor("k")) +
      ',' + node("mul.Tensor", argument("self", tensor("k")) + ',' + argument("other", R"({"as_float":0.5})"), tensor("m")) +
      ',' + node("view.default", argument("self", tensor("m")), tensor("v")) + ',' +
      node("transpose.int", argument("self", tensor("v")) + ',' + argument("dim0", number(1)) + ',' + argument("dim1", number(2)),
           tensor("t")) +
      ',' + node("reshape.default", argument("self", tensor("t")), tensor("u")) + ',' +
      node("max_pool2d.default", argument("self", tensor("u")) + ',' + argument("kernel_size", R"({"as_ints":[3]})"),
           tensor("y")) +
      ',' + node("flatten.using_ints", argument("self", tensor("y")), tensor("f")) + ',' +
      node("linear.default", argument("input", tensor("f")) + ',' + argument("weight", tensor("l")), tensor("z"));
  auto const values = value("x", half) + ',' + value("c", image) + ',' + value("r", image) + ',' + value("p", half) + ',' +
                      value("q", half) + ',' + value("k", image) + ',' + value("m", image) + ',' + value("v", split) + ',' +
                      value("t", split) + ',' + value("u", image) + ',' +
                      value("y", number(4) + ',' + number(1) + ',' + number(1)) + ',' + value("f", number(4)) + ',' +
                      value("z", number(3));
  return document_of(nodes, values, "");
}

/// CELU of `x` as `run_decompositions` spells it out.
std::string spelt_out_celu(std::string const& x, std::string const& result) {
  auto const alpha = argument("other", R"({"as_float":0.5})");
  return node("gt.Scalar", argument("self", tensor(x)) + ',' + argument("other", number(0)), tensor("g")) + ',' +
         node("div.Tensor", argument("self", tensor(x)) + ',' + alpha, tensor("o")) + ',' +
         node("expm1.default", argument("self", tensor("o")), tensor("a")) + ',' +
         node("mul.Tensor", argument("self", tensor("a")) + ',' + alpha, tensor("b")) + ',' +
         node("where.self",
              argument("condition", tensor("g")) + ',' + argument("self", tensor(x)) + ',' + argument("other", tensor("b")),
              tensor(result));
}

/// The core operators of `run_decompositions`: results with by-products, a matrix that is transposed, a choice between two values.
std::string core_graph() {
  auto const image = number(4) + ',' + number(3) + ',' + number(3), pixel = number(4) + ',' + number(1) + ',' + number(1);
  auto const nodes =
      node("convolution.default",
           argument("input", tensor("x")) + ',' + argument("weight", tensor("w")) + ',' +
               argument("padding", R"({"as_ints":[1,1]})"),
           tensor("c")) +
      ',' +
      node("_native_batch_norm_legit_no_training.default",
           argument("input", tensor("c")) + ',' + argument("running_mean", tensor("m")) + ',' +
               argument("running_var", tensor("v")) + ',' + argument("eps", R"({"as_float":0.1})"),
           tensor("n") + ',' + tensor("i") + ',' + tensor("j")) +
      ',' + node("elu.default", argument("self", tensor("n")) + ',' + argument("alpha", R"({"as_float":0.5})"), tensor("e")) +
      ',' + spelt_out_celu("e", "q") + ',' +
      node("max_pool2d_with_indices.default",
           argument("self", tensor("q")) + ',' + argument("kernel_size", R"({"as_ints":[3,3]})"),
           tensor("y") + ',' + tensor("k")) +
      ',' + node("native_dropout.default", argument("input", tensor("y")), tensor("d") + ',' + tensor("h")) + ',' +
      node("view.default", argument("self", tensor("d")), tensor("f")) + ',' +
      node("permute.default", argument("self", tensor("l")) + ',' + argument("dims", R"({"as_ints":[1,0]})"), tensor("t")) + ',' +
      node("mm.default", argument("self", tensor("f")) + ',' + argument("mat2", tensor("t")), tensor("z"));
  auto const values = value("x", number(2) + ',' + number(3) + ',' + number(3)) + ',' + value("c", image) + ',' +
                      value("n", image) + ',' + value("e", image) + ',' + value("q", image) + ',' + value("y", pixel) + ',' +
                      value("k", pixel) + ',' + value("d", pixel) + ',' + value("h", pixel) + ',' + value("f", number(4)) + ',' +
                      value("z", number(3));
  return document_of(nodes, values, held("buffer", "m", "norm.mean") + ',' + held("buffer", "v", "norm.variance") + ',');
}

std::string about(std::string const& entry, std::string const& of, std::string const& strides) {
  return R"({"path_name":")" + entry + R"(","tensor_meta":{"dtype":7,)" + sizes(of) + R"("strides":[)" + strides +
         R"(],"storage_offset":{"as_int":0}}})";
}

/// The whole archive around a graph and a configuration of its weights.
support::bytes archive_around(std::string const& graph, std::string const& weights) {
  return support::archive_of({{"n/models/model.json", graph},
                              {"n/data/weights/model_weights_config.json", weights},
                              {"n/data/constants/model_constants_config.json", R"({"config":{}})"},
                              {"n/data/weights/weight_0", std::string(4 * 2 * 9 * 4, '\0')},
                              {"n/data/weights/weight_1", std::string(3 * 4 * 4, '\0')}});
}

std::string valid_weights() {
  return R"({"config":{"conv.weight":)" +
         about("weight_0", number(4) + ',' + number(2) + ',' + number(3) + ',' + number(3),
               number(18) + ',' + number(9) + ',' + number(3) + ',' + number(1)) +
         R"(,"head.weight":)" + about("weight_1", number(3) + ',' + number(4), number(4) + ',' + number(1)) + R"(,"norm.mean":)" +
         about("weight_1", number(4), number(1)) + R"(,"norm.variance":)" + about("weight_1", number(4), number(2)) + "}}";
}

/// Reads the network of an archive.
void read(support::bytes const& archive) {
  using backend = lnpt::cpu::backend<float>;
  fuzz::attempt([&] {
    program const source(lnpt::io::byte_source::view(std::as_bytes(std::span(archive)), "memory"));
    auto const network = lnpt::io::exported::build_network<backend>(source);
    fuzz::require(!network.nodes().empty());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static auto const core = core_graph(), weights = valid_weights();
  static auto const all_are_read = [] {
    for (auto const& graph : {valid_graph(), core}) {
      auto const archive = archive_around(graph, weights);
      program const source(lnpt::io::byte_source::view(std::as_bytes(std::span(archive)), "memory"));
      fuzz::require(!lnpt::io::exported::build_network<lnpt::cpu::backend<float>>(source).nodes().empty());
    }
    return true;
  }();
  fuzz::require(all_are_read);
  if (size == 0) return 0;
  std::string const text(reinterpret_cast<char const*>(data), size);
  if (text.starts_with(R"({"c)"))
    read(archive_around(core, text));
  else
    read(archive_around(text, weights));
  return 0;
}

/// Bytes change, or a word takes the place of another word of the same text, so that the JSON often stays JSON.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  static auto const graph = valid_graph(), core = core_graph(), weights = valid_weights();
  auto const& valid = seed % 3 == 0 ? weights : seed % 3 == 1 ? graph : core;
  if (seed % 2 == 0) return fuzz::mutate_from(data, size, max_size, seed / 2, std::as_bytes(std::span(valid)));
  return fuzz::swap_words(data, size, max_size, seed, std::as_bytes(std::span(valid)));
}
