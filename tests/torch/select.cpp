// Scores that are LibTorch tensors are ranked where they are, to the bits of the host's selection.
#include "doctest.hpp"

#include <limits>
#include <tuple>

#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/mask/global_unstructured.hpp>
#include <lnpt/mask/layerwise_unstructured.hpp>
#include <lnpt/torch/tensor.hpp>

using namespace lnpt;

TEST_CASE_TEMPLATE("selection on the device keeps the same bits as on the host", T, float, double) {
  at::manual_seed(11);
  std::vector<at::Tensor> scores;
  auto const type = torch_tensor<T>::scalar_type;
  for (std::int64_t const size : {1, 63, 64, 65, 1000, 5000}) {
    auto& values = scores.emplace_back(at::randn({size}, type));
    if (size == 1000) values = values.mul(4).round().mul(0.25);           // many ties, −0 among them
    if (size == 5000) values = values.mul(1e-30).to(type).mul(T(1e-12));  // denormals in float
  }
  using words = std::vector<std::vector<mask::word>>;
  auto const select = [&](auto how, std::size_t n, keep_end end, words const* among) {
    words kept;
    std::vector<lnpt::detail::device_part> parts;
    for (auto const& each : scores) kept.emplace_back((static_cast<std::size_t>(each.numel()) + 63) / 64);
    for (std::size_t p = 0; p < scores.size(); ++p) {
      parts.push_back({scores[p], kept[p]});
      if (among) parts.back().among = (*among)[p];
    }
    auto outcome = how(parts, n, end);
    return std::tuple(std::move(kept), std::move(outcome.tied), std::move(outcome.non_finite));
  };
  auto const on_device = &lnpt::detail::keep_largest_on_device<T>;
  auto const on_host = &lnpt::detail::keep_largest_on_host<T>;
  for (auto const end : {keep_end::highest, keep_end::lowest}) {
    for (std::size_t const n : {0, 1, 64, 500, 1193, 3000, 6193})
      CHECK(select(on_device, n, end, nullptr) == select(on_host, n, end, nullptr));
    auto const survivors = std::get<0>(select(on_host, 3000, end, nullptr));
    for (std::size_t const n : {0, 700, 1200, 3000})
      CHECK(select(on_device, n, end, &survivors) == select(on_host, n, end, &survivors));
    for (auto const& how : {on_device, on_host})
      CHECK_THROWS_WITH_AS((void)select(how, 3001, end, &survivors),
                           "cannot keep 3001 of 3000 ranked scores: ask for at most 3000", lnpt::error);
  }
  scores[2] = at::full({64}, std::numeric_limits<T>::infinity(), type);
  for (auto const& how : {on_device, on_host})
    CHECK(std::get<2>(select(how, 5, keep_end::highest, nullptr)) == std::vector<std::size_t>{0, 0, 64, 0, 0, 0});
}

TEST_CASE("every unit that knows the tensor ranks alike, strategies of a user's own and minima too") {
  static_assert(ranks_in_place<torch_tensor<float>> && ranks_in_place<torch_tensor<double>>);
  torch_tensor<float> const first(at::randn({30, 4})), second(at::randn({5, 30}));
  std::vector<scored_parameter<float>> const there{{"a", {30, 4}, scores_of(first)}, {"b", {5, 30}, scores_of(second)}};
  auto const a = values_of(first), b = values_of(second);
  std::vector<scored_parameter<float>> const here{{"a", {30, 4}, a}, {"b", {5, 30}, b}};
  selection const wanted{.keep = density{0.2}, .at_least = 20};
  using parameters = std::span<scored_parameter<float> const>;
  CHECK(global_unstructured{}(parameters(there), wanted) == global_unstructured{}(parameters(here), wanted));
  CHECK(layerwise_unstructured{}(parameters(there), wanted) == layerwise_unstructured{}(parameters(here), wanted));
  CHECK(channel_structured{}(parameters(there), {.keep = density{0.5}}) ==
        channel_structured{}(parameters(here), {.keep = density{0.5}}));
}
