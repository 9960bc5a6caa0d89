#pragma once
/// The constants that masked channels of a module still say where they are read, and the biases or channels that can take them up.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/atoms.hpp>
#include <lnpt/structure/slices.hpp>
#include <lnpt/torch/pass/forward.hpp>
#include <lnpt/torch/structure/channel_trace.hpp>

namespace lnpt::detail {

/// What is added to a bias, [outputs].
struct bias_amount {
  at::Tensor bias, amount;
};

/// A weight of which the columns of removed channels were added to one that stands for them.
struct merged_weight {
  at::Tensor weight, sum;
};

/// Measures, on two inputs and at all positions, what every column of every weight reads in a masked module.
///
/// A column that reads the constant c may go where the bias takes up c Σ W[:, k]: in linear layers and in convolutions that read no
/// border, which have a bias and are called once. A padded convolution reads 0 at its border, which no bias can say; there, one column
/// that stays and reads the constant c₀ can stand for others that read c: W[:, into] += Σ c / c₀ · W[:, k].
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
      auto const constants = at::where(stays, constant, at::zeros_like(constant));
      reads_.push_back({tensor, bias_of(a[i]), a[i].bordered || !bias_of(a[i]).defined() || calls != 1, constants * sums,
                        constants.to(at::kCPU, at::kDouble).contiguous(), a[i].weight, a[i].column_axis});
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
    return std::ranges::any_of(reads_, [&](read const& each) {
      auto const columns = each.stuck ? columns_of(set, only(set, atom), each.weight) : std::vector<std::int64_t>();
      return !columns.empty() &&
             each.said.index_select(1, at::tensor(columns, at::kLong).to(each.said.device())).any().item<bool>();
    });
  }

  /// Lets one of these stuck atoms stand for all of them from now on: the one whose quietest constant is the loudest. Empty where they
  /// are not all read by one column each in the same weights.
  [[nodiscard]] std::optional<std::size_t> let_one_stand(atom_set const& set, std::vector<std::size_t> const& atoms) {
    std::vector<std::vector<std::int64_t>> columns;  // for each stuck read, that of each atom
    std::vector<read const*> readers;
    for (auto const& each : reads_) {
      if (!each.stuck) continue;
      std::vector<std::int64_t> of_atoms;
      for (auto const a : atoms) {
        auto const mine = columns_of(set, only(set, a), each.weight);
        if (mine.size() == 1) of_atoms.push_back(mine.front());
      }
      if (of_atoms.empty()) continue;
      if (of_atoms.size() != atoms.size()) return std::nullopt;
      columns.push_back(std::move(of_atoms));
      readers.push_back(&each);
    }
    auto const quietest = [&](std::size_t i) {
      auto least = std::numeric_limits<double>::infinity();
      for (std::size_t r = 0; r < readers.size(); ++r) least = std::min(least, std::abs(readers[r]->constant(columns[r][i])));
      return readers.empty() ? 0.0 : least;
    };
    std::size_t kept = 0;
    for (std::size_t i = 1; i < atoms.size(); ++i)
      if (quietest(i) > quietest(kept)) kept = i;
    if (quietest(kept) == 0) return std::nullopt;
    for (std::size_t r = 0; r < readers.size(); ++r) {
      stand_in stands{readers[r]->weight, readers[r]->parameter, readers[r]->column_axis, columns[r][kept], {}};
      if (std::ranges::any_of(stand_ins_, [&](stand_in const& each) {
            return each.weight == stands.weight && each.into == stands.into;  // one weight, called twice
          }))
        continue;
      for (std::size_t i = 0; i < atoms.size(); ++i)
        if (i != kept)
          stands.of.push_back(
              {atoms[i], columns[r][i], readers[r]->constant(columns[r][i]) / readers[r]->constant(columns[r][kept])});
      stand_ins_.push_back(std::move(stands));
    }
    return atoms[kept];
  }

  /// The weights whose columns stand for those of these atoms.
  [[nodiscard]] std::vector<merged_weight> merged(std::vector<char> const& atoms) const {
    std::vector<merged_weight> all;
    for (auto const& each : stand_ins_) {
      auto const known = std::ranges::find_if(all, [&](merged_weight const& m) { return m.weight.is_same(each.parameter); });
      at::Tensor sum = known == all.end() ? each.parameter.detach().clone() : known->sum;
      auto const axis = static_cast<std::int64_t>(each.axis);
      for (auto const& from : each.of)
        if (atoms[from.atom]) sum.select(axis, each.into).add_(each.parameter.detach().select(axis, from.column), from.ratio);
      if (known == all.end()) all.push_back({each.parameter, sum});
    }
    return all;
  }

  /// The masks of columns that stand for others: what any of them keeps.
  void merge(mask_set& masks, atom_set const& set, std::vector<char> const& atoms) const {
    for (auto const& each : stand_ins_)
      for (auto& kept : masks) {
        if (kept.name() != set.tensors[each.weight].name) continue;
        axis_layout const layout(kept.extents(), each.axis);
        std::vector<std::size_t> into;
        layout.for_each(static_cast<std::size_t>(each.into), [&](std::size_t at) { into.push_back(at); });
        for (auto const& from : each.of) {
          if (!atoms[from.atom]) continue;
          std::size_t i = 0;
          layout.for_each(static_cast<std::size_t>(from.column), [&](std::size_t at) {
            if (kept[at]) kept.set(into[i], true);
            ++i;
          });
        }
      }
  }

 private:
  struct read {
    std::size_t weight;  ///< number in the set
    at::Tensor bias;
    bool stuck;            ///< whether no bias can take anything up
    at::Tensor said;       ///< [outputs, columns]: constant times the sum of the kernel, 0 where the column varies
    at::Tensor constants;  ///< [columns], 0 where the column varies
    at::Tensor parameter;  ///< the weight
    std::size_t column_axis;

    [[nodiscard]] double constant(std::int64_t column) const { return constants.data_ptr<double>()[column]; }
  };

  /// A column that stands for others.
  struct stand_in {
    struct source {
      std::size_t atom;
      std::int64_t column;
      double ratio;
    };
    std::size_t weight;
    at::Tensor parameter;
    std::size_t axis;
    std::int64_t into;
    std::vector<source> of;
  };

  [[nodiscard]] static std::vector<char> only(atom_set const& set, std::size_t atom) {
    std::vector<char> atoms(set.atoms.size());
    atoms[atom] = 1;
    return atoms;
  }

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
  std::vector<stand_in> stand_ins_;
};

}  // namespace lnpt::detail
