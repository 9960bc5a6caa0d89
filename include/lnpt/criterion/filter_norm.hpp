#pragma once
/// Norms of filters. Li, Kadav, Durdanovic, Samet, Graf, ICLR 2017, arXiv:1608.08710 (L1).
#include <lnpt/evidence/filter_norms.hpp>

namespace lnpt {

/// How large a filter is, for strategies that take whole channels: their sum over its weights is
///
///     S_c = Σ |w|,  √Σ w²,  mean |w|  or  √mean w²      over the weights of filter c
///
/// Larger is kept. Reads neither data nor labels. All layers compete with `channel_structured{}`, each layer has its own ranking with
/// `channel_structured{.per_layer = true}`, as published.
template <filter_measure Measure = filter_measure::l1>
struct filter_norm {
  using evidence = evidence_list<filter_norms<Measure>>;
  static constexpr bool scores_filters = true;
  constexpr auto operator()(auto const& norms) const { return 1.0 * norms; }
};

}  // namespace lnpt
