#pragma once
/// Sums over channels of which several processes have parts.
#include <algorithm>
#include <concepts>
#include <functional>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>

namespace lnpt::nn {

/// Vectors over channels that lie in host memory, as `values`: sums of several processes can be put there.
template <class Channels>
concept on_host = requires(Channels& c) {
  { c.values } -> std::same_as<std::vector<double>&>;
};

/// Backends whose vectors over channels lie in host memory.
template <class Backend>
concept channels_on_host = on_host<typename Backend::channels>;

/// Makes two vectors over the same channels, and a count, their sums over all processes, in one exchange.
template <class Channels>
void add_up(std::function<void(std::span<double>)> const& sum, Channels& first, Channels& second, double& count) {
  if constexpr (on_host<Channels>) {
    auto all = first.values;
    all.insert(all.end(), second.values.begin(), second.values.end());
    all.push_back(count);
    sum(all);
    count = all.back();
    auto const half = all.begin() + static_cast<std::ptrdiff_t>(first.values.size());
    std::copy(all.begin(), half, first.values.begin());
    std::copy(half, all.end() - 1, second.values.begin());
  } else {
    fail(
        "statistics of a batch that several processes share have first derivatives alone, in host memory: score with batch norm "
        "in frozen or eval mode");
  }
}

}  // namespace lnpt::nn
