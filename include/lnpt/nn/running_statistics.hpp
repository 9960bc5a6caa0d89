#pragma once
/// The running statistics of batch normalisation.
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/autodiff/plain.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/nn/batch_norm.hpp>
#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// Refuses to train a layer whose momentum keeps its running statistics where they are, or takes them past those of every batch.
inline void require_moving(batch_norm const& layer, std::string_view name) {
  if (!(layer.momentum > 0 && layer.momentum <= 1))
    fail("batch norm ", name, " has a momentum of ", layer.momentum,
         ", by which training moves its running statistics nowhere that means anything: give the layer one above 0 and up to 1 "
         "(PyTorch exports momentum=None, its cumulative average, as 0: set 0.1 before the export)");
}

/// Moves the running statistics by each layer's momentum towards those of a train-mode forward pass (unbiased variance), as PyTorch
/// does:
///
///     running ← (1 − momentum) running + momentum · batch's
///
/// `share`: what this process has of the batch.
template <class Backend>
void update_running_statistics(network_body<Backend>& body, std::vector<node_state<autodiff::plain<Backend>>> const& states,
                               double share) {
  for (std::size_t i = 0; i < body.graph.size(); ++i)
    if (auto const* const bn = std::get_if<batch_norm>(&body.graph[i])) require_moving(*bn, body.graph.nodes()[i].name);
  for (std::size_t i = 0; i < body.graph.size(); ++i) {
    auto const* const bn = std::get_if<batch_norm>(&body.graph[i]);
    if (!bn) continue;
    auto const& statistics = states[i].statistics;
    auto const n = static_cast<double>(image_extents(Backend::extents(*states[bn->input].output)).per_channel()) / share;
    auto const unbiased = n > 1 ? n / (n - 1) : 1.0;
    Backend::move_towards(body.buffers[bn->mean].value, statistics[bn->mean_of_batch], 1.0, bn->momentum);
    Backend::move_towards(body.buffers[bn->variance].value, statistics[bn->variance_of_batch], unbiased, bn->momentum);
  }
}

/// Makes the constants that `freeze` took the running statistics. Throws where one is NaN or infinite; then none has changed.
template <class Backend>
void adopt(network_body<Backend>& body, normalization const& frozen) {
  auto const& moments = constants_of<frozen_constants<Backend>>(frozen);
  std::vector<std::pair<std::size_t, typename Backend::array>> adopted;  // by buffer
  for (std::size_t i = 0; i < body.graph.size(); ++i) {
    auto const* const bn = std::get_if<batch_norm>(&body.graph[i]);
    if (!bn) continue;
    adopted.emplace_back(bn->mean, Backend::vector(moments.at(bn->index).mean));
    adopted.emplace_back(bn->variance, Backend::vector(moments.at(bn->index).variance));
    for (auto const& [buffer, values] : std::span(adopted).last(2))
      lnpt::detail::require_finite_values(values_of(values),
                                          "the statistics that batch norm " + body.graph.nodes()[i].name + " would take",
                                          "nothing was changed");
  }
  for (auto& [buffer, values] : adopted) body.buffers[buffer].value = std::move(values);
}

}  // namespace lnpt::nn
