#pragma once
/// Norms of whole filters.
#include <cmath>
#include <cstddef>
#include <vector>

#include <lnpt/evidence/channel_values.hpp>
#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

/// How large a filter is: Σ|w| and √Σw², and the same with means in the place of sums.
enum class filter_measure { l1, l2, mean_l1, mean_l2 };

/// The measure of the filter that a weight belongs to, shared out among the filter's weights. Of the model alone; O(weights).
template <filter_measure Measure>
struct filter_norms {
  static constexpr evidence_needs needs{};

  template <prunable Model>
  [[nodiscard]] static gradients<tensor_of<Model>> of_model(Model& model, evidence_request const&) {
    gradients<tensor_of<Model>> found;
    for (auto const& p : model.parameters()) {
      found.emplace_back();
      if (!is_prunable(p.role)) continue;
      auto const layout = detail::layout_of(p);
      auto const weights = values_of(*p.value);
      std::vector<double> norms(layout.channels);
      for (std::size_t c = 0; c < layout.channels; ++c) {
        layout.for_each_run(c, [&](std::size_t begin, std::size_t end) {
          for (auto i = begin; i < end; ++i) norms[c] += term(static_cast<double>(weights[i]));
        });
        norms[c] = total(norms[c], static_cast<double>(layout.row()));
      }
      found.back() = detail::shared_out(p, norms);
    }
    return found;
  }

 private:
  static constexpr bool squares = Measure == filter_measure::l2 || Measure == filter_measure::mean_l2;
  static constexpr bool means = Measure == filter_measure::mean_l1 || Measure == filter_measure::mean_l2;

  [[nodiscard]] static double term(double w) { return squares ? w * w : std::abs(w); }
  [[nodiscard]] static double total(double sum, double size) {
    auto const each = means ? sum / size : sum;
    return squares ? std::sqrt(each) : each;
  }
};

}  // namespace lnpt
