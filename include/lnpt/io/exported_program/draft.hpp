#pragma once
/// A network while it is read out of an exported graph.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/exported_program/graph.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/narrowed.hpp>
#include <lnpt/nn/layer_links.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt::io::exported {

/// Thrown where no layer does what a call asks. Reading goes on, to find every such call and to name them all.
struct no_layer {
  std::string because;
};
template <class... Parts>
[[noreturn]] void refuse(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw no_layer{text.str()};
}

/// What a value of the graph is in the network.
struct value {
  enum class kind {
    node,        ///< the output of a node
    pooled,      ///< the mean of each plane of a node's output, which is a matrix or an image, as its reader needs it
    stretched,   ///< a node's output, repeated along axes where it has an extent of 1
    shuffling,   ///< channels on their way through a shuffle: {groups, C / groups, H, W}, or that transposed
    tensor,      ///< a tensor of the program
    transposed,  ///< a matrix of the program, rows and columns exchanged
    held,        ///< computed from tensors of the program alone, the same for all samples
    step,        ///< a step of a function of a node's output that several calls spell out
    unread,      ///< what no network can read: a tensor without numbers of its own, a by-product of an operator
    nothing      ///< left out, or unknown
  };

  kind is = kind::nothing;
  std::size_t at = 0;        ///< the node, or the tensor's place among the program's
  shape extents = {};        ///< of one sample: {F}, {C, L} or {C, H, W}; of a tensor or what is held, all
  std::size_t groups = 0;    ///< of a shuffle; 0 before it is transposed
  std::size_t storage = 0;   ///< values with one storage are views of one another
  bool overwritten = false;  ///< by an in-place operator on another view
  std::string because = {};  ///< what is unread, in words
  std::function<std::size_t(shape const&)> build = {};  ///< adds the nodes of what is held, as an image [C, 1, H, W]
};

/// What the first reading finds out for the second.
struct findings {
  std::unordered_set<std::size_t> left_out;      ///< calls that add nodes, none of which the results need
  std::vector<std::size_t> parameters, buffers;  ///< the tensors that these read, by their places in the program, ascending
  std::unordered_map<std::size_t, std::size_t> readers;  ///< of the last node that a call adds, by the call
};

/// The nodes so far, and which tensors are their parameters and buffers.
///
/// A graph is read twice, because a network holds only what its results need: the first reading sees auxiliary heads, counters and
/// dead ends, the second leaves them out.
template <class Backend>
class draft {
 public:
  using layer = typename network<Backend>::layer;

  struct node {
    std::string name;
    layer rules;
    std::vector<std::size_t> inputs;
    std::size_t call;
    std::optional<std::string> refusal =
        std::nullopt;  ///< why no layer computes it; empty text where that follows from another refusal
    bool depends_on_refused = false;
  };

  /// `known`: null for the first reading.
  draft(program const& source, findings const* known) : source_(source), known_(known) {
    if (!known) return;
    for (auto const tensor : known->parameters) parameter(tensor);
    for (auto const tensor : known->buffers) buffer(tensor);
  }

  [[nodiscard]] program const& source() const { return source_; }
  [[nodiscard]] std::vector<node> const& nodes() const { return nodes_; }
  /// [C, 1, H, W] or [1, F] of each node.
  [[nodiscard]] std::vector<shape> const& shapes() const { return shapes_; }
  [[nodiscard]] std::vector<std::size_t> const& parameters() const { return parameters_; }
  [[nodiscard]] std::vector<std::size_t> const& buffers() const { return buffers_; }

  void begin_call(std::size_t call) { call_ = call; }
  [[nodiscard]] bool leaves_out(std::size_t call) const { return known_ && known_->left_out.contains(call); }

  [[nodiscard]] bool leaves_any_out() const { return known_ != nullptr; }

  std::size_t add_input(shape extents) {
    nodes_.push_back({"input", nn::input{}, {}, call_});
    shapes_.push_back(std::move(extents));
    return 0;
  }
  std::size_t add(std::string name, layer rules) {
    auto extents = nn::output_shape(rules, shapes_, parameter_shapes_);
    constexpr std::uint64_t most = std::uint64_t{1} << 40;
    if (auto const count = narrowed_product<std::uint64_t>(extents); !count || *count == 0 || *count > most)
      fail(source_.name(), ": ", name, " gives a value of shape ", list(extents),
           " per sample; up to 2^40 numbers can be computed with");
    shapes_.push_back(std::move(extents));
    auto inputs = nn::inputs_of(rules);
    auto const refused = std::ranges::any_of(inputs, [this](std::size_t i) { return nodes_[i].depends_on_refused; });
    nodes_.push_back({std::move(name), std::move(rules), std::move(inputs), call_, std::nullopt, refused});
    return nodes_.size() - 1;
  }
  /// A node that no layer computes, so that reading can go on behind it.
  std::size_t add_refused(std::string refusal, std::vector<std::size_t> inputs, shape extents) {
    nodes_.push_back({"", nn::input{}, std::move(inputs), call_, std::move(refusal), true});
    shapes_.push_back(std::move(extents));
    return nodes_.size() - 1;
  }

