#pragma once
/// The numbers in the calls of an exported graph that name channels, for a network that became smaller.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <lnpt/core/window.hpp>
#include <lnpt/io/exported_program/graph.hpp>
#include <lnpt/io/exported_program/smaller/layout.hpp>
#include <lnpt/io/exported_program/smaller/sizes.hpp>
#include <lnpt/nn/conv2d.hpp>
#include <lnpt/nn/rearrange.hpp>

namespace lnpt::io::exported {

/// Rewrites calls: the groups of depthwise convolutions, the sizes of views, where channels are cut and how many are padded. All other
/// arguments that the reader knows are no numbers of channels.
template <class Backend>
class smaller_calls {
 public:
  smaller_calls(program const& source, smaller_sizes<Backend> const& sizes, draft<Backend> const& before,
                network<Backend> const& smaller)
      : source_(source), sizes_(sizes), before_(before), smaller_(smaller) {}

  /// Changes the graph in place: its calls, then what it notes about their results.
  void rewrite(json& graph) const {
    auto const old = graph.at("tensor_values");
    auto& nodes = graph.at("nodes");
    for (std::size_t number = 0; number < nodes.size(); ++number) {
      call const from(nodes[number]);
      if (from.first("as_graph") != nullptr)
        detail::refuse_to_follow(source_, from.target(), " runs a graph of its own, whose sizes do not follow");
      require_known(from);
      auto const results = from.outputs();
      auto const inputs = from.inputs();
      rewrite_call(nodes[number], number);
      for (auto const& name : results) note(graph.at("tensor_values"), old, name, inputs.empty() ? nullptr : &inputs.front());
    }
  }

  /// Changes what the graph notes about a value. `viewed`: what it may be a view of.
  void note(json& values, json const& old, std::string const& name, std::string const* viewed) const {
    if (!sizes_.is_smaller(name) && (viewed == nullptr || !sizes_.is_smaller(*viewed))) return;
    auto const layout = [](json const& of, std::string const& value) { return detail::read_layout(of.at(value)); };
    auto const before = layout(old, name);
    auto const now = sizes_.of(name);
    auto const strides = viewed == nullptr ? detail::strides_now(before, now, {}, {})
                                           : detail::strides_now(before, now, layout(old, *viewed), layout(values, *viewed));
    detail::write_sizes(values.at(name).at("sizes"), before.sizes, now);
    detail::write_sizes(values.at(name).at("strides"), before.strides, strides);
  }

 private:
  /// What the network's result does not need has no counterpart in the network that says how it changes.
  void require_known(call const& from) const {
    auto const inputs = from.inputs();
    auto const outputs = from.outputs();
    auto const smaller = std::ranges::find_if(inputs, [this](auto const& name) { return sizes_.is_smaller(name); });
    if (smaller == inputs.end()) return;
    if (std::ranges::none_of(outputs, [this](auto const& name) { return !sizes_.is_computed(name); })) return;
    detail::refuse_to_follow(source_, from.target(), " reads ", *smaller,
                             ", which lost channels, for a result that the logits do not need");
  }

  void rewrite_call(json& node, std::size_t number) const {
    auto const operation = std::string(plain_name(call(node).target()));
    if (operation == "conv1d" || operation == "conv2d" || operation == "convolution") return rewrite_groups(node, number);
    if (operation == "view" || operation == "reshape" || operation == "_unsafe_view" || operation == "expand")
      return rewrite_view(node);
    if (operation == "slice") return rewrite_slice(node, number);
    if (operation == "narrow") return rewrite_narrow(node, number);
    if (operation == "chunk" || operation == "split" || operation == "split_with_sizes") return rewrite_split(node);
    if (operation == "pad" || operation == "constant_pad_nd") return rewrite_pad(node, number);
  }

  /// Calls `visit(before, now)` with the layer of this kind that a call became, if there is one.
  template <class Layer, class Visit>
  void with_layer(std::size_t number, Visit visit) const {
    for (std::size_t i = 1; i < before_.nodes().size(); ++i)
      if (before_.nodes()[i].call == number)
        if (auto const* const before = std::get_if<Layer>(&before_.nodes()[i].rules))
          visit(*before, std::get<Layer>(smaller_.nodes()[i].rules));
  }

