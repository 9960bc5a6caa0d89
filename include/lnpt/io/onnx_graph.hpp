#pragma once
/// A graph of ONNX operators, and the file it becomes.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/protobuf_writer.hpp>
#include <lnpt/version.hpp>

namespace lnpt::io {

/// Operators and weights of one network, written as a model of IR version 8 and opset 13, which every reader tried understands: ONNX
/// 1.12, OpenCV 4.6, ONNX Runtime 1.15 and later. Field numbers are those of onnx.proto. The first axis of inputs and outputs is named
/// "N": any batch size.
class onnx_graph {
 public:
  using attribute = protobuf_message;

  /// Weights of this many bytes or more are refused: the format, and every reader, holds less than 2 GiB.
  static constexpr std::size_t too_many_bytes = std::numeric_limits<std::int32_t>::max();
  explicit onnx_graph(std::size_t refused_from = too_many_bytes) : refused_from_(refused_from) {}

  [[nodiscard]] static attribute number(std::string_view name, std::int64_t value) {
    return attribute().text(1, name).integer(3, value).integer(20, 2);
  }
  [[nodiscard]] static attribute real(std::string_view name, double value) {
    return attribute().text(1, name).real(2, static_cast<float>(value)).integer(20, 1);
  }
  [[nodiscard]] static attribute text(std::string_view name, std::string_view value) {
    return attribute().text(1, name).text(4, value).integer(20, 3);
  }
  [[nodiscard]] static attribute numbers(std::string_view name, std::span<std::size_t const> values) {
    attribute result;
    result.text(1, name);
    for (auto const value : values) result.integer(8, static_cast<std::int64_t>(value));
    return result.integer(20, 7);
  }

  /// A name that is not taken yet: `name`, or with a number.
  [[nodiscard]] std::string unique(std::string const& name) {
    auto candidate = name;
    for (int i = 1; !names_.insert(candidate).second; ++i) candidate = name + '_' + std::to_string(i);
    return candidate;
  }

  /// Adds an operator and returns its only output, named after `name`.
  std::string add(std::string_view operation, std::vector<std::string> const& inputs, std::string const& name,
                  std::vector<attribute> const& attributes = {}) {
    return add_named(operation, inputs, unique(name), attributes);
  }
  /// Adds an operator whose output has exactly this name, which `unique` gave.
  std::string add_named(std::string_view operation, std::vector<std::string> const& inputs, std::string const& output,
                        std::vector<attribute> const& attributes = {}) {
    protobuf_message node;
    for (auto const& input : inputs) node.text(1, input);
    node.text(2, output).text(3, output).text(4, operation);
    for (auto const& each : attributes) node.nested(5, each);
    nodes_.push_back(std::move(node));
    return output;
  }

  /// Adds weights and returns their name.
  std::string weights(std::string const& name, shape const& extents, std::span<float const> values) {
    return constant(name, extents, std::as_bytes(values), float_type);
  }
  /// Adds indices, such as those of a slice, and returns their name.
  std::string indices(std::string const& name, std::span<std::int64_t const> values) {
    return constant(name, {values.size()}, std::as_bytes(values), int64_type);
  }

  void input(std::string const& name, shape const& sample) { inputs_.push_back(value(name, sample)); }
  void output(std::string const& name, shape const& sample) { outputs_.push_back(value(name, sample)); }

  /// The file.
  [[nodiscard]] std::string bytes(std::string_view name) const {
    protobuf_message graph;
    for (auto const& node : nodes_) graph.nested(1, node);
    graph.text(2, name);
    for (auto const& each : constants_) graph.nested(5, each);
    for (auto const& each : inputs_) graph.nested(11, each);
    for (auto const& each : outputs_) graph.nested(12, each);
    protobuf_message model;
    model.integer(1, ir_version).text(2, "lnpt").text(3, version).nested(7, graph);
    return model.nested(8, protobuf_message().text(1, "").integer(2, opset)).bytes();
  }

 private:
  static constexpr std::int64_t ir_version = 8, opset = 13, float_type = 1, int64_type = 7;

  std::string constant(std::string const& name, shape const& extents, std::span<std::byte const> values, std::int64_t type) {
    bytes_of_weights_ += values.size();
    if (bytes_of_weights_ >= refused_from_)
      fail("an ONNX file holds less than 2 GiB, and with ", name, " the weights take ", bytes_of_weights_,
           " bytes: export a smaller network");
    auto const taken = unique(name);
    protobuf_message tensor;
    for (auto const extent : extents) tensor.integer(1, static_cast<std::int64_t>(extent));
    tensor.integer(2, type).text(8, taken).text(9, {reinterpret_cast<char const*>(values.data()), values.size()});
    constants_.push_back(std::move(tensor));
    return taken;
  }

  [[nodiscard]] static protobuf_message value(std::string const& name, shape const& sample) {
    protobuf_message extents;
    extents.nested(1, protobuf_message().text(2, "N"));
    for (auto const extent : sample) extents.nested(1, protobuf_message().integer(1, static_cast<std::int64_t>(extent)));
    protobuf_message const tensor = protobuf_message().integer(1, float_type).nested(2, extents);
    return protobuf_message().text(1, name).nested(2, protobuf_message().nested(1, tensor));
  }

  std::vector<protobuf_message> nodes_, constants_, inputs_, outputs_;
  std::set<std::string> names_;
  std::size_t bytes_of_weights_ = 0, refused_from_;
};

}  // namespace lnpt::io
