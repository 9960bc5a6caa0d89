#pragma once
/// The n best scores of tensors, selected where they are: from a device only histograms and the bits of the masks travel to the host.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/strategy.hpp>
#include <lnpt/score.hpp>
#include <lnpt/torch/tensor.hpp>

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

/// The n-th largest of these keys, found digit by digit, and how many of those equal to it are among the n. Exact, and the same for
/// any order of counting.
template <class Order>
[[nodiscard]] std::pair<std::int64_t, std::int64_t> nth_largest(at::Tensor candidates, std::int64_t n) {
  constexpr int digit_bits = 11;
  std::int64_t threshold = 0;
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
    candidates = candidates.masked_select(ordered.eq(digit));
    threshold = first ? digit - offset : (threshold << (shift - next)) | digit;
    shift = next;
  }
  return {threshold, n};
}

/// Throws where scores are NaN or infinite, with the counts by parameter.
template <std::floating_point Scalar>
void require_finite_scores(std::span<scored<torch_tensor<Scalar>> const> scores) {
  std::vector<at::Tensor> counts;
  for (auto const& each : scores)
    counts.push_back(device_order<Scalar>::magnitudes(each.values.get()).ge(score_order<Scalar>::infinity).sum());
  auto const host = at::stack(counts).to(at::kCPU);
  std::string found;
  for (std::size_t p = 0; p < scores.size(); ++p)
    if (auto const count = host.template data_ptr<std::int64_t>()[p]; count != 0)
      found += (found.empty() ? "" : ", ") + std::to_string(count) + " of " + std::to_string(size_of(scores[p].values)) + " in " +
               scores[p].name;
  if (!found.empty())
    fail("scores are NaN or infinite (", found, "), so nothing was masked: score finite weights and inputs, or in double");
}

/// A bool tensor as the words of a mask, packed on its device.
inline void write_bits(at::Tensor const& kept, std::span<mask::word> words) {
  auto const padded = at::zeros({static_cast<std::int64_t>(words.size_bytes()) * 8}, kept.options().dtype(at::kByte));
  padded.narrow(0, 0, kept.numel()).copy_(kept);
  auto const bytes = padded.view({-1, 8}).mul(bits_of_byte(kept)).sum(1, /*keepdim=*/false, at::kByte).to(at::kCPU).contiguous();
  std::memcpy(words.data(), bytes.data_ptr(), words.size_bytes());
}

/// On any device, by histograms of the digits of all scores. Memory: about three times the scores.
template <std::floating_point Scalar>
[[nodiscard]] mask_set keep_largest_on_device(std::span<scored<torch_tensor<Scalar>> const> scores, std::size_t n,
                                              keep_end end = keep_end::highest, mask_set const* survivors = nullptr) {
  using order = device_order<Scalar>;
  constexpr auto lowest = std::numeric_limits<typename order::key>::min();  // below every score: takes no part
  mask_set masks;
  if (scores.empty()) return masks;
  require_finite_scores(scores);

  std::vector<at::Tensor> parts;
  std::size_t ranked = 0;
  for (auto const& each : scores) {
    auto keys = order::keys(each.values.get(), end);
    auto const* const among = survivors ? survivors->find(each.name) : nullptr;
    if (among) keys.masked_fill_(pruned_places(*among, keys).flatten(), lowest);
    ranked += among ? among->count() : size_of(each.values);
    parts.push_back(std::move(keys));
  }
  if (n > ranked)
    fail("cannot keep ", n, " weights: ", ranked, " survived the earlier rounds; ask for a density that does not rise");

  auto const all = at::cat(parts);
  auto kept = at::zeros_like(all, all.options().dtype(at::kBool));
  if (n > 0) {
    auto const [threshold, available] = nth_largest<order>(all, static_cast<std::int64_t>(n));
    auto const ties = all.eq(threshold);
    kept = all.gt(threshold).logical_or_(ties.logical_and(ties.cumsum(0).le(available)));
  }
  std::int64_t first = 0;
  for (auto const& each : scores) {
    mask written(each.name, shape_of(each.values), false);
    write_bits(kept.narrow(0, first, each.values.get().numel()), written.words());
    masks.add(std::move(written));
    first += each.values.get().numel();
  }
  return masks;
}

/// In host memory, by the core's own selection, which reads the scores little more than once.
template <std::floating_point Scalar>
[[nodiscard]] mask_set keep_largest_on_host(std::span<scored<torch_tensor<Scalar>> const> scores, std::size_t n, keep_end end,
                                            mask_set const* survivors) {
  std::vector<at::Tensor> held;
  std::vector<scored_parameter<Scalar>> parameters;
  for (auto const& each : scores) {
    auto const& values = held.emplace_back(each.values.get().detach().contiguous());
    parameters.push_back({each.name, shape_of(each.values), std::span(values.template data_ptr<Scalar>(), size_of(each.values)),
                          each.role, each.output_axis});
  }
  mask_set masks;
  auto const ranking =
      weight_ranking<Scalar>(parameters, selection{.keep = density{1.0}, .survivors = survivors, .end = end}, masks);
  keep_ranked(ranking, n, std::vector<std::size_t>(parameters.size()), end);
  return masks;
}

}  // namespace detail

/// Masks that keep the n best of all scores, where the scores are: the larger first (the smaller for `rank::lowest`), among equal
/// scores (−0 equals +0) the one that comes first by parameter and index. The same bits on every device.
///
/// `survivors`: only these are ranked and may stay. Throws on NaN and infinite scores.
template <std::floating_point Scalar>
[[nodiscard]] mask_set keep_largest(std::span<scored<torch_tensor<Scalar>> const> scores, std::size_t n,
                                    keep_end end = keep_end::highest, mask_set const* survivors = nullptr) {
  auto const on_host = std::all_of(scores.begin(), scores.end(), [](auto const& each) { return each.values.get().is_cpu(); });
  return on_host ? detail::keep_largest_on_host(scores, n, end, survivors)
                 : detail::keep_largest_on_device(scores, n, end, survivors);
}

}  // namespace lnpt
