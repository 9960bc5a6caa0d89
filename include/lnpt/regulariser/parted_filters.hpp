#pragma once
/// The filters of one layer, those that are to go apart from those that stay.
#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <lnpt/backend/cpu/parallel.hpp>

namespace lnpt::detail {

/// Filters W [N, M], row-major, of which some are to go, and the products of every one of those with all filters:
///
///     C = Σ_ij (1 − m_i m_j) G_ij²,      G = W Wᵀ, m_j = 0 where filter j is to go, else 1
///
/// Takes R·N·M multiply–adds for R filters that go, and the slope R·(2N − R)·M more, in parallel and with the same bits for any number of
/// threads.
template <class Scalar>
class parted_filters {
 public:
  parted_filters(std::span<Scalar const> weights, std::vector<char> const& removed)
      : order_(order_of(removed)),
        gone_(index(static_cast<std::size_t>(std::ranges::count_if(removed, [](char r) { return r != 0; })))),
        filters_(index(removed.size()), index(weights.size() / removed.size())) {
    auto const width = weights.size() / removed.size();
    for (std::size_t k = 0; k < order_.size(); ++k)
      std::ranges::copy(weights.subspan(order_[k] * width, width), filters_.row(index(k)).data());
    products_.resize(gone_, filters_.rows());
    for_blocks(filters_.rows(), [&](Eigen::Index begin, Eigen::Index size) {
      products_.middleCols(begin, size).noalias() = filters_.topRows(gone_) * filters_.middleRows(begin, size).transpose();
    });
  }

  /// C: products with a filter that stays count twice.
  [[nodiscard]] double squares() const {
    auto const within = products_.leftCols(gone_).template cast<double>().squaredNorm();
    return within + 2 * products_.rightCols(filters_.rows() - gone_).template cast<double>().squaredNorm();
  }
  /// scale · ∂C/∂W, where ∂C/∂W = 4 ((1 − m mᵀ) ⊙ G) W, and own · W at those that go; in the order of the filters that were given.
  [[nodiscard]] std::vector<Scalar> slope(double scale, double own) const {
    auto const stay = filters_.rows() - gone_;
    auto const width = static_cast<std::size_t>(filters_.cols());
    matrix const products = static_cast<Scalar>(4 * scale) * products_;
    std::vector<Scalar> result(order_.size() * width);
    for_blocks(filters_.cols(), [&](Eigen::Index begin, Eigen::Index size) {
      matrix const block = filters_.middleCols(begin, size);
      matrix found(block.rows(), size);
      found.topRows(gone_) = static_cast<Scalar>(own) * block.topRows(gone_);
      found.topRows(gone_).noalias() += products * block;
      found.bottomRows(stay).noalias() = products.rightCols(stay).transpose() * block.topRows(gone_);
      for (std::size_t k = 0; k < order_.size(); ++k)
        std::copy_n(found.row(index(k)).data(), size, result.data() + order_[k] * width + static_cast<std::size_t>(begin));
    });
    return result;
  }

 private:
  using matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  [[nodiscard]] static Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }
  /// Those that go first, then those that stay.
  [[nodiscard]] static std::vector<std::size_t> order_of(std::vector<char> const& removed) {
    std::vector<std::size_t> order;
    for (auto const goes : {true, false})
      for (std::size_t j = 0; j < removed.size(); ++j)
        if ((removed[j] != 0) == goes) order.push_back(j);
    return order;
  }
  template <class F>
  static void for_blocks(Eigen::Index n, F f) {
    constexpr std::size_t block = 128;
    cpu::for_chunks(static_cast<std::size_t>(n), block,
                    [&](std::size_t begin, std::size_t end) { f(index(begin), index(end - begin)); });
  }

  std::vector<std::size_t> order_;  ///< which filter each row is
  Eigen::Index gone_;
  matrix filters_;   ///< those that go first
  matrix products_;  ///< of those that go with all
};

}  // namespace lnpt::detail
