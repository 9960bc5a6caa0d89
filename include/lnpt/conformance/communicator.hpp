#pragma once
/// What lnpt relies on in a communicator, as checks that its author runs on every rank.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <lnpt/conformance/examination.hpp>
#include <lnpt/core/communicator.hpp>
#include <lnpt/core/random.hpp>

namespace lnpt::conformance {

namespace detail {

/// Value i of a rank: numbers of very different sizes, so that another order of adding gives other bits.
template <class T>
[[nodiscard]] std::vector<T> uneven_numbers(std::size_t rank, std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<T>(std::ldexp(normal(1, rank, i).first, static_cast<int>((rank + i) % 40)));
  return values;
}

[[nodiscard]] inline std::vector<std::byte> letters(std::size_t rank, std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>((7 * rank + i) % 251);
  return bytes;
}

template <communicator R>
void examine_counts(R& ranks, std::size_t length, findings& found) {
  std::vector<std::uint64_t> counts(length);
  for (std::size_t i = 0; i < length; ++i) counts[i] = (ranks.rank() + 1) * (i + 1);
  ranks.sum(std::span(counts));
  auto const triangle = ranks.size() * (ranks.size() + 1) / 2;
  for (std::size_t i = 0; i < length; ++i)
    if (counts[i] != triangle * (i + 1)) {
      found.add("sum", "entry ", i, " of ", length, " counts is ", counts[i], ", not ", triangle * (i + 1));
      return;
    }
}

/// Sums of numbers are the sums that one process makes, up to rounding, and the same bits on every rank.
template <class T, communicator R>
void examine_sums(R& ranks, std::size_t length, findings& found) {
  auto values = uneven_numbers<T>(ranks.rank(), length);
  ranks.sum(std::span(values));
  std::vector<double> expected(length);
  std::vector<double> sizes(length);
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    auto const theirs = uneven_numbers<T>(r, length);
    for (std::size_t i = 0; i < length; ++i) expected[i] += theirs[i], sizes[i] += std::abs(theirs[i]);
  }
  constexpr double rounding = std::numeric_limits<T>::epsilon();
  for (std::size_t i = 0; i < length; ++i)
    if (!(std::abs(values[i] - expected[i]) <= static_cast<double>(ranks.size()) * rounding * sizes[i])) {
      found.add("sum", "entry ", i, " of ", length, " numbers is ", values[i], ", not ", expected[i]);
      break;
    }
  auto const all = ranks.gather(std::as_bytes(std::span(values)));
  for (std::size_t r = 1; r < all.size(); ++r)
    if (all[r] != all[0]) found.add("sum", "ranks 0 and ", r, " got different bits of one sum of ", length, " numbers");
}

template <communicator R>
void examine_gather(R& ranks, std::size_t length, findings& found) {
  auto const count_of = [&](std::size_t r) { return r % 2 * length; };  // nothing from every other rank
  auto const all = ranks.gather(letters(ranks.rank(), count_of(ranks.rank())));
  if (all.size() != ranks.size()) return found.add("gather", "it returned ", all.size(), " entries for ", ranks.size(), " ranks");
  for (std::size_t r = 0; r < all.size(); ++r)
    if (all[r] != letters(r, count_of(r))) found.add("gather", "the bytes of rank ", r, " are not those it passed");
}

template <communicator R>
void examine_broadcast(R& ranks, std::size_t length, findings& found) {
  for (std::size_t from = 0; from < ranks.size(); ++from) {
    auto bytes = letters(ranks.rank(), length);
    ranks.broadcast(std::span(bytes), from);
    if (bytes != letters(from, length)) found.add("broadcast", "rank ", ranks.rank(), " did not get the bytes of rank ", from);
  }
}

}  // namespace detail

/// Examines a communicator, called on every rank at once, and returns what does not hold: nothing, if it conforms. It sums, gathers and
/// broadcasts lengths from 0 to beyond 16 MiB, at no multiple of anything. Time limits are not examined: stop a rank to see them.
template <communicator R>
[[nodiscard]] findings examine_communicator(R& ranks) {
  findings found;
  if (ranks.rank() >= ranks.size()) found.add("rank", "rank ", ranks.rank(), " of ", ranks.size(), " is none");
  if (ranks.time_limit().count() <= 0) found.add("time_limit", "it leaves no time: ", ranks.time_limit().count(), " ms");
  for (std::size_t const length : {0U, 1U, 5U, 4099U, 2100003U}) {
    detail::examine_counts(ranks, length, found);
    detail::examine_sums<double>(ranks, std::min<std::size_t>(length, 4099), found);
    detail::examine_sums<float>(ranks, std::min<std::size_t>(length, 4099), found);
    detail::examine_gather(ranks, 8 * length, found);
    detail::examine_broadcast(ranks, 8 * length, found);
  }
  return found;
}

}  // namespace lnpt::conformance
