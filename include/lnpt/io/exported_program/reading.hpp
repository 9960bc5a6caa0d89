#pragma once
/// What operators see of an exported graph: its values by name, as nodes of the network to be.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/window.hpp>
#include <lnpt/io/exported_program/draft.hpp>
#include <lnpt/io/exported_program/operator_names.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/join.hpp>
#include <lnpt/nn/leaf.hpp>
#include <lnpt/nn/pool.hpp>
#include <lnpt/nn/rearrange.hpp>

namespace lnpt::io::exported {

/// Whether a shape has one pixel or none: all that is counted is channels.
[[nodiscard]] inline bool only_channels(shape const& extents) { return element_count(extents) == extents.front(); }

/// The values of one graph. An operator's handler reads arguments with `node_of`, `image_of`, `parameter_of` and binds its results with
/// `give`, `alias` or `bind`.
template <class Backend>
class reading {
 public:
  using layer = typename draft<Backend>::layer;

  reading(draft<Backend>& to, graph const& from) : draft_(to), graph_(from) {}

  [[nodiscard]] draft<Backend>& network() { return draft_; }
  [[nodiscard]] exported::graph const& graph() const { return graph_; }

  // --- values -------------------------------------------------------------------------------------------------------------------
  void bind(std::string const& name, value v) {
    if (v.storage == 0) v.storage = ++storages_;
    views_[v.storage].push_back(name);
    values_[name] = std::move(v);
  }
  /// What a name stands for once all calls are read; null before that, or where it stands for nothing.
  [[nodiscard]] value const* find(std::string const& name) const {
    auto const found = values_.find(name);
    if (found == values_.end() || found->second.is == value::kind::nothing || found->second.is == value::kind::unread)
      return nullptr;
    return &found->second;
  }
  [[nodiscard]] value const& at(std::string const& name) const {
    auto const found = values_.find(name);
    if (found == values_.end()) fail(draft_.source().name(), ": the graph reads its value ", name, " before it is computed");
    if (found->second.overwritten)
      refuse(
          "reads a tensor of which an in-place operator has overwritten another view; export the network without in-place "
          "operators");
    if (found->second.is == value::kind::unread) refuse("reads ", found->second.because);
    return found->second;
  }

  /// The extents of one sample that the graph claims for a value; the first axis must be the batch.
  [[nodiscard]] shape claimed(std::string const& name) const {
    auto const all = graph_.extents(name);
    if (all.empty() || (batch_ && all.front() != *batch_)) refuse("moves samples out of the first axis of its result");
    shape result;
    for (auto i = all.begin() + 1; i != all.end(); ++i) {
      if (i->number < 0 || i->number > max_number)
        fail(draft_.source().name(), ": value ", name, " has an extent of ", i->number);
      result.push_back(static_cast<std::size_t>(i->number));
    }
    return result;
  }
  /// All extents that the graph claims for a value without samples.
  [[nodiscard]] shape whole(std::string const& name) const {
    shape result;
    for (auto const& each : graph_.extents(name)) {
      if (!each.expression.empty()) refuse("gives a tensor as many elements as there are samples");
      if (each.number < 0 || each.number > max_number)
        fail(draft_.source().name(), ": value ", name, " has an extent of ", each.number);
      result.push_back(static_cast<std::size_t>(each.number));
    }
    return result;
  }
  void set_batch(extent batch) { batch_ = std::move(batch); }
  [[nodiscard]] std::optional<extent> const& batch() const { return batch_; }

