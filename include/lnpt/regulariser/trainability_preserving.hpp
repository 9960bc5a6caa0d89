#pragma once
/// Filters that are to go, parted from those that stay.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/regulariser/parted_filters.hpp>
#include <lnpt/regulariser/regulariser.hpp>

namespace lnpt {

/// The filters of one convolution that are to go, and what goes with them.
struct outgoing_filters {
  std::string layer;          ///< its weight is `layer` + ".weight", its bias, if any, `layer` + ".bias"
  std::string norm = {};      ///< the batch norm after it, likewise; empty: none
  std::vector<char> removed;  ///< one flag per filter
};

/// The ⌈fraction · N⌉ filters of lowest mean |w| of each layer, at least one of which stays; ties go in order.
template <class T>
[[nodiscard]] std::vector<outgoing_filters> lowest_filters(
    std::vector<parameter<T>> const& parameters, std::vector<std::pair<std::string, std::string>> const& layers_and_norms,
    double fraction) {
  if (!(fraction >= 0 && fraction < 1)) fail_request("a fraction of ", fraction, " of the filters cannot go: pass one in [0, 1)");
  std::vector<outgoing_filters> chosen;
  for (auto const& [layer, norm] : layers_and_norms) {
    auto const p = std::ranges::find(parameters, layer + ".weight", &parameter<T>::name);
    if (p == parameters.end()) fail("there is no parameter ", layer, ".weight whose filters could go: name a layer of the model");
    if (p->output_axis != 0)
      fail("the filters of ", p->name, " lie along ",
           p->output_axis == unknown_axis ? "an unknown axis" : "axis " + std::to_string(p->output_axis),
           ", and only those along axis 0 can go: leave out layers such as "
           "transposed convolutions");
    auto const weights = values_of(*p->value);
    auto const filters = shape_of(*p->value).at(0);
    auto const size = weights.size() / filters;
    std::vector<double> norms(filters);
    for (std::size_t i = 0; i < weights.size(); ++i) norms[i / size] += std::abs(static_cast<double>(weights[i]));
    std::vector<std::size_t> order(filters);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t j) { return norms[j]; });
    auto const wanted = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(filters)));
    outgoing_filters going{layer, norm, std::vector<char>(filters)};
    for (std::size_t k = 0; k < std::min(wanted, filters - 1); ++k) going.removed[order[k]] = 1;
    chosen.push_back(std::move(going));
  }
  return chosen;
}

/// How the gram term counts: as the published code does, or as the paper has it.
enum class gram_form { mean_times_1000, frobenius_sum };

/// TPP: filters that are to go are made orthogonal to those that stay, and shrink. Wang, Fu, ICLR 2023, arXiv:2207.12534.
///
///     G = W Wᵀ of a layer's filters W [N, M], m_j = 0 where filter j is to go, else 1
///     mean_times_1000:   R = 1000 Σ_layers mean_ij (1 − m_i m_j) G_ij² + ½ Σ_gone (‖w_j‖² + b_j² + γ_j² + β_j²)
///     frobenius_sum:     R = ½ Σ_layers (Σ_ij (1 − m_i m_j) G_ij² + Σ_gone (γ_j² + β_j²))
///
/// The strength λ is the factor of `regularise`; the hook `preserve_trainability` raises it as training goes. The filters are chosen
/// once (`lowest_filters`) and stay the same, so that a resumed run needs them again and nothing else. Costs, per step and with half
/// of the filters to go, 1.25 times the product of G and W and, where the weights are not in host memory, a copy of them there and back.
struct trainability_preserving {
  using is_regulariser = void;
  std::vector<outgoing_filters> layers;
  gram_form form = gram_form::mean_times_1000;

  /// Σ_layers of the mean or of the sum of (1 − m_i m_j) G_ij².
  template <class T>
  [[nodiscard]] double gram(std::vector<parameter<T>> const& parameters) const {
    double total = 0;
    for (auto const& each : layers) {
      auto const filters = static_cast<double>(each.removed.size());
      auto const sum = parted(parameters[index_of(parameters, each.layer + ".weight")], each).squares();
      total += form == gram_form::mean_times_1000 ? sum / (filters * filters) : sum;
    }
    return total;
  }

