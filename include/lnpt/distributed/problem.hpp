#pragma once
/// What several processes score together, each with parts of its own.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/distributed/shard.hpp>
#include <lnpt/evidence/problem.hpp>

namespace lnpt {

/// A scoring problem whose parts are those of all ranks, in their order; this rank works on its own, and completes sums:
///
///     g = Σ_r g_r,   H g = (Σ_r H_r)(Σ_r g_r),   c = Σ_r c_r,     each r's share its samples over those of all ranks
///
/// Samples are counted over all ranks, so that probes are those of one machine, and constants of batch norm are taken over all of them.
template <differentiable Model, class Loss, communicator R>
class distributed_problem : public scoring_problem<Model, Loss> {
  using base = scoring_problem<Model, Loss>;

 public:
  using tensor_type = typename base::tensor_type;

  template <class Batch, class Guide>
  distributed_problem(Model& model, shard<Batch, R> const& mine, Guide const& guide, Loss const& loss, normalization norm,
                      score_options const& options)
      : base(typename base::not_frozen{}, model, detail::parts_of(mine), guide, loss, std::move(norm), options),
        ranks_(&mine.ranks()) {
    std::vector<std::uint64_t> samples(ranks_->size());
    samples[ranks_->rank()] = base::samples();
    ranks_->sum(std::span(samples));
    std::size_t before = 0;
    std::size_t all = 0;
    for (std::size_t r = 0; r < samples.size(); ++r) {
      if (r == ranks_->rank()) before = all;
      all += static_cast<std::size_t>(samples[r]);
    }
    base::place_among(before, all);
    if (base::takes_constants())
      base::freeze(std::function<void(std::span<double>)>([this](std::span<double> numbers) { ranks_->sum(numbers); }));
  }

  [[nodiscard]] bool is_in_one_part() const { return ranks_->size() == 1 && base::is_in_one_part(); }

  void complete(double& sum) const {
    if (ranks_->size() > 1) ranks_->sum(std::span(&sum, 1));
  }
  /// Adds up evidence in one exchange, whatever is not reached anywhere left out. Refuses numbers that are not finite where they arise.
  void complete(gradients<tensor_type>& evidence) const {
    if (ranks_->size() == 1) return;
    using number = value_type<tensor_type>;
    std::vector<number> numbers;
    auto const reached = reached_anywhere(evidence);
    for_each_reached(reached, [&](std::size_t i, auto const& p) {
      if (evidence[i]) {
        auto const mine = finite_values(p.name, *evidence[i]);
        numbers.insert(numbers.end(), mine.begin(), mine.end());
      } else {
        numbers.resize(numbers.size() + size_of(*p.value));
      }
    });
    ranks_->sum(std::span(numbers));
    std::span<number const> rest(numbers);
    for_each_reached(reached, [&](std::size_t i, auto const& p) {
      evidence[i] = make_tensor<tensor_type>(shape_of(*p.value), rest.first(size_of(*p.value)), *p.value);
      rest = rest.subspan(size_of(*p.value));
    });
  }

 private:
  /// Which parameters a loss reaches on any rank: a rank whose samples do not lead to one adds zeros.
  [[nodiscard]] std::vector<std::uint64_t> reached_anywhere(gradients<tensor_type>& evidence) const {
    auto const count = static_cast<std::size_t>(std::ranges::distance(base::model().parameters()));
    evidence.resize(count);
    std::vector<std::uint64_t> reached;
    for (auto const& each : evidence) reached.push_back(each ? 1 : 0);
    ranks_->sum(std::span(reached));
    return reached;
  }
  template <class Visit>
  void for_each_reached(std::vector<std::uint64_t> const& reached, Visit visit) const {
    for (std::size_t i = 0; auto const& p : base::model().parameters()) {
      if (reached[i] != 0) visit(i, p);
      ++i;
    }
  }
  [[nodiscard]] static auto finite_values(std::string const& name, tensor_type const& evidence) {
    auto values = values_of(evidence);
    std::size_t bad = 0;
    for (auto const v : values) bad += !std::isfinite(v);
    if (bad > 0)
      fail("the evidence of ", name, " is NaN or infinite in ", bad, " of ", values.size(),
           " weights: score finite weights and inputs, or in double");
    return values;
  }

  R* ranks_;
};

namespace detail {

template <class Batch, class R>
struct problem_on<shard<Batch, R>> {
  template <class Model, class Guide, class Loss>
  [[nodiscard]] static auto pose(Model& model, shard<Batch, R> const& mine, Guide const& guide, Loss const& loss,
                                 normalization const& norm, score_options const& options) {
    return distributed_problem<Model, Loss, R>(model, mine, guide, loss, norm, options);
  }
};

}  // namespace detail

}  // namespace lnpt
