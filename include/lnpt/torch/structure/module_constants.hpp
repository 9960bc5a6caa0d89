#pragma once
/// The constants that masked channels of a module still say where they are read, and the biases that can take them up.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <lnpt/structure/atoms.hpp>
#include <lnpt/torch/pass/forward.hpp>
#include <lnpt/torch/structure/channel_trace.hpp>

namespace lnpt::detail {

/// What is added to a bias, [outputs].
struct bias_amount {
  at::Tensor bias, amount;
};

/// Measures, on two inputs and at all positions, what every column of every weight reads in a masked module.
///
/// A column that reads the constant c may go where the bias takes up c Σ W[:, k]: in linear layers and in convolutions that read no
/// border, which have a bias and are called once. A padded convolution reads 0 at its border, which no bias can say.
class module_constants {
 public:
  module_constants(torch_network& network, atom_set const& set, at::Tensor const& first, at::Tensor const& second) {
    auto const a = layers_of(network, first);
    auto const b = layers_of(network, second);
    if (a.size() != b.size()) return;
    for (std::size_t i = 0; i < a.size(); ++i) {
      auto const tensor = number_of(network, set, a[i].weight);
      if (a[i].what != traced_layer::kind::product || a[i].groups != 1 || tensor == set.tensors.size()) continue;
      if (!at::isFloatingType(a[i].input.scalar_type())) continue;  // indices of a table
      auto const calls = std::ranges::count_if(a, [&](traced_layer const& each) { return holds(each, bias_of(a[i])); });
      auto const constant = constants_of(a[i]);
      auto const stays = constant.eq(constants_of(b[i]));  // NaN, where it varies, does not
      auto const sums = sums_of(a[i]);
      reads_.push_back({tensor, bias_of(a[i]), a[i].bordered || !bias_of(a[i]).defined() || calls != 1,
                        at::where(stays, constant, at::zeros_like(constant)) * sums});
    }
  }

  /// What the biases take up once these atoms are gone.
  [[nodiscard]] std::vector<bias_amount> amounts(atom_set const& set, std::vector<char> const& atoms) const {
    std::vector<bias_amount> all;
    for (auto const& each : reads_) {
      auto const columns = columns_of(set, atoms, each.weight);
      if (each.stuck || columns.empty()) continue;
      auto const amount = each.said.index_select(1, at::tensor(columns, at::kLong).to(each.said.device())).sum(1);
      if (amount.any().item<bool>()) all.push_back({each.bias, amount});
    }
    return all;
  }

  /// Whether an atom says a constant that no bias can take up.
  [[nodiscard]] bool is_stuck(atom_set const& set, std::size_t atom) const {
    std::vector<char> only(set.atoms.size());
    only[atom] = 1;
    return std::ranges::any_of(reads_, [&](read const& each) {
      auto const columns = each.stuck ? columns_of(set, only, each.weight) : std::vector<std::int64_t>();
      return !columns.empty() &&
             each.said.index_select(1, at::tensor(columns, at::kLong).to(each.said.device())).any().item<bool>();
    });
  }

 private:
  struct read {
    std::size_t weight;  ///< number in the set
    at::Tensor bias;
    bool stuck;       ///< whether no bias can take anything up
    at::Tensor said;  ///< [outputs, columns]: constant times the sum of the kernel, 0 where the column varies
  };

  [[nodiscard]] static std::vector<traced_layer> layers_of(torch_network& network, at::Tensor const& x) {
    channel_tap tap(network.layout, nullptr, nullptr, false);
    static_cast<void>(network.evaluate(x));
    tap.check();
    return std::move(tap.layers());
  }

  [[nodiscard]] static std::size_t number_of(torch_network const& network, atom_set const& set, at::Tensor const& weight) {
    for (auto const& held : network.layout.parameters)
      if (weight.defined() && held.value.is_same(weight))
        return static_cast<std::size_t>(std::ranges::find(set.tensors, held.name, &sliced_tensor::name) - set.tensors.begin());
    return set.tensors.size();
  }

  [[nodiscard]] static at::Tensor bias_of(traced_layer const& layer) {
    return layer.carried.empty() ? at::Tensor() : layer.carried.front();
  }
  [[nodiscard]] static bool holds(traced_layer const& layer, at::Tensor const& tensor) {
    return tensor.defined() && std::ranges::any_of(layer.carried, [&](at::Tensor const& each) { return each.is_same(tensor); });
  }

  /// What every column reads, NaN where that is no constant.
  [[nodiscard]] static at::Tensor constants_of(traced_layer const& layer) {
    auto const columns = layer.input.movedim(std::min(layer.in_axis, layer.input.dim() - 1), 0).reshape({layer.inputs(), -1});
    auto const first = columns.select(1, 0);
    return at::where(columns.eq(first.unsqueeze(1)).all(1), first,
                     at::full_like(first, std::numeric_limits<double>::quiet_NaN()));
  }

  /// The sum of every kernel, [outputs, columns].
  [[nodiscard]] static at::Tensor sums_of(traced_layer const& layer) {
    at::Tensor const weight = layer.weight.detach();
    auto const kernels = weight.dim() > 2 ? weight.flatten(2).sum(2) : weight;
    return layer.row_axis == 0 ? kernels : kernels.t();
  }

  [[nodiscard]] static std::vector<std::int64_t> columns_of(atom_set const& set, std::vector<char> const& atoms,
                                                            std::size_t tensor) {
    std::vector<std::int64_t> columns;
    for (std::size_t a = 0; a < atoms.size(); ++a)
      for (auto const& each : set.atoms[a].slices)
        if (atoms[a] && each.tensor == tensor && each.role == slice_role::column)
          columns.insert(columns.end(), each.indices.begin(), each.indices.end());
    return columns;
  }

  std::vector<read> reads_;
};

}  // namespace lnpt::detail
