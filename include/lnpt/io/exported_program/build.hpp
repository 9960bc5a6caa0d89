#pragma once
/// From an exported program to a network with its weights.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <tbb/parallel_for.h>

#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/walk.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt::io::exported {

/// What a network is to take from a program.
struct build_options {
  /// The result of the program that holds the features; without it, features are what the classifier reads.
  std::optional<std::size_t> features_output = std::nullopt;
};

namespace detail {

/// The nodes of the logits and, where a result of the program holds them, of the features: the last one is the logits.
template <class Backend>
[[nodiscard]] std::vector<std::size_t> result_nodes(walk<Backend>& from, program const& source, build_options const& options) {
  std::vector<std::size_t> wanted;
  if (options.features_output) wanted.push_back(*options.features_output);
  wanted.push_back(0);
  std::vector<std::size_t> nodes;
  for (auto const result : wanted) {
    if (result >= source.results().size() || source.results()[result].empty())
      fail(source.name(), " returns ", source.results().size(), " results, of which number ", result,
           " is no tensor: name another one");
    try {
      nodes.push_back(from.values().node_of(source.results()[result]));
    } catch (no_layer const& reason) {
      fail(source.name(), ": result ", result, " of the network ", reason.because, ": export a network that returns logits");
    }
  }
  return nodes;
}

/// The layer with weights that computes the logits last: the last such node that they depend on.
template <class Backend>
[[nodiscard]] std::size_t classifier_node(draft<Backend> const& network, std::size_t logits, program const& source) {
  auto const needed = network.needed_by({logits});
  for (auto i = needed.size(); i-- > 1;)
    if (needed[i] && std::visit([](auto const& rules) { return requires { rules.weight; }; }, network.nodes()[i].rules)) return i;
  fail(source.name(), " computes its logits without any weights: export a network with linear or convolutional layers");
}

/// The roles of a network's parameters and buffers, by the layers that read them.
struct role_rule {
  std::vector<role>& parameters;
  std::vector<role>& buffers;

  void operator()(auto const& rules) const {
    if constexpr (requires { rules.weight; }) {
      parameters[rules.weight] = role::weight;
      if (rules.bias) parameters[*rules.bias] = role::bias;
    }
    if constexpr (requires { rules.variance; }) {
      if (rules.scale) parameters[*rules.scale] = role::norm_scale;
      if (rules.shift) parameters[*rules.shift] = role::norm_shift;
      buffers[rules.mean] = role::running_mean, buffers[rules.variance] = role::running_variance;
    }
    if constexpr (requires { rules.is_buffer; })
      (rules.is_buffer ? buffers : parameters)[rules.tensor] = rules.is_buffer ? role::constant : role::leaf;
  }
};

/// Reads tensors side by side; each has the shape that the network gives it.
template <class Backend>
[[nodiscard]] std::vector<typename Backend::array> load_tensors(program const& source, std::vector<std::size_t> const& which,
                                                                std::vector<shape> const& extents) {
  using array = typename Backend::array;
  using scalar = typename Backend::scalar;
  std::vector<array> loaded(which.size());
  tbb::parallel_for(std::size_t{0}, which.size(), [&](std::size_t i) {
    auto const& tensor = source.tensors()[which[i]];
    auto const values = read_values<scalar>(source.archive(), tensor);
    if (auto const bad = count_nonfinite(std::span(values)); bad != 0)
      fail(source.name(), ": tensor ", tensor.name, " holds ", bad, " values of ", values.size(),
           " that are NaN or infinite; every value must be finite");
    loaded[i] = tensor_traits<array>::make(extents[i], values);
  });
  return loaded;
}

/// The drafted network with its weights; `results`: of `result_nodes`.
template <class Backend>
[[nodiscard]] network<Backend> assemble(draft<Backend>& from, program const& source, std::vector<std::size_t> const& results) {
  auto const is_image = [&](std::size_t node) { return from.shapes()[node].size() == 4; };
  auto const logits = results.back();
  if (is_image(logits))
    fail(source.name(), " returns images of shape ", list(from.shapes()[logits]),
         ", not one row of logits per sample: export a classifier");
  auto const classifier = classifier_node(from, logits, source);
  auto features = results.size() > 1 ? results.front() : from.nodes()[classifier].inputs.front();
  if (is_image(features)) features = from.add("features", nn::flatten{features});
  if (logits + 1 != from.nodes().size()) from.add("logits", nn::flatten{logits});  // the output is the last node

  std::vector<role> parameters(from.parameters().size(), role::bias);
  std::vector<role> buffers(from.buffers().size(), role::running_mean);
  for (auto const& node : from.nodes()) std::visit(role_rule{parameters, buffers}, node.rules);
  std::visit(
      [&](auto const& rules) {
        if constexpr (requires { rules.weight; }) parameters[rules.weight] = role::classifier_weight;
      },
      from.nodes()[classifier].rules);

  network<Backend> result;
  auto weights = load_tensors<Backend>(source, from.parameters(), from.parameter_shapes());
  auto statistics = load_tensors<Backend>(source, from.buffers(), from.buffer_shapes());
  auto const name = [&](std::size_t tensor) { return source.tensors()[tensor].name; };
  for (std::size_t i = 0; i < weights.size(); ++i)
    result.add_parameter(name(from.parameters()[i]), parameters[i], std::move(weights[i]));
  for (std::size_t i = 0; i < statistics.size(); ++i)
    result.add_buffer(name(from.buffers()[i]), buffers[i], std::move(statistics[i]));
  for (std::size_t i = 1; i < from.nodes().size(); ++i) result.add_node(from.nodes()[i].name, from.nodes()[i].rules);
  result.set_features(features);
  return result;
}

}  // namespace detail

/// The calls of a program that its results need: what a second reading leaves, where the first saw all of them.
template <class Backend>
class needed_calls {
 public:
  needed_calls(program const& source, build_options const& options) {
    walk<Backend> first(source, nullptr);
    auto const needed = detail::result_nodes(first, source, options);
    first.refuse_missing(needed);
    known_ = first.network().needs_of(needed);
    second_.emplace(source, &known_);
    results_ = detail::result_nodes(*second_, source, options);
  }
  needed_calls(needed_calls const&) = delete;  // the second reading points to what the first found
  needed_calls& operator=(needed_calls const&) = delete;

  [[nodiscard]] walk<Backend>& walked() { return *second_; }
  /// The nodes of the features, where a result was named for them, and of the logits.
  [[nodiscard]] std::vector<std::size_t> const& results() const { return results_; }

 private:
  findings known_;
  std::optional<walk<Backend>> second_;
  std::vector<std::size_t> results_;
};

/// The network of a program: its layers in the order of the calls, its parameters and buffers under the state_dict's names and in the
/// state_dict's order. The classifier is the layer that computes the logits last, and features are what it reads.
template <class Backend>
[[nodiscard]] network<Backend> build_network(program const& source, build_options const& options = {}) {
  network<Backend> result;
  source.checked([&] {
    needed_calls<Backend> calls(source, options);
    result = detail::assemble(calls.walked().network(), source, calls.results());
  });
  return result;
}

}  // namespace lnpt::io::exported
