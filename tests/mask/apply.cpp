#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/mask/apply.hpp>

namespace tensors_out_of_reach {

/// A tensor whose values cannot be looked at in place, as on a device; copies share storage.
struct remote {
  lnpt::shape extents;
  std::shared_ptr<std::vector<double>> values;

  friend remote operator*(remote const& a, remote const&) { return a; }
  friend remote operator+(remote const& a, remote const&) { return a; }
  friend remote operator*(double, remote const& a) { return a; }
  friend remote abs(remote const& a) { return a; }
};

/// The same, with a way of its own to apply a mask.
struct hooked : remote {
  std::size_t masked = 0;

  friend hooked operator*(hooked const& a, hooked const&) { return a; }
  friend hooked operator+(hooked const& a, hooked const&) { return a; }
  friend hooked operator*(double, hooked const& a) { return a; }
  friend hooked abs(hooked const& a) { return a; }
};

}  // namespace tensors_out_of_reach

namespace {

using tensors_out_of_reach::hooked;
using tensors_out_of_reach::remote;

template <class T>
struct model {
  std::vector<std::string> names;
  std::vector<T> tensors;

  [[nodiscard]] std::vector<lnpt::parameter<T>> parameters() {
    std::vector<lnpt::parameter<T>> result;
    for (std::size_t p = 0; p < names.size(); ++p) result.push_back({names[p], &tensors[p]});
    return result;
  }
};

lnpt::mask_set one_mask(std::string const& name, lnpt::shape const& extents, std::size_t kept) {
  lnpt::mask_set masks;
  lnpt::mask each(name, extents, false);
  each.set(kept, true);
  masks.add(each);
  return masks;
}

}  // namespace

template <>
struct lnpt::tensor_traits<remote> {
  using value_type = double;
  static std::size_t size(remote const& t) { return t.values->size(); }
  static lnpt::shape shape(remote const& t) { return t.extents; }
  static void copy_to(remote const& t, std::span<double> out) { std::copy(t.values->begin(), t.values->end(), out.begin()); }
  static remote make(lnpt::shape const& extents, std::span<double const> values, remote const&) {
    return {extents, std::make_shared<std::vector<double>>(values.begin(), values.end())};
  }
  static void assign(remote& into, remote const& from) { *into.values = *from.values; }
};

template <>
struct lnpt::tensor_traits<hooked> : lnpt::tensor_traits<remote> {
  static hooked make(lnpt::shape const& extents, std::span<double const> values, hooked const& near) {
    return {tensor_traits<remote>::make(extents, values, near)};
  }
  static void apply_mask(hooked& t, lnpt::mask const& kept) { t.masked = kept.size() - kept.count(); }
};

TEST_CASE("of 1, 2, 3 the middle one stays") {
  lnpt::mask kept("w", {3}, false);
  kept.set(1, true);
  std::vector<float> values{1, 2, 3};
  lnpt::apply(kept, std::span(values));
  CHECK(values == std::vector<float>{0, 2, 0});
}

TEST_CASE_TEMPLATE("pruned weights become +0 whatever they were, and kept ones keep every bit", T, float, double) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::vector<T> const odd{-T{0}, std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::infinity(), T(1.5),
                           std::numeric_limits<T>::denorm_min()};
  std::mt19937 generator(3);
  for (auto const size : std::vector<std::size_t>{0, 1, 63, 64, 65, 127, 128, 200'000}) {
    lnpt::mask kept("w", {size}, false);
    std::vector<T> values(size);
    for (std::size_t i = 0; i < size; ++i) {
      values[i] = odd[generator() % odd.size()];
      auto const word = i / 64;
      kept.set(i, word % 5 == 3 || (word % 5 != 4 && generator() % 2 == 0));
    }
    auto const before = values;
    lnpt::apply(kept, std::span(values));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; ++i)
      wrong += std::bit_cast<bits>(values[i]) != (kept[i] ? std::bit_cast<bits>(before[i]) : bits{0});
    CHECK(wrong == 0);
  }
}

TEST_CASE("values of another size are refused") {
  std::vector<double> values(4);
  CHECK_THROWS_WITH_AS(lnpt::apply(lnpt::mask("conv1", {3}, true), std::span(values)),
                       "the mask of conv1 is for 3 weights, not 4: pass the values of that parameter", lnpt::error);
}

TEST_CASE("a model's arrays are masked in place, parameters without a mask left alone") {
  using array = lnpt::cpu::array<float>;
  model<array> net{{"conv1", "fc"}, {array{{1, 2}, {3, 4}}, array{5, 6}}};
  auto const* const storage = net.tensors[0].data();
  lnpt::apply(one_mask("conv1", {2, 2}, 2), net);
  CHECK(net.tensors[0] == array{{0, 0}, {3, 0}});
  CHECK(net.tensors[1] == array{5, 6});
  CHECK(net.tensors[0].data() == storage);
}

TEST_CASE("a tensor out of reach is masked through a copy, in the storage that others share") {
  model<remote> net{{"w"}, {{{3}, std::make_shared<std::vector<double>>(std::vector<double>{1, 2, 3})}}};
  auto const shared = net.tensors[0];
  lnpt::apply(one_mask("w", {3}, 1), net);
  CHECK(*shared.values == std::vector<double>{0, 2, 0});
}

TEST_CASE("an engine's own way of masking goes first") {
  model<hooked> net{{"w"}, {{{{3}, std::make_shared<std::vector<double>>(3)}}}};
  lnpt::apply(one_mask("w", {3}, 1), net);
  CHECK(net.tensors[0].masked == 2);
}

TEST_CASE("masks that do not fit are refused by name, and the model is unchanged") {
  using array = lnpt::cpu::array<float>;
  model<array> net{{"conv1"}, {array{1, 2, 3}}};
  auto masks = one_mask("conv1", {3}, 0);
  masks.add({"conv9", {3}, false});
  CHECK_THROWS_WITH_AS(lnpt::apply(masks, net), "the model has no parameter conv9 to mask: pass masks that were made for it",
                       lnpt::error);
  CHECK_THROWS_WITH_AS(lnpt::apply(one_mask("conv1", {1, 3}, 0), net),
                       "the mask of conv1 has the shape [1, 3], the parameter [3]: pass masks that were made for this model",
                       lnpt::error);
  CHECK(net.tensors[0] == array{1, 2, 3});
}
