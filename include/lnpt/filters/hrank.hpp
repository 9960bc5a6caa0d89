#pragma once
/// Filters whose feature maps carry much. Lin, Ji, Wang et al., CVPR 2020, arXiv:2002.10179.
#include <lnpt/filters/map_ranks.hpp>
#include <lnpt/filters/scored_by.hpp>

namespace lnpt {

/// HRank: the mean rank of a filter's feature maps, for strategies that take whole channels. The sum over a filter's weights is
///
///     S_c = 1/N Σ_n rank(map_c(x_n)),      maps behind batch norm and activation function
///
/// Larger is kept. Reads unlabelled data; maps of 2×2 and smaller say little. Ranks by filters/map_ranks.hpp, with its tolerance.
struct hrank : scored_by<map_ranks> {};

}  // namespace lnpt
