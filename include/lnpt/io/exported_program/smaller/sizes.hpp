#pragma once
/// The sizes that the values of an exported graph have once its network is smaller.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/exported_program/draft.hpp>
#include <lnpt/io/exported_program/graph.hpp>
#include <lnpt/io/exported_program/operator_names.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/walk.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/structure/shapes.hpp>

namespace lnpt::io::exported {

namespace detail {

/// Says that a part of the graph cannot follow the network.
template <class... Parts>
[[noreturn]] void refuse_to_follow(program const& source, Parts const&... what) {
  fail(source.name(), ": ", what..., ": write the smaller network to .safetensors");
}

/// The extents of a tensor of the file whose counterpart in the network went from `before` to `now`. Either may have axes of extent 1
/// that the other lacks, such as the height of a convolution over a line.
[[nodiscard]] inline std::optional<shape> following(shape stored, shape const& before, shape const& now) {
  std::size_t i = 0;
  for (std::size_t j = 0; j < before.size(); ++j) {
    while (i < stored.size() && stored[i] != before[j] && stored[i] == 1) ++i;
    if (i < stored.size() && stored[i] == before[j])
      stored[i++] = now[j];
    else if (before[j] != 1)
      return std::nullopt;
  }
  return std::all_of(stored.begin() + static_cast<std::ptrdiff_t>(i), stored.end(), [](auto n) { return n == 1; })
             ? std::optional(std::move(stored))
             : std::nullopt;
}

}  // namespace detail

/// Sizes by the reader's account of the graph: a value is the output of a node, or a tensor of the program, and has the extents that
/// these have in the smaller network.
template <class Backend>
class smaller_sizes {
 public:
  smaller_sizes(program const& source, walk<Backend>& from, network<Backend>& smaller)
      : source_(source),
        values_(from.values()),
        before_(from.network().shapes()),
        now_(node_shapes(smaller, source.sample_shape(source.batch()))) {
    for (auto const& call : source.graph().calls())
      if (has_by_products(plain_name(call.target()))) {
        auto const results = call.outputs();
        for (std::size_t i = 1; i < results.size(); ++i) main_results_.emplace(results[i], results[0]);
      }
    for (auto const& tensor : source.tensors()) tensors_.push_back(tensor.extents);
    auto const parameters = smaller.parameters();
    auto const buffers = smaller.buffers();
    follow(from.network().parameters(), from.network().parameter_shapes(), parameters);
    follow(from.network().buffers(), from.network().buffer_shapes(), buffers);
    for (std::size_t t = 0; t < tensors_.size(); ++t) tensors_[t] = tensors_[source.canonical(t)];
    follow_held();
  }

  /// Of a tensor of the program.
  [[nodiscard]] shape const& of_tensor(std::size_t tensor) const { return tensors_[tensor]; }
  [[nodiscard]] bool is_smaller(std::size_t tensor) const { return tensors_[tensor] != source_.tensors()[tensor].extents; }

  /// Of a value before: of an axis that follows the batch, the example's.
  [[nodiscard]] shape before(std::string const& name) const {
    shape result;
    for (auto const& each : source_.graph().extents(name)) result.push_back(static_cast<std::size_t>(each.number));
    return result;
  }
  /// Of a value now.
  [[nodiscard]] shape of(std::string const& name) const {
    auto old = before(name);
    auto const* const v = values_.find(name);
    if (v == nullptr) {
      auto const main = main_results_.find(name);
      return main == main_results_.end() || !is_needed(main->second) ? old : beside(before(main->second), of(main->second), old);
    }
    if (v->is == value::kind::tensor) return of_constant(name, *v, old);
    if (v->is == value::kind::transposed) return {tensors_[v->at].rbegin(), tensors_[v->at].rend()};
    if (v->is == value::kind::held) {
      auto const found = held_.find(name);
      return found == held_.end() ? old : found->second;
    }
    if (v->is == value::kind::stretched && is_one_channel(before_[v->at]) && old.at(1) != 1) cannot_follow(name);
    if (before_[v->at] == now_[v->at]) return old;
    auto const here = extents_of(*v, before_[v->at], old);
    auto result = extents_of(*v, now_[v->at], old);
    if (here != old || result.size() != old.size()) cannot_follow(name);
    return result;
  }
  [[nodiscard]] bool is_smaller(std::string const& name) const { return of(name) != before(name); }
  /// Whether the network's result needs a value.
  [[nodiscard]] bool is_needed(std::string const& name) const { return values_.find(name) != nullptr; }
  /// Whether the network's result needs a value, or the call that it is a by-product of.
  [[nodiscard]] bool is_computed(std::string const& name) const {
    auto const main = main_results_.find(name);
    return is_needed(main == main_results_.end() ? name : main->second);
  }

