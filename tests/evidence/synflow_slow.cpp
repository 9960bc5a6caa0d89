/// SynFlow's hundred rounds on deep networks in float, whose R overflows a float by up to a hundred orders of magnitude.
#include <doctest/doctest.h>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

using namespace lnpt;
using backend = cpu::backend<float>;

namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

/// Which channels of each node a path of kept weights reaches from the input.
class reach {
 public:
  reach(network<backend>& model, mask_set const& masks) {
    for (auto const& p : model.parameters()) masks_.push_back(masks.find(p.name));
    channels_.push_back(std::vector<char>(3, 1));
    for (std::size_t i = 1; i < model.nodes().size(); ++i) channels_.push_back(through(model.nodes()[i].rules));
  }
  bool arrives() const { return std::find(channels_.back().begin(), channels_.back().end(), 1) != channels_.back().end(); }

 private:
  std::vector<char> through(network<backend>::layer const& rules) const {
    return std::visit(overloaded{[](nn::input const&) { return std::vector<char>{}; },
                                 [&](nn::linear const& l) { return weighted(channels_[l.input], *masks_[l.weight]); },
                                 [&](nn::add const& join) {
                                   auto both = channels_[join.first];
                                   for (std::size_t c = 0; c < both.size(); ++c) both[c] |= channels_[join.second][c];
                                   return both;
                                 },
                                 [&](nn::concat const& join) {
                                   std::vector<char> all;
                                   for (auto const n : join.images)
                                     all.insert(all.end(), channels_[n].begin(), channels_[n].end());
                                   return all;
                                 },
                                 [&](nn::subsample_pad const& skip) {
                                   std::vector<char> wider(skip.channels);
                                   auto const& from = channels_[skip.input];
                                   std::copy(from.begin(), from.end(), wider.begin() + static_cast<std::ptrdiff_t>(skip.before));
                                   return wider;
                                 },
                                 [&](auto const& other) {
                                   if constexpr (requires { other.geometry; })
                                     return weighted(channels_[other.input], *masks_[other.weight]);
                                   else
                                     return channels_[other.inputs().front()];  // channel by channel, in the networks here
                                 }},
                      rules);
  }

  /// Outputs with a kept weight from a reached input, for weights [O, C, …] without groups.
  static std::vector<char> weighted(std::vector<char> const& from, mask const& kept) {
    std::vector<char> to(kept.extents()[0]);
    auto const kernel = kept.size() / (to.size() * from.size());
    for (std::size_t i = 0; i < kept.size(); ++i)
      if (kept[i] && from[i / kernel % from.size()]) to[i / (kernel * from.size())] = 1;
    return to;
  }

  std::vector<mask const*> masks_;
  std::vector<std::vector<char>> channels_;
};

/// A hundred rounds to 99 %: the exact count, or an error if any round's scores were not finite.
prune_result prune_deep(network<backend>& model) {
  auto result = prune<synflow>(model, shape{3, 32, 32}, {.budget = sparsity{0.99}});
  std::size_t kept = 0, all = 0;
  for (auto const& layer : result.report.layers) kept += layer.kept, all += layer.total;
  CHECK(kept == kept_count(sparsity{0.99}, all));
  CHECK(result.report.unreached.empty());
  return result;
}

}  // namespace

TEST_CASE("VGG-19 keeps every layer at 99 %") {
  auto model = zoo::vgg<backend>({.depth = 19}, 1);
  auto const [masks, report] = prune_deep(model);
  CHECK(report.emptied.empty());
  CHECK(reach(model, masks).arrives());
}

TEST_CASE("a path from input to output survives in ResNet-56 and ResNet-110 at 99 %") {
  for (auto const& [depth, kind] : {std::pair{56, zoo::shortcut::zero_padded}, std::pair{110, zoo::shortcut::convolution}}) {
    CAPTURE(depth);
    auto model = zoo::resnet<backend>({.depth = depth, .widths = {16, 32, 64}, .shortcut = kind}, 1);
    auto const [masks, report] = prune_deep(model);
    CHECK(reach(model, masks).arrives());
    mask_set severed;  // and the search can tell: without the first layer there is none
    for (auto const& m : masks) severed.add(m.name() == "conv1.weight" ? mask(m.name(), m.extents(), false) : m);
    CHECK_FALSE(reach(model, severed).arrives());
  }
}
