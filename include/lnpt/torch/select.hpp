#pragma once
/// The n best scores of tensors, selected where they are: from a device only histograms and the bits of the masks travel to the host.
#include <ATen/ATen.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/select.hpp>
#include <lnpt/torch/transfer.hpp>

namespace lnpt {

namespace detail {

/// Scores as integers that sort as mask/ranking.hpp's score_order does: −0 equals +0, larger is more worth keeping.
template <std::floating_point Scalar>
struct device_order {
  using key = typename score_order<Scalar>::key;
  static constexpr auto key_type = c10::CppTypeToScalarType<key>::value;
  static constexpr int bits = std::numeric_limits<key>::digits + 1;

  [[nodiscard]] static at::Tensor magnitudes(at::Tensor const& scores) {
    return scores.detach().contiguous().flatten().view(key_type).bitwise_and(std::numeric_limits<key>::max());
  }
  [[nodiscard]] static at::Tensor keys(at::Tensor const& scores, keep_end end) {
    auto const magnitude = magnitudes(scores);
    auto const negative = scores.detach().contiguous().flatten().lt(0);
    auto const flipped = end == keep_end::highest ? negative : negative.logical_not();
    return at::where(flipped, magnitude.neg(), magnitude);
  }
};

/// The n-th largest of some keys.
struct device_threshold {
  std::int64_t key = 0;
  std::int64_t available = 0;  ///< how many of those equal to it are among the n
  std::int64_t equal = 0;      ///< how many are equal to it
};

/// The n-th largest of these keys, found digit by digit. Exact, and the same for any order of counting.
template <class Order>
[[nodiscard]] device_threshold nth_largest(at::Tensor candidates, std::int64_t n) {
  constexpr int digit_bits = 11;
  std::int64_t threshold = 0, equal = 0;
  for (int shift = Order::bits; shift > 0;) {
    auto const next = std::max(0, shift - digit_bits);
    auto const first = shift == Order::bits;
    // The top digit is signed; below it the bits count upwards.
    auto const offset = first ? std::int64_t{1} << (shift - next - 1) : 0;
    auto const digits = candidates.bitwise_right_shift(next).bitwise_and((std::int64_t{1} << (shift - next)) - 1);
    auto const ordered = first ? digits.bitwise_xor(offset) : digits;
    auto const counts = at::bincount(ordered, {}, std::int64_t{1} << (shift - next)).to(at::kCPU);
    auto const* const count = counts.template data_ptr<std::int64_t>();
    auto digit = counts.numel() - 1;
    for (; count[digit] < n; --digit) n -= count[digit];
    equal = count[digit];
    candidates = candidates.masked_select(ordered.eq(digit));
    threshold = first ? digit - offset : (threshold << (shift - next)) | digit;
    shift = next;
  }
  return {threshold, n, equal};
}

/// One part of a ranking of tensors.
struct device_part {
  at::Tensor scores;
  std::span<mask::word> kept;
  std::span<mask::word const> among = {};
};

/// Numbers by part, each a tensor of one integer on the device, in one transfer.
[[nodiscard]] inline std::vector<std::size_t> counts_on_host(std::vector<at::Tensor> const& counts) {
  auto const host = at::stack(counts).to(at::kCPU, at::kLong);
  auto const* const first = host.data_ptr<std::int64_t>();
  return {first, first + host.numel()};
}

/// NaN and infinite scores that take part, by part; empty where there are none.
template <std::floating_point Scalar>
[[nodiscard]] std::vector<std::size_t> non_finite_on_device(std::vector<device_part> const& parts,
                                                            std::vector<at::Tensor> const& left_out) {
  std::vector<at::Tensor> counts;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    auto bad = device_order<Scalar>::magnitudes(parts[p].scores).ge(score_order<Scalar>::infinity);
    if (left_out[p].defined()) bad.masked_fill_(left_out[p], false);
    counts.push_back(bad.sum());
  }
  auto found = counts_on_host(counts);
  if (std::all_of(found.begin(), found.end(), [](auto count) { return count == 0; })) found.clear();
  return found;
}

/// On any device, by histograms of the digits of all scores. Memory: about three times the scores.
template <std::floating_point Scalar>
[[nodiscard]] ranking_outcome keep_largest_on_device(std::vector<device_part> const& parts, std::size_t n, keep_end end) {
  using order = device_order<Scalar>;
  constexpr auto lowest = std::numeric_limits<typename order::key>::min();  // below every score: takes no part
  if (parts.empty()) return {};
  std::vector<at::Tensor> keys, left_out;
  std::size_t ranked = 0;
  for (auto const& part : parts) {
    auto& places = left_out.emplace_back();
    keys.push_back(order::keys(part.scores, end));
    auto const size = keys.back().numel();
    ranked += part.among.empty() ? static_cast<std::size_t>(size) : count_bits(part.among);
    if (part.among.empty()) continue;
    places = pruned_places(part.among, {size}, keys.back());
    keys.back().masked_fill_(places, lowest);
  }
  if (n > ranked) fail("cannot keep ", n, " of ", ranked, " ranked scores: ask for at most ", ranked);
  if (auto found = non_finite_on_device<Scalar>(parts, left_out); !found.empty()) return {.non_finite = std::move(found)};

  auto const all = at::cat(keys);
  auto kept = at::zeros_like(all, all.options().dtype(at::kBool));
  ranking_outcome outcome;
  if (n > 0) {
    auto const threshold = nth_largest<order>(all, static_cast<std::int64_t>(n));
    auto const ties = all.eq(threshold.key);
    kept = all.gt(threshold.key).logical_or_(ties.logical_and(ties.cumsum(0).le(threshold.available)));
    if (threshold.available < threshold.equal) {
      std::vector<at::Tensor> tied;
      for (auto const& each : keys) tied.push_back(each.eq(threshold.key).sum());
      outcome.tied = counts_on_host(tied);
      outcome.tied_kept = static_cast<std::size_t>(threshold.available);
    }
  }
  std::int64_t first = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    write_bits(kept.narrow(0, first, keys[p].numel()), parts[p].kept);
    first += keys[p].numel();
  }
  return outcome;
}

/// In host memory, by the core's own selection, which reads the scores little more than once.
template <std::floating_point Scalar>
[[nodiscard]] ranking_outcome keep_largest_on_host(std::vector<device_part> const& parts, std::size_t n, keep_end end) {
  std::vector<at::Tensor> held;
  std::vector<ranked_scores<Scalar>> host;
  for (auto const& part : parts) {
    auto const& values = held.emplace_back(part.scores.contiguous());
    host.push_back(
        {std::span(values.template data_ptr<Scalar>(), static_cast<std::size_t>(values.numel())), part.kept, part.among});
  }
  return lnpt::keep_largest<Scalar>(host, n, end);
}

/// The n best of all parts, where the scores are: the larger first (the smaller for `keep_end::lowest`), among equal scores (−0 equals
/// +0) the one that comes first by part and index. The same bits on every device.
template <std::floating_point Scalar>
[[nodiscard]] ranking_outcome keep_largest_of(std::vector<device_part> const& parts, std::size_t n, keep_end end) {
  auto const on_host = std::all_of(parts.begin(), parts.end(), [](auto const& each) { return each.scores.is_cpu(); });
  return on_host ? keep_largest_on_host<Scalar>(parts, n, end) : keep_largest_on_device<Scalar>(parts, n, end);
}

}  // namespace detail
}  // namespace lnpt
