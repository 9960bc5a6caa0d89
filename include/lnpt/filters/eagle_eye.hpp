#pragma once
/// EagleEye: a search for how much of each layer goes, judged by what batch norm makes of each candidate.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/loss/count_right.hpp>
#include <lnpt/structure/groups_by_norm.hpp>
#include <lnpt/structure/recalibrate.hpp>
#include <lnpt/structure/remaining_network.hpp>
#include <lnpt/structure/remove.hpp>

namespace lnpt {

struct eagle_eye_options {
  double removed = 0.5;          ///< of the multiply–adds
  double tolerance = 0.005;      ///< how far a candidate may be from that
  double least = 0, most = 0.7;  ///< of a layer's channels goes a fraction drawn evenly between these
  std::size_t candidates = 50;   ///< that are judged
  std::size_t draws = 100000;    ///< after which no more candidates are sought
  std::uint64_t seed = 0;
  std::function<void(std::size_t judged, std::size_t candidates)> progress = nullptr;  ///< called after each candidate
};

/// What eagle_eye() returns.
template <class Network>
struct eagle_eye_result {
  Network model;      ///< the best candidate, smaller, its batch norms measured again
  kept_indices kept;  ///< of every tensor that became smaller
  mask_set masks;     ///< of the given network: what they clear is what went
  std::size_t images = 0;
  std::vector<std::size_t> agreeing;  ///< of every candidate, on how many images it decides as asked
  std::size_t best = 0;               ///< which one it is
  std::size_t draws = 0;
};

namespace detail {

template <class Network>
class eagle_eye_search {
 public:
  using array = tensor_of<Network>;

  eagle_eye_search(Network& model, std::span<array const> images, eagle_eye_options const& options)
      : model_(model), images_(images), options_(options) {
    if (images.empty()) fail("eagle_eye measures batch norm on images: pass at least one batch");
    if (!(options.removed > 0 && options.removed < 1) || !(options.tolerance > 0) || !(options.least >= 0) ||
        !(options.least <= options.most) || !(options.most <= 1) || options.candidates == 0)
      fail_request("eagle_eye cannot remove ", options.removed, " ± ", options.tolerance,
                   " of the multiply-adds by fractions from ", options.least, " to ", options.most,
                   ": pass fractions in [0, 1], the lower one first, a tolerance above 0, and at least one candidate");
    auto const extents = shape_of(images.front());
    map_ = channel_map_of(model, {extents.begin() + 1, extents.end()});
    groups_ = groups_by_norm(model, map_.set);
  }

  [[nodiscard]] eagle_eye_result<Network> run(std::vector<std::vector<std::int64_t>> const& decisions) {
    std::optional<eagle_eye_result<Network>> best;
    std::vector<std::size_t> agreeing;
    std::size_t draw = 0;
    for (; draw < options_.draws && agreeing.size() < options_.candidates; ++draw) {
      auto const removed = draw_candidate(draw);
      if (removed.empty()) continue;
      auto candidate = without(model_, map_, removed);
      recalibrate(candidate, images_);
      agreeing.push_back(count_as_asked(candidate, decisions));
      if (options_.progress) options_.progress(agreeing.size(), options_.candidates);
      if (best && agreeing.back() <= agreeing[best->best]) continue;
      best.emplace(eagle_eye_result<Network>{
          std::move(candidate), kept_without(map_.set, removed), masks_of(map_.set, removed), 0, {}, agreeing.size() - 1, 0});
    }
    if (!best)
      fail_request("none of ", draw, " draws removes ", options_.removed, " ± ", options_.tolerance,
                   " of the multiply-adds: raise most, the largest fraction of a layer that a shape goes without, from ",
                   options_.most, ", or tolerance");
    for (auto const& each : decisions) best->images += each.size();
    best->agreeing = std::move(agreeing);
    best->draws = draw;
    return std::move(*best);
  }
  [[nodiscard]] std::vector<std::vector<std::int64_t>> own_decisions() {
    std::vector<std::vector<std::int64_t>> decisions;
    for (auto const& batch : images_) decisions.push_back(decided_classes(model_.predict(batch, {norm_mode::eval}).output));
    return decisions;
  }

 private:
  /// Which atoms go; none where the multiply–adds are not those asked for.
  [[nodiscard]] std::vector<char> draw_candidate(std::size_t draw) const {
    remaining_network left(map_.set, counted::flops);
    auto const all = left.cost();
    std::vector<char> removed(map_.set.atoms.size(), 0);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      auto const fraction = options_.least + (options_.most - options_.least) * uniform(options_.seed, draw, g);
      auto const wanted = static_cast<std::size_t>(fraction * static_cast<double>(groups_[g].size()));
      for (std::size_t i = 0; i < std::min(wanted, groups_[g].size() - 1); ++i) {
        left.remove(map_.set.atoms[groups_[g][i]]);
        removed[groups_[g][i]] = 1;
      }
    }
    if (std::abs(1 - left.cost() / all - options_.removed) > options_.tolerance) removed.clear();
    return removed;
  }
  [[nodiscard]] std::size_t count_as_asked(Network& candidate, std::vector<std::vector<std::int64_t>> const& decisions) const {
    std::size_t count = 0;
    for (std::size_t b = 0, first = 0; b < decisions.size(); first += decisions[b++].size())
      count += count_right(candidate.predict(images_[b], {norm_mode::eval}).output, decisions[b], first);
    return count;
  }

  Network& model_;
  std::span<array const> images_;
  eagle_eye_options options_;
  channel_map map_;
  std::vector<std::vector<std::size_t>> groups_;
};

}  // namespace detail

/// The best of several smaller networks of random shapes, without training. Li, Wu, Su, Wang, ECCV 2020, arXiv:2007.02491.
///
/// Each group of coupled channels loses a random fraction, those of the smallest Σ|w| first; a draw is a candidate where the multiply–adds
/// that are left fit. Its batch norms are measured on `images`, and it is judged by how often it decides as `decisions` say, one list per
/// batch: what a teacher said, or labels. Nothing is trained. Costs per candidate one forward pass for the statistics and one to judge.
/// Throws `lnpt::error` where no draw fits, and on a decision that is no class of the network. The given network is not changed.
template <class Backend>
[[nodiscard]] eagle_eye_result<network<Backend>> eagle_eye(network<Backend>& model,
                                                           std::span<typename Backend::array const> images,
                                                           std::vector<std::vector<std::int64_t>> const& decisions,
                                                           eagle_eye_options const& options = {}) {
  detail::eagle_eye_search<network<Backend>> search(model, images, options);
  if (decisions.size() != images.size())
    fail("there are ", images.size(), " batches and decisions for ", decisions.size(), ": pass one list per batch");
  return search.run(decisions);
}

/// As above without labels or another teacher: judged by what the network itself decided before.
template <class Backend>
[[nodiscard]] eagle_eye_result<network<Backend>> eagle_eye(network<Backend>& model,
                                                           std::span<typename Backend::array const> images,
                                                           eagle_eye_options const& options = {}) {
  detail::eagle_eye_search<network<Backend>> search(model, images, options);
  return search.run(search.own_decisions());
}

}  // namespace lnpt
