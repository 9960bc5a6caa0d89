#include "layer_times.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <span>

#include <lnpt/mask/apply.hpp>

#include "noise.hpp"

namespace cli {

namespace {

using network = cpu_network<float>;

/// Lowers `least` to the milliseconds that every layer took in one prediction.
void run_once(network const& net, lnpt::cpu::array<float> const& input, std::vector<double>& least) {
  auto before = std::chrono::steady_clock::now();
  net.watch(input, lnpt::normalization{lnpt::norm_mode::eval}, [&](std::size_t node, auto const&) {
    auto const after = std::chrono::steady_clock::now();
    least[node] = std::min(least[node], std::chrono::duration<double, std::milli>(after - before).count());
    before = std::chrono::steady_clock::now();
  });
}

/// One flag per node: whether it multiplies by kept weights alone.
std::vector<char> runs_sparse(network& chosen, lnpt::mask_set const& masks) {
  std::vector<char> held;
  for (auto const& p : chosen.stored_parameters()) {
    auto const* const kept = masks.find(p.name);
    held.push_back(kept && lnpt::shape_of(*p.value) != kept->extents());
  }
  std::vector<char> flags;
  for (auto const& node : chosen.nodes()) {
    auto const parameters = lnpt::nn::parameters_of(node.rules);
    flags.push_back(std::ranges::any_of(parameters, [&](auto p) { return held[p] != 0; }));
  }
  return flags;
}

}  // namespace

std::vector<layer_time> time_layers(network const& net, lnpt::mask_set const& masks, lnpt::shape const& sample,
                                    std::size_t batch) {
  auto dense = net;
  lnpt::apply(masks, dense);
  auto chosen = dense;
  chosen.keep_only(masks);
  auto const input = noise(sample, batch);
  std::vector<double> least(net.nodes().size(), std::numeric_limits<double>::max());
  auto least_chosen = least;
  for (int run = 0; run < timed_runs; ++run) {
    run_once(dense, input, least);
    run_once(chosen, input, least_chosen);
  }
  auto const sparse = runs_sparse(chosen, masks);
  std::vector<layer_time> times;
  for (std::size_t node = 1; node < least.size(); ++node)  // the first is the input
    times.push_back({net.nodes()[node].name, least[node], least_chosen[node], sparse[node] != 0});
  return times;
}

}  // namespace cli
