#pragma once
/// Filters whose feature maps are unlike others': quantified similarity between feature maps.
#include <lnpt/filters/map_similarities.hpp>
#include <lnpt/filters/scored_by.hpp>

namespace lnpt {

/// QSFM: of the two filters of a layer whose feature maps are most alike one goes, again and again; the sum over a filter's weights is
///
///     S_c = 1 − similarity of the pair from which filter c was dropped
///
/// by SSIM or PSNR (filters/map_similarities.hpp, which says which one of a pair goes: the paper's rule could not be read). Wang, Sun, Xie et
/// al., 2021. Larger is kept. Reads unlabelled data.
template <map_similarity Measure = map_similarity::ssim>
struct qsfm : scored_by<map_similarities<Measure>> {};

}  // namespace lnpt
