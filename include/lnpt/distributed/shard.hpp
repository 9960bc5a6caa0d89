#pragma once
/// The batches that one of several processes holds.
#include <cstddef>
#include <ranges>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/communicator.hpp>
#include <lnpt/distributed/same_model.hpp>
#include <lnpt/distributed/together.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt {

/// This rank's part of the scoring batches, which `score` and `prune` take in the place of batches:
///
///     auto [masks, report] = prune<snip>(model, shard(batches, ranks), {.budget = sparsity{0.95}});
///
/// Every rank calls with the same network and options, and with batches of its own, at least one sample. The scoring batch is that of all
/// ranks, in their order, and scores, masks and report are the same on all of them: masks are rank 0's by construction. What one rank
/// refuses every rank throws, naming it. `batches` and `ranks` are to outlive the shard. Cost beside the scoring itself: each piece of
/// evidence once over the wire, as one number per prunable weight.
template <batch_like Batch, communicator R>
class shard {
 public:
  template <class Batches>
  shard(Batches const& batches, R& ranks) : parts_(detail::parts_of(batches)), ranks_(&ranks) {}

  [[nodiscard]] auto begin() const { return parts_.begin(); }
  [[nodiscard]] auto end() const { return parts_.end(); }
  [[nodiscard]] R& ranks() const { return *ranks_; }

  /// Calls `work(shard)` on all ranks, with a shard of the same batches: what one rank throws in there, every rank throws. The ranks
  /// must hold the same network.
  template <prunable Model, class Work>
  auto together(Model& model, Work work) const {
    return lnpt::together(*ranks_, [&](agreeing<R>& agreed) {
      require_same_model(agreed, model);
      return work(shard<Batch, agreeing<R>>(parts_, agreed));
    });
  }

  /// Gives every rank the masks of rank 0: what they rank are the same numbers, but processors of two kinds may round criteria apart.
  void unify(mask_set& masks) const {
    std::vector<mask::word> words;
    for (auto const& m : masks) words.insert(words.end(), m.words().begin(), m.words().end());
    ranks_->broadcast(std::as_writable_bytes(std::span(words)), 0);
    auto next = words.cbegin();
    for (auto& m : masks)
      for (auto& word : m.words()) word = *next++;
  }

 private:
  std::span<Batch const> parts_;
  R* ranks_;
};
template <class Batches, class R>
shard(Batches const&, R&) -> shard<std::ranges::range_value_t<decltype(detail::parts_of(std::declval<Batches const&>()))>, R>;

namespace detail {
template <class Batch, class R>
inline constexpr bool is_shard<shard<Batch, R>> = true;
template <class Batch, class R>
inline constexpr bool is_shard<shard<Batch, agreeing<R>>> = false;
}  // namespace detail

}  // namespace lnpt
