#pragma once
/// Whether the weights of a smaller module read and make what they do in the masked one.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/structure/atoms.hpp>
#include <lnpt/structure/remove.hpp>
#include <lnpt/torch/pass/forward.hpp>
#include <lnpt/torch/structure/channel_trace.hpp>

namespace lnpt::detail {

/// Compares what every weight reads and makes, on the channels that are left. The module's answer alone would not do: what follows a
/// layer may be silent on the inputs at hand, such as rectifiers in a module of few channels, and speak on others.
class computed_values {
 public:
  computed_values(torch_network const& network, atom_set const& set, kept_indices const& kept)
      : network_(network), set_(set), kept_(kept) {}

  /// Where the smaller module first computes something else than the masked one, as a sentence; empty where it does so nowhere. Says
  /// nothing where the two take other layers, as a loop over channels does.
  [[nodiscard]] std::string first_difference(std::vector<traced_layer> const& masked, std::vector<traced_layer> const& smaller,
                                             double tolerance) const {
    if (masked.size() != smaller.size()) return {};
    for (std::size_t i = 0; i < masked.size(); ++i) {
      auto const& was = masked[i];
      auto const& is = smaller[i];
      if (was.what != traced_layer::kind::product || !is.weight.is_same(was.weight)) continue;
      auto const in_axis = std::min(was.in_axis, was.input.dim() - 1);
      auto const name = name_of(was.weight);
      for (auto const& [does, difference] :
           {std::pair(" reads", relative(left(was.input, in_axis, name, was.column_axis), is.input)),
            std::pair(" makes", relative(left(was.output, was.out_axis, name, was.row_axis), is.output))})
        if (!(difference <= tolerance)) return sentence(name, does, difference);
    }
    return {};
  }

 private:
  [[nodiscard]] static std::string sentence(std::string const& name, std::string_view does, double difference) {
    std::ostringstream out;
    out << "what " << name << does << " differs by " << difference << " of the largest value there";
    return out.str();
  }

  [[nodiscard]] std::string name_of(at::Tensor const& weight) const {
    for (auto const* group : {&network_.layout.parameters, &network_.layout.frozen})
      for (auto const& held : *group)
        if (held.value.is_same(weight)) return held.name;
    return {};
  }

  /// The channels of `values` that are left along an axis of this weight, in each of its groups.
  [[nodiscard]] at::Tensor left(at::Tensor const& values, std::int64_t axis, std::string const& name,
                                std::size_t weight_axis) const {
    auto const tensor = kept_.find(name);
    if (tensor == kept_.end()) return values;
    auto const kept = tensor->second.find(weight_axis);
    if (kept == tensor->second.end()) return values;
    auto const known = std::ranges::find(set_.tensors, name, &sliced_tensor::name);
    auto const extent = static_cast<std::int64_t>(known->extents[weight_axis]);
    std::vector<std::int64_t> channels;
    for (std::int64_t first = 0; first < values.size(axis); first += extent)
      for (auto const i : kept->second) channels.push_back(first + static_cast<std::int64_t>(i));
    return values.index_select(axis, at::tensor(channels, at::kLong).to(values.device()));
  }

  /// The largest difference over the largest value; 0 where there is none, or where the two are no values of the same channels.
  [[nodiscard]] static double relative(at::Tensor const& expected, at::Tensor const& found) {
    if (!expected.sizes().equals(found.sizes()) || expected.numel() == 0 || !at::isFloatingType(expected.scalar_type())) return 0;
    auto const difference = (expected - found).abs().max().item<double>();
    return difference == 0 ? 0 : difference / expected.abs().max().item<double>();
  }

  torch_network const& network_;
  atom_set const& set_;
  kept_indices const& kept_;
};

}  // namespace lnpt::detail