  // --- arguments ----------------------------------------------------------------------------------------------------------------
  /// The node of a value, whatever its shape.
  [[nodiscard]] std::size_t node_of(std::string const& name) {
    auto const& v = at(name);
    if (v.is == value::kind::node) return v.at;
    if (v.is == value::kind::pooled) return pooled(name);
    if (v.is == value::kind::stretched) return stretched(name);
    if (v.is == value::kind::shuffling) refuse("reads channels in the middle of a shuffle");
    auto const stored = v.is == value::kind::tensor || v.is == value::kind::transposed;
    refuse("computes with ", stored ? "the tensor " + draft_.source().tensors()[v.at].name : name);
  }
  /// The node of a value for a layer that stretches what it reads.
  [[nodiscard]] std::size_t joined_node_of(std::string const& name) {
    auto const& v = at(name);
    return v.is == value::kind::stretched ? v.at : node_of(name);
  }
  /// The node of an image [C, H, W] or a line [C, L], which is an image of height 1.
  [[nodiscard]] std::size_t image_of(std::string const& name) {
    auto const node = node_of(name);
    if (draft_.shapes()[node].size() != 4) refuse("reads a feature matrix as images");
    return node;
  }
  /// The node of an image, or of a feature matrix as an image of one pixel: for layers that work on channels, whatever lies in them.
  [[nodiscard]] std::size_t channels_of(std::string const& name) {
    auto const node = node_of(name);
    return draft_.shapes()[node].size() == 4 ? node : draft_.add("unflatten", nn::unflatten{node, per_axis{1}});
  }
  /// The node of a feature matrix.
  [[nodiscard]] std::size_t matrix_of(std::string const& name) {
    auto const node = node_of(name);
    if (draft_.shapes()[node].size() != 2) refuse("reads images of shape ", list(at(name).extents), " as rows of features");
    return node;
  }
  /// The tensor of the program that a value is, in whatever shape.
  [[nodiscard]] stored_tensor const& tensor_of(std::string const& name) const { return draft_.source().tensors()[at(name).at]; }
  /// The parameter of the network that a value is.
  [[nodiscard]] std::size_t parameter_of(std::string const& name) { return parameter_at(tensor_index(name)); }
  /// The same for the weights of a convolution, which have a height of 1 over a line.
  [[nodiscard]] std::size_t kernels_of(std::string const& name) {
    auto const tensor = tensor_index(name);
    auto extents = draft_.source().tensors()[tensor].extents;
    if (!is_parameter(name) || extents.size() != 3) return parameter_of(name);
    extents.insert(extents.begin() + 2, 1);
    draft_.read_as(tensor, extents);
    return draft_.parameter(tensor);
  }
  /// The parameter of the network whose rows and columns a value exchanges.
  [[nodiscard]] std::size_t transposed_parameter_of(std::string const& name) {
    auto const& v = at(name);
    if (v.is != value::kind::transposed) refuse("multiplies by ", name, ", which is no matrix of weights, transposed");
    return parameter_at(v.at);
  }
  [[nodiscard]] std::optional<std::size_t> parameter_of(std::optional<std::string> const& name) {
    return name ? std::optional(parameter_of(*name)) : std::nullopt;
  }
  [[nodiscard]] std::size_t buffer_of(std::string const& name) {
    auto const tensor = tensor_index(name);
    auto const index = draft_.buffer(tensor);
    draft_.read_as(tensor, draft_.source().tensors()[tensor].extents);
    return index;
  }
  /// Whether a value is the same for all samples: a tensor of the program, or what is computed from such.
  [[nodiscard]] bool is_held(std::string const& name) const {
    auto const is = at(name).is;
    return is == value::kind::tensor || is == value::kind::held;
  }
  /// What adds the nodes of such a value, as images [C, 1, H, W].
  [[nodiscard]] std::function<std::size_t(shape const&)> held(std::string const& name) {
    auto const& v = at(name);
    if (v.is == value::kind::held) return v.build;
    return [&to = draft_, tensor = v.at](shape const& image) { return to.add_leaf(tensor, image); };
  }
  /// The one result is computed from tensors alone.
  void give_held(call const& from, std::function<std::size_t(shape const&)> const& build) {
    auto const name = result_of(from);
    bind(name, {.is = value::kind::held, .extents = whole(name), .build = build});
  }
  [[nodiscard]] bool is_tensor(std::string const& name) const { return at(name).is == value::kind::tensor; }
  [[nodiscard]] bool is_parameter(std::string const& name) const {
    return is_tensor(name) && draft_.source().is_parameter(at(name).at);
  }