 private:
  template <class Views>
  void follow(std::vector<std::size_t> const& places, std::vector<shape> const& before, Views const& now) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      auto const& stored = source_.tensors()[places[i]];
      auto extents = detail::following(stored.extents, before[i], shape_of(*now[i].value));
      if (!extents)
        fail(source_.name(), " holds ", stored.name, ' ', list(stored.extents), ", which is no place for ",
             list(shape_of(*now[i].value)), ": pass the network that was read from this file");
      tensors_[places[i]] = *std::move(extents);
    }
  }

  /// Of a by-product, which has the shape of the main result, or one number for each channel, or none at all.
  [[nodiscard]] static shape beside(shape const& main, shape const& main_now, shape const& old) {
    if (old == main) return main_now;
    return old.size() == 1 && main.size() > 1 && old[0] == main[1] ? shape{main_now[1]} : old;
  }

  /// Values that are computed from tensors alone follow what they are computed from, call by call.
  void follow_held() {
    for (auto const& call : source_.graph().calls()) {
      auto const results = call.outputs();
      auto const* const v = results.size() == 1 ? values_.find(results[0]) : nullptr;
      if (v == nullptr || v->is != value::kind::held) continue;
      auto extents = before(results[0]);
      for (auto const& input : call.inputs()) {
        auto const was = before(input);
        auto const now = of(input);
        if (was == now) continue;
        auto joined = stretched(extents, was, now);
        if (!joined) joined = detail::following(extents, was, now);
        if (!joined) cannot_follow(results[0]);
        extents = *std::move(joined);
      }
      held_.insert_or_assign(results[0], std::move(extents));
    }
  }

  /// The extents of a result that one of its operands, which stretched to it, went from `was` to `now`.
  [[nodiscard]] static std::optional<shape> stretched(shape result, shape const& was, shape const& now) {
    if (was.size() > result.size() || was.size() != now.size()) return std::nullopt;
    auto const first = result.size() - was.size();
    for (std::size_t axis = 0; axis < was.size(); ++axis) {
      if (was[axis] == now[axis]) continue;
      if (result[first + axis] != was[axis] && result[first + axis] != now[axis]) return std::nullopt;
      result[first + axis] = now[axis];
    }
    return result;
  }

  /// Whether a node has one channel, which a value may repeat as often as another node has channels.
  [[nodiscard]] static bool is_one_channel(shape const& node) { return node.size() == 4 ? node[0] == 1 : node[1] == 1; }

  [[nodiscard]] shape of_constant(std::string const& name, value const& v, shape const& old) const {
    if (!is_smaller(v.at)) return old;
    auto now = detail::following(old, source_.tensors()[v.at].extents, tensors_[v.at]);
    if (!now) cannot_follow(name);
    return *std::move(now);
  }

  /// The axes of a value, `like` so many, given those of its node: [C, 1, H, W] or [1, F].
  [[nodiscard]] static shape extents_of(value const& v, shape const& node, shape const& like) {
    auto const image = node.size() == 4;
    auto const channels = image ? node[0] : node[1];
    auto result = like;
    if (like.size() < 2) return {};
    if (v.is == value::kind::shuffling) {
      if (like.size() < 3) return {};
      auto const groups = v.groups == 0 ? like[1] : v.groups;
      if (groups == 0 || channels % groups != 0) return {};
      result[v.groups == 0 ? 2 : 1] = channels / groups;
      return result;
    }
    result[1] = channels;
    if (v.is == value::kind::node && image && like.size() == 4) result[2] = node[2], result[3] = node[3];
    if (v.is == value::kind::node && image && like.size() == 3) result[2] = node[3];
    return result;
  }

  [[noreturn]] void cannot_follow(std::string const& name) const {
    detail::refuse_to_follow(source_, "the sizes ", list(before(name)), " of the value ", name,
                             " do not follow the channels that were removed");
  }

  program const& source_;
  reading<Backend>& values_;
  std::vector<shape> before_, now_;                            ///< of nodes
  std::unordered_map<std::string, std::string> main_results_;  ///< by by-product
  std::vector<shape> tensors_;                                 ///< of the program's tensors, now
  std::unordered_map<std::string, shape> held_;                ///< of values that are computed from tensors alone, now
};

}  // namespace lnpt::io::exported
