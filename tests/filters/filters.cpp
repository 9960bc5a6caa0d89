/// Criteria and searches of whole filters that look at feature maps: sums that can be done in the head, then what must hold of any.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/criterion/bn_scale.hpp>
#include <lnpt/criterion/filter_norm.hpp>
#include <lnpt/filters/eagle_eye.hpp>
#include <lnpt/filters/hrank.hpp>
#include <lnpt/filters/nisp.hpp>
#include <lnpt/filters/qsfm.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/mask/n_of_m.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/coupled_channels.hpp>
#include <lnpt/structure/shrink.hpp>

using namespace lnpt;

namespace {

using backend = cpu::backend<double>;
using array = cpu::array<double>;
using net = network<backend>;

array of(shape const& extents, std::vector<double> const& values) { return tensor_traits<array>::make(extents, values); }

/// One 3×3 image into filters of 1×1 that scale it, ReLU, the mean, a classifier.
net scaling(std::vector<double> const& factors) {
  network_builder<backend> build(1);
  auto const maps = build.relu(build.conv2d("conv", build.input(), factors.size(), {.kernel = 1, .padding = 0}));
  build.classifier("fc", build.global_average_pool(maps), 2);
  auto model = std::move(build).build();
  *model.parameters()[0].value = of({factors.size(), 1, 1, 1}, factors);
  return model;
}

/// A small network of convolutions, batch norms and a shortcut.
net small_resnet() {
  network_builder<backend> build(3, 5);
  auto const first = build.batch_norm("bn1", build.conv2d("conv1", build.input(), 8), true);
  auto const inner = build.batch_norm("bn2", build.conv2d("conv2", first, 12), true);
  auto const joined = build.join(build.batch_norm("bn3", build.conv2d("conv3", inner, 8)), first, true);
  build.classifier("fc", build.global_average_pool(joined), 4);
  return std::move(build).build();
}

array images(std::size_t samples, std::size_t channels, std::size_t side) {
  shape const extents{samples, channels, side, side};
  std::vector<double> values(element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = normal(3, i).first;
  return of(extents, values);
}

/// The sum of the scores of each filter of parameter `i`.
std::vector<double> by_filter(score_set<array> const& scores, std::size_t i) {
  auto const values = values_of(scores.parameters[i].values);
  auto const filters = shape_of(scores.parameters[i].values)[0];
  std::vector<double> sums(filters);
  for (std::size_t k = 0; k < values.size(); ++k) sums[k / (values.size() / filters)] += values[k];
  return sums;
}

}  // namespace

TEST_CASE("by hand: ranks of maps") {
  std::vector<double> const identity{1, 0, 0, 0, 1, 0, 0, 0, 1}, line{1, 2, 3, 2, 4, 6, 0, 0, 0}, none(9, 0);
  CHECK(map_rank(identity.data(), 3, 3) == 3);
  CHECK(map_rank(line.data(), 3, 3) == 1);
  CHECK(map_rank(none.data(), 3, 3) == 0);
  std::vector<float> const rounded{1.0F / 3, 2.0F / 3, 1.0F / 7, 2.0F / 7 + 1e-8F};
  CHECK(map_rank(rounded.data(), 2, 2) == 1);  // what a float rounds is no rank
}

TEST_CASE("hrank by hand: a filter that keeps an image of rank 3 and one that turns it negative, over two images") {
  auto model = scaling({2, -1});
  unlabelled_batch<array> const batch{of({2, 1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 2, 4, 6, 0, 0, 0})};
  auto const scores = score<hrank>(model, batch);
  CHECK(by_filter(scores, 0) == std::vector<double>{2, 0});  // (3 + 1) / 2, and nothing left of the other
  CHECK(scores.unreached == std::vector<std::string>{"fc.weight"});
}

TEST_CASE("nisp by hand: two linear layers, features of variance 1 and 4") {
  network_builder<backend> build(1);
  build.classifier("fc", build.linear("second", build.linear("first", build.input(), 2), 2), 2);
  auto model = std::move(build).build();
  *model.parameters()[0].value = of({2, 1}, {1, 1});
  *model.parameters()[2].value = of({2, 2}, {1, 0, -1, 3});
  // Inputs 0 and 2: features x (1) and −x + 3x = 2x, of variance 1 and 4.
  auto const scores = score<nisp>(model, unlabelled_batch<array>{of({2, 1}, {0, 2})});
  CHECK(by_filter(scores, 1) == std::vector<double>{1, 4});
  CHECK(by_filter(scores, 0) == std::vector<double>{1 + 4, 3 * 4});
  // Where nothing varies, what rounding leaves of a mean is no variance.
  auto const alike = unlabelled_batch<array>{of({3, 1}, {0.1, 0.1, 0.1})};
  CHECK_THROWS_WITH_AS((void)score<nisp>(model, alike), doctest::Contains("all scores are 0"), error);
}

namespace {

/// Scores by `nisp` of linear layers that pass (x, x) on as it is, by weights (10000, −9999): each multiplies importance by 20000.
template <class T>
score_set<cpu::array<T>> of_a_chain(std::size_t layers) {
  network_builder<cpu::backend<T>> build(1);
  auto last = build.input();
  for (std::size_t i = 0; i < layers; ++i) last = build.linear("layer" + std::to_string(i), last, 2);
  build.classifier("fc", last, 2);
  auto model = std::move(build).build();
  auto const numbers = [](std::vector<T> const& values) { return make_tensor<cpu::array<T>>({2, 2}, values, {}); };
  for (std::size_t i = 0; i < layers; ++i) *model.parameters()[2 * i].value = numbers({10000, -9999, 10000, -9999});
  return score<nisp>(model, unlabelled_batch<cpu::array<T>>{numbers({0, 0, 2, 2})});
}

}  // namespace

TEST_CASE("nisp in float ranks as in double where importance outgrows a float, and refuses layers too far apart") {
  auto const in_float = of_a_chain<float>(12);
  auto const in_double = of_a_chain<double>(12);  // in the first layer 2e47 times the last one's
  auto const unit =
      static_cast<double>(values_of(in_float.parameters[11].values)[0]) / values_of(in_double.parameters[11].values)[0];
  for (std::size_t i = 0; i < 12; ++i) {
    auto const found = values_of(in_float.parameters[i].values);
    auto const expected = values_of(in_double.parameters[i].values);
    for (std::size_t k = 0; k < found.size(); ++k)
      CHECK(static_cast<double>(found[k]) / (unit * expected[k]) == doctest::Approx(1).epsilon(1e-6));
  }
  CHECK_THROWS_WITH_AS((void)of_a_chain<float>(40), doctest::Contains("for float: score in double"), error);
  CHECK_NOTHROW((void)of_a_chain<double>(40));
}

TEST_CASE("qsfm by hand: of two equal maps one goes first, the one that is unlike both is worth most") {
  auto model = scaling({1, 1, -1});
  auto const batch = unlabelled_batch<array>{images(4, 1, 6)};
  for (auto const& worth :
       {by_filter(score<qsfm<>>(model, batch), 0), by_filter(score<qsfm<map_similarity::psnr>>(model, batch), 0)}) {
    CHECK(worth[1] == doctest::Approx(0));
    CHECK(worth[0] > 0.01);
    CHECK(worth[2] == doctest::Approx(worth[0]));
  }
  // Maps (0, 1) and (1, 0), range 1: MSE 1, and SSIM with means ½, variances ¼ and covariance −¼.
  std::vector<double> const maps{0, 1, 1, 0};
  CHECK(map_differences(maps, {2, 1, 1, 2}, map_similarity::psnr)(0, 1) == doctest::Approx(1));
  auto const ssim = (0.5 + 1e-4) * (-0.5 + 9e-4) / ((0.5 + 1e-4) * (0.5 + 9e-4));
  CHECK(map_differences(maps, {2, 1, 1, 2}, map_similarity::ssim)(0, 1) == doctest::Approx(1 - ssim));
}

TEST_CASE("a filter that two layers share is worth what both make of it: ranks 3 and 1 have the mean 2, importances add up") {
  network_builder<backend> build(1);
  auto const first = build.relu(build.conv2d("conv", build.input(), 1, {.kernel = 1, .padding = 0}));
  auto const line = build.slice(first, {{0, 1}, {0, 1}, {0, 3}});  // one row of the map
  auto const twice = build.add("conv", nn::conv2d<cpu::conv_geometry>{line, 0, std::nullopt, {.kernel = 1}}, 1);
  build.classifier("fc", build.global_average_pool(build.relu(twice)), 2);
  auto model = std::move(build).build();
  *model.parameters()[0].value = of({1, 1, 1, 1}, {2});
  unlabelled_batch<array> const batch{of({2, 1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 1})};
  CHECK(by_filter(score<hrank>(model, batch), 0) == std::vector<double>{2});
  // Features (4 · 1/3, 4 · 4/3) of variance 4: worth 4 behind the second layer and 2 · 4 behind the first.
  CHECK(by_filter(score<nisp>(model, batch), 0)[0] == doctest::Approx(12));
  // In two batches of one sample no feature varies within a batch.
  std::vector<unlabelled_batch<array>> const apart{{rows(batch.input, 0, 1)}, {rows(batch.input, 1, 2)}};
  CHECK_THROWS_WITH_AS((void)score<nisp>(model, apart), doctest::Contains("all scores are 0"), error);
}

TEST_CASE("they score every convolution before the features, repeat to the bit and prune whole channels") {
  auto model = small_resnet();
  auto const batch = unlabelled_batch<array>{images(5, 3, 8)};
  auto const check = [&]<class Criterion>(Criterion) {
    auto const scores = score<Criterion>(model, batch);
    CHECK(scores.parameters.size() == 3);
    auto const again = score<Criterion>(model, batch);
    for (std::size_t i = 0; i < 3; ++i) CHECK(values_of(scores.parameters[i].values) == values_of(again.parameters[i].values));
    auto const pruned = prune<Criterion, channel_structured>(model, batch, {.budget = channels{0.5}});
    CHECK(pruned.report.sparsity_scored > 0.3);  // half of the filters, of layers of unlike size
    CHECK(pruned.report.sparsity_scored < 0.7);
  };
  check(hrank{});
  check(nisp{});
  check(qsfm<>{});
}

TEST_CASE("a filter is worth the same however few of its weights are left: (9, 0, …) has the norm 9, (.3, .3, …) 2.7") {
  network_builder<backend> build(1);
  build.classifier("fc", build.global_average_pool(build.conv2d("conv", build.input(), 2)), 2);
  auto model = std::move(build).build();
  std::vector<double> weights(18, 0.3);
  weights[0] = 9;
  *model.parameters()[0].value = of({2, 1, 3, 3}, weights);
  mask left("conv.weight", {2, 1, 3, 3}, true);
  for (std::size_t i = 1; i < 9; ++i) left.set(i, false);
  mask_set start;
  start.add(left);
  auto const [masks, report] = prune<filter_norm<>, channel_structured>(model, {.budget = channels{0.5}, .start = start});
  CHECK((*masks.find("conv.weight"))[0]);
  CHECK(masks.find("conv.weight")->count() == 1);
}

TEST_CASE("what masks to start from prune stays pruned where a criterion does not reach") {
  auto model = small_resnet();
  auto const batch = unlabelled_batch<array>{images(5, 3, 8)};
  mask classifier("fc.weight", {4, 8}, true);
  for (std::size_t i = 0; i < 24; ++i) classifier.set(i, false);
  mask_set start;
  start.add(classifier);
  prune_options<channel_structured> options{.budget = channels{0.5}, .start = start};
  auto const [masks, report] = prune<hrank, channel_structured>(model, batch, options);
  REQUIRE(masks.find("fc.weight") != nullptr);
  CHECK(*masks.find("fc.weight") == classifier);
  CHECK(masks.find("conv1.weight") != nullptr);
  CHECK(report.layers.back().kept == 8);
  options.unreached = unreached::magnitude;  // half of 32 weights, of which 8 are left
  auto const asked_too_much = [&] { return prune<hrank, channel_structured>(model, batch, options); };
  CHECK_THROWS_WITH_AS((void)asked_too_much(), doctest::Contains("cannot keep 16 weights"), error);
}

namespace {

/// Weights and scales of a host, which shows them in any order it likes.
struct listed {
  using tensor_type = array;
  std::vector<std::string> names;
  std::vector<array> values;
  std::vector<parameter<array>> parameters() {
    std::vector<parameter<array>> all;
    for (std::size_t i = 0; i < names.size(); ++i)
      all.push_back({names[i], &values[i], names[i].starts_with("bn") ? role::norm_scale : role::weight});
    return all;
  }
};

}  // namespace

TEST_CASE("the scales behind a filter are those of the batch norm that reads it, in whatever order parameters come") {
  network_builder<backend> build(1);  // two branches, whose parameters come as convolutions first
  auto const left = build.conv2d("left", build.input(), 2);
  auto const right = build.conv2d("right", build.input(), 2);
  auto const joined = build.concat({build.batch_norm("bn1", left), build.batch_norm("bn2", right)});
  build.classifier("fc", build.global_average_pool(joined), 2);
  auto model = std::move(build).build();
  *model.parameters()[2].value = of({2}, {1, 2});
  *model.parameters()[4].value = of({2}, {-4, 3});
  auto const scores = score<bn_scale>(model, shape{1, 4, 4});
  REQUIRE(scores.parameters.size() == 2);
  CHECK(by_filter(scores, 0)[1] == doctest::Approx(2));
  CHECK(by_filter(scores, 1)[0] == doctest::Approx(4));

  auto const ones = of({2, 1}, {1, 1});
  listed plain{{"a", "bn1", "b", "bn2"}, {ones, of({2}, {1, 2}), ones, of({2}, {3, 4})}};
  CHECK(by_filter(score<bn_scale>(plain, shape{1}), 1) == std::vector<double>{3, 4});
  listed unclear{{"a", "b", "bn1", "bn2"}, {ones, ones, of({2}, {1, 2}), of({2}, {3, 4})}};
  CHECK_THROWS_WITH_AS((void)score<bn_scale>(unclear, shape{1}),
                       doctest::Contains("bn1 and bn2 both come after b in the model's order"), error);
}

TEST_CASE("scores of filters are ranked as they are where channels go with all that reads them: the scale .1 goes before 1") {
  network_builder<backend> build(1);
  auto const first = build.batch_norm("bn1", build.conv2d("conv1", build.input(), 2), true);
  auto const second = build.batch_norm("bn2", build.conv2d("conv2", first, 3), true);
  build.classifier("fc", build.global_average_pool(second), 2);
  auto model = std::move(build).build();
  *model.parameters()[1].value = of({2}, {0.1, 0.2});
  *model.parameters()[4].value = of({3}, {1, 1, 40});  // whose shares in the columns of conv1's channels would be 21 for each
  auto const map = channel_map_of(model, {1, 4, 4});
  auto const masks =
      prune<bn_scale, coupled_channels<>>(model, shape{1, 4, 4}, {.budget = channels{0.2}, .strategy = {.atoms = &map.set}})
          .masks;
  CHECK(masks.find("conv1.weight")->count() == 9);
  CHECK_FALSE((*masks.find("bn1.weight"))[0]);
  CHECK(masks.find("fc.weight")->count() == 6);
  // Scores that come from elsewhere say themselves whose they are; prune<filter_norm<>, n_of_m<1, 2>> does not compile.
  auto const of_filters = [](net& m) { return score<filter_norm<>>(m, shape{}); };
  auto const as_weights = [&]<class Mask>(prune_options<Mask> const& options) {
    return prune_by<Mask>(model, of_filters, options);
  };
  auto const said = doctest::Contains("the scores of conv1.weight are those of whole filters");
  CHECK_THROWS_WITH_AS((void)as_weights(prune_options<n_of_m<1, 2>>{}), said, request_error);
  CHECK_THROWS_WITH_AS((void)as_weights(prune_options<global_unstructured>{.budget = sparsity{0.5}}), said, request_error);
  CHECK_THROWS_WITH_AS((void)as_weights(prune_options<layerwise_unstructured>{.budget = sparsity{0.5}}), said, request_error);
  CHECK(as_weights(prune_options<channel_structured>{.budget = channels{0.5}}).report.sparsity_scored > 0);
}

TEST_CASE("eagle_eye: candidates fit the budget, the best agrees most, and labels may take the teacher's place") {
  auto model = small_resnet();
  std::vector<array> const parts{images(30, 3, 8)};
  eagle_eye_options const options{.removed = 0.4, .tolerance = 0.03, .candidates = 6, .seed = 1};
  auto const found = eagle_eye(model, std::span<array const>(parts), options);
  CHECK(found.agreeing.size() == 6);
  CHECK(found.agreeing[found.best] == std::ranges::max(found.agreeing));
  CHECK(found.images == 30);
  auto smaller = found.model;
  auto const share = static_cast<double>(count(smaller, {3, 8, 8}).multiply_adds()) /
                     static_cast<double>(count(model, {3, 8, 8}).multiply_adds());
  CHECK(std::abs(1 - share - 0.4) <= 0.03);
  CHECK(shrink(model, found.masks, parts.front()).kept == found.kept);
  auto const again = eagle_eye(model, std::span<array const>(parts), options);
  CHECK(again.agreeing == found.agreeing);
  auto const by_labels = eagle_eye(model, std::span<array const>(parts), {std::vector<std::int64_t>(30, 2)}, options);
  CHECK(by_labels.agreeing != found.agreeing);
  std::vector<array> const two{images(15, 3, 8), images(15, 3, 8)};
  std::vector<std::vector<std::int64_t>> beyond(2, std::vector<std::int64_t>(15, 2));
  beyond[1][4] = 1000;
  CHECK_THROWS_WITH_AS((void)eagle_eye(model, std::span<array const>(two), beyond, options),
                       doctest::Contains("label 1000 of sample 19 is out of range"), error);
  CHECK_THROWS_WITH_AS((void)eagle_eye(model, std::span<array const>(parts), {.removed = 0.99, .draws = 50}),
                       doctest::Contains("none of 50 draws"), error);
  CHECK_THROWS_WITH_AS((void)eagle_eye(model, std::span<array const>()), doctest::Contains("at least one batch"), error);
}

TEST_CASE("what computes NaN or infinity ranks nothing: criteria of maps and searches refuse it and change nothing") {
  auto const infinity = std::numeric_limits<double>::infinity();
  for (auto const bad : {std::nan(""), infinity}) {
    auto model = small_resnet();
    std::vector<array> parts{images(5, 3, 8)};
    parts[0].data()[7] = bad;
    unlabelled_batch<array> const batch{parts[0]};
    auto const pruned_by = [&]<class C>(C) { return prune<C, channel_structured>(model, batch, {.budget = channels{0.5}}); };
    auto const in_maps = doctest::Contains("values of the feature maps of conv1.weight are NaN or infinite");
    CHECK_THROWS_WITH_AS((void)pruned_by(hrank{}), in_maps, error);
    CHECK_THROWS_WITH_AS((void)pruned_by(qsfm<>{}), in_maps, error);
    CHECK_THROWS_WITH_AS((void)pruned_by(qsfm<map_similarity::psnr>{}), in_maps, error);
    CHECK_THROWS_WITH_AS((void)pruned_by(nisp{}), doctest::Contains("scores are NaN or infinite"), error);
    std::span<array const> const inputs(parts);
    eagle_eye_options const options{.removed = 0.4, .tolerance = 0.03, .candidates = 2};
    CHECK_THROWS_WITH_AS((void)eagle_eye(model, inputs, options),
                         doctest::Contains("4 of 20 values of the network's outputs are NaN or infinite, so they decide nothing"),
                         error);
    auto const by_labels = [&] { return eagle_eye(model, inputs, {std::vector<std::int64_t>(5, 1)}, options); };
    CHECK_THROWS_WITH_AS((void)by_labels(),
                         doctest::Contains("values of the statistics that batch norm bn1 would take are NaN or infinite"), error);
    parts[0] = images(5, 3, 8);
    model.parameters()[0].value->data()[0] = bad;  // a filter that might have been the first to go
    CHECK_THROWS_WITH_AS((void)by_labels(),
                         doctest::Contains("1 of 216 values of conv1.weight are NaN or infinite, so no channel is smaller"),
                         error);
  }
}
