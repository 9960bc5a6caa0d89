#pragma once
/// How many independent rows a feature map has.
#include <Eigen/QR>
#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/filters/feature_maps.hpp>

namespace lnpt {

/// The rank of a matrix [rows, columns], row-major, by Householder QR with column pivoting in double: how many diagonal entries of R exceed
/// max(rows, columns) · ε of the largest, ε the rounding of the map's own precision, as PyTorch's matrix_rank has it for singular values.
template <class T>
[[nodiscard]] std::size_t map_rank(T const* map, std::size_t rows, std::size_t columns) {
  using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  auto const at = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  Eigen::MatrixXd const values = Eigen::Map<matrix const>(map, at(rows), at(columns)).template cast<double>();
  Eigen::ColPivHouseholderQR<Eigen::MatrixXd> decomposition(values);
  decomposition.setThreshold(static_cast<double>(std::max(rows, columns)) * double{std::numeric_limits<T>::epsilon()});
  return static_cast<std::size_t>(decomposition.rank());
}

/// The mean rank of a filter's feature maps over all samples, shared out among the filter's weights. Of convolutions, and of those that
/// share a weight the mean; other layers are not reached. One decomposition per map, in parallel.
struct map_ranks {
  static constexpr evidence_needs needs{.data = true, .gradients = true};

  template <class Problem>
    requires shows_maps<std::remove_cvref_t<decltype(std::declval<Problem const&>().model())>>
  [[nodiscard]] static gradients<typename Problem::tensor_type> of_part(Problem const& problem, typename Problem::part const&,
                                                                        typename Problem::trace_type& trace) {
    return detail::worth_by_maps(problem.model(), trace, [&](auto const& maps, shape const& extents) {
      auto const channels = extents[0];
      auto const samples = extents[1];
      auto const area = extents[2] * extents[3];
      std::vector<double> ranks(channels);
      cpu::for_each_task(channels, [&](std::size_t c) {
        std::size_t total = 0;
        for (std::size_t n = 0; n < samples; ++n)
          total += map_rank(maps.data() + (c * samples + n) * area, extents[2], extents[3]);
        ranks[c] = static_cast<double>(total) / static_cast<double>(problem.samples());
      });
      return ranks;
    });
  }
};

}  // namespace lnpt