  template <class T>
  void add_gradient(std::vector<parameter<T>> const& parameters, gradients<T>& g, double factor) const {
    auto const code = form == gram_form::mean_times_1000;
    for (auto const& each : layers) {
      auto const at = index_of(parameters, each.layer + ".weight");
      if (!g[at]) continue;
      auto const filters = static_cast<double>(each.removed.size());
      auto const scale = code ? 1000 / (filters * filters) : 0.5;
      detail::add_scaled(g[at], 1, parted(parameters[at], each).slope(factor * scale, code ? factor : 0));
      if (code) shrink(parameters, g, each.layer + ".bias", each, factor);
      if (each.norm.empty()) continue;
      shrink(parameters, g, each.norm + ".weight", each, factor);
      shrink(parameters, g, each.norm + ".bias", each, factor);
    }
  }

  /// The norm of everything that is to go: weights, biases, scales and shifts.
  template <class T>
  [[nodiscard]] double norm_of_removed(std::vector<parameter<T>> const& parameters) const {
    double squares = 0;
    for (auto const& each : layers)
      for_each_removed(parameters, each, [&](parameter<T> const&, std::vector<double> const& values, auto const& slice) {
        slice([&](std::size_t k) { squares += values[k] * values[k]; });
      });
    return std::sqrt(squares);
  }

  /// Sets everything of one layer that is to go to exactly zero.
  template <class T>
  static void clear(std::vector<parameter<T>> const& parameters, outgoing_filters const& each) {
    for_each_removed(parameters, each, [&](parameter<T> const& p, std::vector<double> values, auto const& slice) {
      slice([&](std::size_t k) { values[k] = 0; });
      detail::assign_doubles(*p.value, values);
    });
  }

 private:
  template <class T>
  [[nodiscard]] static std::size_t find(std::vector<parameter<T>> const& parameters, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(parameters, name, &parameter<T>::name) - parameters.begin());
  }
  template <class T>
  [[nodiscard]] static std::size_t index_of(std::vector<parameter<T>> const& parameters, std::string const& name) {
    auto const found = find(parameters, name);
    if (found == parameters.size()) fail("there is no parameter ", name, " whose filters could go: name a layer of the model");
    return found;
  }
  /// Calls `visit(parameter, its values, slice)` for every parameter of a layer, where `slice(f)` calls f with the places that are to go.
  template <class T, class Visit>
  static void for_each_removed(std::vector<parameter<T>> const& parameters, outgoing_filters const& each, Visit visit) {
    for (auto const& name : {each.layer + ".weight", each.layer + ".bias", each.norm + ".weight", each.norm + ".bias"}) {
      auto const at = find(parameters, name);
      if (at == parameters.size()) continue;
      auto const values = detail::doubles_of(*parameters[at].value);
      auto const size = values.size() / each.removed.size();
      visit(parameters[at], values, [&](auto f) {
        for (std::size_t k = 0; k < values.size(); ++k)
          if (each.removed[k / size]) f(k);
      });
    }
  }
  template <class T>
  [[nodiscard]] static detail::parted_filters<value_type<T>> parted(parameter<T> const& p, outgoing_filters const& each) {
    auto const filters = each.removed.size();
    if (shape_of(*p.value).at(0) != filters)
      fail(p.name, " has ", shape_of(*p.value).at(0), " filters, but ", filters, " flags say which go: pass one per filter");
    if constexpr (host_tensor<T>) {
      return {tensor_traits<T>::view(std::as_const(*p.value)), each.removed};
    } else {
      auto const values = values_of(*p.value);
      return {values, each.removed};
    }
  }
  /// Adds the value itself at filters that are to go: the gradient of half its square.
  template <class T>
  static void shrink(std::vector<parameter<T>> const& parameters, gradients<T>& g, std::string const& name,
                     outgoing_filters const& each, double factor) {
    auto const at = find(parameters, name);
    if (at == parameters.size() || !g[at]) return;
    auto values = detail::doubles_of(*parameters[at].value);
    for (std::size_t j = 0; j < values.size(); ++j)
      if (!each.removed.at(j)) values[j] = 0;
    detail::add_scaled(g[at], factor, values);
  }
};

}  // namespace lnpt