  // --- results ------------------------------------------------------------------------------------------------------------------
  /// Adds a node for the one result of a call; a line in gives a line out.
  void give(call const& from, std::string const& like, layer rules) {
    auto const line = at(like).extents.size() == 2;
    auto const node = draft_.add(node_name(from), std::move(rules));
    give_node(from, node, line);
  }
  /// The same for a layer that works on channels; a feature matrix in gives a feature matrix out.
  void give_channels(call const& from, std::string const& like, layer rules) {
    if (at(like).extents.size() > 1) return give(from, like, std::move(rules));
    give_node(from, draft_.add("flatten", nn::flatten{draft_.add(node_name(from), std::move(rules))}));
  }
  void give_node(call const& from, std::size_t node, bool line = false) {
    auto const name = result_of(from);
    auto const& extents = draft_.shapes()[node];
    shape sample = extents.size() == 2 ? shape{extents[1]}
                   : line              ? shape{extents[0], extents[3]}
                                       : shape{extents[0], extents[2], extents[3]};
    if (auto const said = claimed(name); said != sample)
      fail(draft_.source().name(), ": value ", name, " of ", from.target(), " is said to have the shape ", list(said),
           " per sample, but has ", list(sample));
    bind(name, {.is = value::kind::node, .at = node, .extents = std::move(sample)});
  }
  /// The one result is the argument itself, or a view of it.
  void alias(call const& from, std::string const& argument) { bind(result_of(from), at(argument)); }
  /// The one result is the argument's elements in another shape.
  void alias(call const& from, std::string const& argument, shape extents) {
    auto v = at(argument);
    v.extents = std::move(extents);
    bind(result_of(from), std::move(v));
  }

  /// The one result is a step of a function of x, which no layer but that of the whole function computes.
  void bind_step(call const& from, std::string const& x) {
    bind(result_of(from), {.is = value::kind::step, .at = node_of(x), .extents = at(x).extents});
  }

  /// After an in-place operator: `argument` has the values `now`, and so have other names of the same tensor. What views only a part
  /// of it, or it in another shape, may not be read any more.
  void overwrite(std::string const& argument, value now) {
    auto const before = at(argument);
    now.storage = before.storage;
    for (auto const& name : views_[before.storage]) {
      auto& v = values_[name];
      if (v.is == before.is && v.at == before.at && v.extents == before.extents)
        v = now;
      else
        v.overwritten = true;
    }
  }

  /// Results that no layer computes, so that reading can go on behind them. `because` is empty where another refusal is the cause.
  void give_refused(call const& from, std::string const& because) {
    std::vector<std::size_t> inputs;
    for (auto const& name : from.inputs())
      if (auto const found = values_.find(name); found != values_.end())
        if (is_node(found->second)) inputs.push_back(found->second.at);
    for (auto const& name : from.outputs()) {
      shape sample;
      try {
        sample = claimed(name);
      } catch (no_layer const&) {
        sample = {1};  // no samples, or not in the first axis: a counter, say
      }
      shape extents{1, element_count(sample)};
      if (sample.size() == 2) extents = {sample[0], 1, 1, sample[1]};
      if (sample.size() == 3) extents = {sample[0], 1, sample[1], sample[2]};
      bind(
          name,
          {.is = value::kind::node, .at = draft_.add_refused(because, inputs, std::move(extents)), .extents = std::move(sample)});
    }
  }
  /// What an operator with by-products gives beside its first result.
  void refuse_by_products(call const& from) {
    auto const names = from.outputs();
    for (auto i = names.begin() + 1; i != names.end(); ++i)
      bind(*i, {.is = value::kind::unread, .because = "a by-product of " + std::string(from.target())});
  }
  /// Whether an argument comes from a result that no layer computes.
  [[nodiscard]] bool reads_refused(call const& from) const {
    return std::ranges::any_of(from.inputs(), [this](std::string const& name) {
      auto const found = values_.find(name);
      if (found == values_.end() || found->second.is == value::kind::nothing) return true;
      return is_node(found->second) && draft_.nodes()[found->second.at].depends_on_refused;
    });
  }
  /// Whether the second reading has left an argument out, so that nothing needs this call either.
  [[nodiscard]] bool leaves_out(call const& from) const {
    return draft_.leaves_any_out() && std::ranges::any_of(from.inputs(), [this](std::string const& name) {
             auto const found = values_.find(name);
             return found != values_.end() && found->second.is == value::kind::nothing;
           });
  }