  void rewrite_groups(json& node, std::size_t number) const {
    with_layer<nn::conv2d<typename Backend::conv_geometry>>(number, [&](auto const& before, auto const& now) {
      if (before.geometry.groups != now.geometry.groups) argument(node, {"groups"}) = {{"as_int", now.geometry.groups}};
    });
  }

  /// Axes that are left to PyTorch (−1) and those that follow the batch stay.
  void rewrite_view(json& node) const {
    auto const result = call(node).outputs().at(0);
    auto const before = sizes_.before(result);
    auto const now = sizes_.of(result);
    if (before == now) return;
    auto& sizes = argument(node, {"size", "shape"});
    auto const symbolic = sizes.contains("as_sym_ints");
    auto& all = sizes.at(symbolic ? "as_sym_ints" : "as_ints");
    for (std::size_t axis = 0; axis < now.size(); ++axis) {
      if (before[axis] == now[axis]) continue;
      auto& one = symbolic ? all.at(axis) : all;
      if (symbolic && !one.contains("as_int"))
        detail::refuse_to_follow(source_, call(node).target(), " computes the size of axis ", axis, " of ", result);
      auto& number = symbolic ? one.at("as_int") : all.at(axis);
      if (detail::read_integer(number) >= 0) number = now[axis];
    }
  }

  void rewrite_slice(json& node, std::size_t number) const {
    with_layer<nn::slice>(number, [&](auto const& before, auto const& now) {
      auto const& was = before.region.channels;
      auto const& is = now.region.channels;
      if (was.start != is.start) argument(node, {"start"}) = {{"as_int", is.start}};
      auto const channels = sizes_.before(call(node).tensor("self")).at(1);
      if (was.stop != is.stop && was.stop < channels) argument(node, {"end"}) = {{"as_int", is.stop}};
    });
  }

  void rewrite_narrow(json& node, std::size_t number) const {
    with_layer<nn::slice>(number, [&](auto const& before, auto const& now) {
      auto const& was = before.region.channels;
      auto const& is = now.region.channels;
      if (was == is || was.stop == index_range::to_the_end) return;  // cuts pixels
      argument(node, {"start"}) = {{"as_int", is.start}};
      argument(node, {"length"}) = {{"as_int", is.stop - is.start}};
    });
  }

  /// Pieces that differ in length need the form that lists them.
  void rewrite_split(json& node) const {
    call const from(node);
    std::vector<std::size_t> pieces;
    auto smaller = false;
    for (auto const& name : from.outputs()) {
      smaller = smaller || sizes_.is_smaller(name);
      pieces.push_back(sizes_.of(name).at(1));
    }
    if (!smaller && !sizes_.is_smaller(from.tensor("self"))) return;
    auto const rank = static_cast<std::int64_t>(sizes_.before(from.tensor("self")).size());
    if (auto const axis = from.integer("dim", 0); axis != 1 && axis != 1 - rank) return;  // cuts pixels
    auto& how = argument(node, {"chunks", "split_size", "split_sizes"});
    for (auto& input : node.at("inputs"))
      if (&input.at("arg") == &how) input["name"] = "split_sizes";
    how = {{"as_ints", pieces}};
    node["target"] = "torch.ops.aten.split_with_sizes.default";
  }

  /// PyTorch lists the last axis first.
  void rewrite_pad(json& node, std::size_t number) const {
    with_layer<nn::pad>(number, [&](auto const& before, auto const& now) {
      if (before.before == now.before && before.after == now.after) return;
      auto const place = 2 * (sizes_.before(call(node).outputs().at(0)).size() - 2);
      auto& pads = argument(node, {"pad"}).at("as_ints");
      pads.at(place) = now.before;
      pads.at(place + 1) = now.after;
    });
  }

  /// The value of an argument by one of its names.
  [[nodiscard]] json& argument(json& node, std::vector<std::string_view> const& names) const {
    for (auto& input : node.at("inputs"))
      if (std::ranges::find(names, input.at("name").template get_ref<std::string const&>()) != names.end())
        return input.at("arg");
    detail::refuse_to_follow(source_, call(node).target(), " does not say its ", names.front());
  }

  program const& source_;
  smaller_sizes<Backend> const& sizes_;
  draft<Backend> const& before_;
  network<Backend> const& smaller_;
};

}  // namespace lnpt::io::exported