  /// The network's parameter or buffer for a tensor of the program.
  std::size_t parameter(std::size_t tensor) { return index_of(tensor, parameters_, parameter_shapes_); }
  std::size_t buffer(std::size_t tensor) { return index_of(tensor, buffers_, buffer_shapes_); }
  [[nodiscard]] std::vector<shape> const& parameter_shapes() const { return parameter_shapes_; }
  [[nodiscard]] std::vector<shape> const& buffer_shapes() const { return buffer_shapes_; }
  /// Says how a layer reads a tensor, which is the same for all of its layers: the weights of a convolution over a line as [O, C, 1, k],
  /// the tensor of a leaf as [C, 1, H, W].
  void read_as(std::size_t tensor, shape extents) {
    if (element_count(extents) != source_.tensors()[tensor].size())
      refuse("reads the tensor ", source_.tensors()[tensor].name, " of shape ", list(source_.tensors()[tensor].extents), " as ",
             list(extents));
    if (auto const [found, added] = read_as_.try_emplace(tensor, extents); !added && found->second != extents)
      refuse("reads the tensor ", source_.tensors()[tensor].name, " as shape ", list(extents), ", which another layer reads as ",
             list(found->second));
    if (source_.is_parameter(tensor))
      parameter_shapes_[parameter(tensor)] = std::move(extents);
    else
      buffer_shapes_[buffer(tensor)] = std::move(extents);
  }
  /// A node of a tensor's own values.
  std::size_t add_leaf(std::size_t tensor, shape extents) {
    auto const trained = source_.is_parameter(tensor);
    auto const index = trained ? parameter(tensor) : buffer(tensor);
    read_as(tensor, extents);
    return add(source_.tensors()[tensor].name, nn::leaf{index, !trained, std::move(extents)});
  }

  [[nodiscard]] std::size_t next_norm() { return norms_++; }

  /// Computes max(0, y) in the node of y itself, where that layer can and nothing else reads y; false where not.
  [[nodiscard]] bool rectify(std::size_t at) {
    if (!known_ || nodes_[at].call == call_) return false;
    auto const readers = known_->readers.find(nodes_[at].call);
    if (readers == known_->readers.end() || readers->second != 1) return false;
    return std::visit(
        [](auto& rules) {
          if constexpr (requires { rules.rectify = true; })
            return !std::exchange(rules.rectify, true);
          else
            return false;
        },
        nodes_[at].rules);
  }

  /// Nodes that the given ones are computed from, themselves among them.
  [[nodiscard]] std::vector<char> needed_by(std::vector<std::size_t> const& results) const {
    std::vector<char> needed(nodes_.size());
    for (auto const at : results) needed[at] = 1;
    for (auto i = nodes_.size(); i-- > 1;)
      if (needed[i])
        for (auto const at : nodes_[i].inputs) needed[at] = 1;
    return needed;
  }

  [[nodiscard]] findings needs_of(std::vector<std::size_t> const& results) const {
    findings found;
    auto const needed = needed_by(results);
    std::set<std::size_t> parameters;
    std::set<std::size_t> buffers;
    for (auto const at : results) ++found.readers[nodes_[at].call];
    for (std::size_t i = 1; i < nodes_.size(); ++i)
      if (!needed[i]) found.left_out.insert(nodes_[i].call);
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      if (!needed[i]) continue;
      found.left_out.erase(nodes_[i].call);
      for (auto const at : nodes_[i].inputs)
        if (nodes_[at].call != nodes_[i].call) ++found.readers[nodes_[at].call];
      for (auto const p : nn::parameters_of(nodes_[i].rules)) parameters.insert(parameters_[p]);
      for (auto const b : nn::buffers_of(nodes_[i].rules)) buffers.insert(buffers_[b]);
    }
    found.parameters.assign(parameters.begin(), parameters.end());
    found.buffers.assign(buffers.begin(), buffers.end());
    return found;
  }

 private:
  std::size_t index_of(std::size_t tensor, std::vector<std::size_t>& held, std::vector<shape>& extents) {
    auto const [found, added] = indices_[&held == &buffers_].try_emplace(tensor, held.size());
    if (added) {
      held.push_back(tensor);
      extents.push_back(source_.tensors()[tensor].extents);
    }
    return found->second;
  }

  program const& source_;
  findings const* known_;
  std::vector<node> nodes_;
  std::vector<shape> shapes_;
  std::vector<std::size_t> parameters_, buffers_;
  std::vector<shape> parameter_shapes_, buffer_shapes_;
  std::unordered_map<std::size_t, std::size_t> indices_[2];
  std::unordered_map<std::size_t, shape> read_as_;  ///< by tensor
  std::size_t norms_ = 0;
  std::size_t call_ = 0;
};

}  // namespace lnpt::io::exported