  // --- graphs within graphs -----------------------------------------------------------------------------------------------------
  /// Binds a value of another graph.
  void take(std::string const& name, reading const& from, std::string const& theirs) {
    auto v = from.at(theirs);
    v.storage = 0;
    bind(name, std::move(v));
  }
  /// Tells the other graph of an in-place operator on a value that was taken from it.
  void hand_back(std::string const& name, reading& to, std::string const& theirs) const {
    auto const& now = at(name);
    auto const& before = to.at(theirs);
    if (now.is != before.is || now.at != before.at) to.overwrite(theirs, now);
  }

  /// The one result; of an operator with by-products, the first.
  [[nodiscard]] static std::string result_of(call const& from) {
    auto names = from.outputs();
    if (names.empty() || (names.size() != 1 && !has_by_products(plain_name(from.target()))))
      refuse("gives ", names.size(), " results");
    return std::move(names.front());
  }
  [[nodiscard]] static std::string node_name(call const& from) {
    auto const module = from.module().first;
    return module.empty() ? std::string(plain_name(from.target())) : module;
  }

 private:
  [[nodiscard]] static bool is_node(value const& v) {
    using enum value::kind;
    return v.is == node || v.is == pooled || v.is == stretched || v.is == shuffling;
  }

  [[nodiscard]] std::size_t parameter_at(std::size_t tensor) {
    if (!draft_.source().is_parameter(tensor))
      refuse("takes the constant ", draft_.source().tensors()[tensor].name, " for weights");
    draft_.read_as(tensor, draft_.source().tensors()[tensor].extents);
    return draft_.parameter(tensor);
  }

  [[nodiscard]] std::size_t tensor_index(std::string const& name) const {
    auto const& v = at(name);
    if (v.is != value::kind::tensor || v.extents != draft_.source().tensors()[v.at].extents)
      refuse("computes its weights instead of holding them");
    return v.at;
  }

  /// A value that is repeated along axes, as a node: one channel beside itself, pixels by the repetition of all of them.
  std::size_t stretched(std::string const& name) {
    auto& v = values_[name];
    auto const from = draft_.shapes()[v.at];
    if (from.size() != 4) refuse("repeats features to ", list(v.extents));
    auto const& e = v.extents;
    shape const to{e[0], 1, e.size() == 3 ? e[1] : 1, e.back()};
    auto node = v.at;
    constexpr std::size_t most = 1 << 14;
    if (to[0] > most) refuse("repeats one channel ", to[0], " times");
    if (from[0] != to[0]) node = draft_.add("concat", nn::concat{nn::links(to[0], node)});
    if (per_axis const factor{to[2] / from[2], to[3] / from[3]}; factor != per_axis{1})
      node = draft_.add("upsample", nn::upsample_nearest{node, factor});
    v.is = value::kind::node;
    v.at = node;
    return node;
  }

  /// The mean of each plane, as a feature matrix or as an image of one pixel.
  std::size_t pooled(std::string const& name) {
    auto const source = at(name).at;
    using pool = nn::adaptive_average_pool<typename Backend::pool_window>;
    auto const node = at(name).extents.size() == 1 ? draft_.add("global_average_pool", nn::global_average_pool{source})
                                                   : draft_.add("adaptive_average_pool", pool{source, per_axis{1}});
    values_[name].is = value::kind::node;
    values_[name].at = node;
    return node;
  }

  draft<Backend>& draft_;
  exported::graph const& graph_;
  std::unordered_map<std::string, value> values_;
  std::optional<extent> batch_;
  std::size_t storages_ = 0;
  std::unordered_map<std::size_t, std::vector<std::string>> views_;  ///< the names of each storage
};

}  // namespace lnpt::io::exported
