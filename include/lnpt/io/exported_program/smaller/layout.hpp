#pragma once
/// What an exported graph notes about the memory of its values, for values that became smaller.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/exported_program/graph.hpp>

namespace lnpt::io::exported::detail {

/// Sizes and strides of a value, outermost axis first.
struct memory_layout {
  shape sizes;
  std::vector<std::size_t> strides;
};

/// The axes from the innermost in memory to the outermost; of two with one stride, the later is the inner.
[[nodiscard]] inline std::vector<std::size_t> from_innermost(memory_layout const& of) {
  std::vector<std::size_t> order(of.sizes.size());
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t axis) { return of.strides[axis]; });
  return order;
}

/// Strides without gaps, with the axes in this order.
[[nodiscard]] inline std::vector<std::size_t> packed(shape const& sizes, std::vector<std::size_t> const& order) {
  std::vector<std::size_t> strides(sizes.size());
  std::size_t next = 1;
  for (auto const axis : order) {
    strides[axis] = next;
    next *= sizes[axis];
  }
  return strides;
}

/// The strides of a value of these sizes that lay `before` as it did: without gaps in the same order of axes, or else in the memory of
/// what it is a view of, which went from `viewed` to `viewed_now`.
[[nodiscard]] inline std::vector<std::size_t> strides_now(memory_layout const& before, shape const& sizes,
                                                          std::optional<memory_layout> const& viewed,
                                                          std::optional<memory_layout> const& viewed_now) {
  auto const order = from_innermost(before);
  auto const dense = packed(before.sizes, order);
  auto gaps = false;
  for (std::size_t axis = 0; axis < dense.size(); ++axis)
    gaps = gaps || (before.sizes[axis] > 1 && dense[axis] != before.strides[axis]);
  auto result = packed(sizes, order);
  if (!gaps || !viewed || viewed->sizes.size() != sizes.size()) return result;
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    auto const same = viewed->strides[axis] == before.strides[axis] ? viewed->strides.begin() + static_cast<std::ptrdiff_t>(axis)
                                                                    : std::ranges::find(viewed->strides, before.strides[axis]);
    if (same != viewed->strides.end())
      result[axis] = viewed_now->strides[static_cast<std::size_t>(same - viewed->strides.begin())];
    else if (viewed->strides[axis] != 0)  // every second element, say
      result[axis] = viewed_now->strides[axis] * (before.strides[axis] / viewed->strides[axis]);
  }
  return result;
}

/// Sizes and strides in the file's words.
[[nodiscard]] inline std::vector<std::size_t> read_sizes(json const& from) {
  std::vector<std::size_t> result;
  for (auto const& each : from) result.push_back(static_cast<std::size_t>(std::max<std::int64_t>(0, read_extent(each).number)));
  return result;
}
/// Writes those that differ; expressions, such as the batch, stay.
inline void write_sizes(json& to, std::vector<std::size_t> const& before, std::vector<std::size_t> const& now) {
  for (std::size_t i = 0; i < now.size(); ++i)
    if (before[i] != now[i]) to[i] = {{"as_int", now[i]}};
}
[[nodiscard]] inline memory_layout read_layout(json const& value) {
  return {read_sizes(value.at("sizes")), read_sizes(value.at("strides"))};
}

}  // namespace lnpt::io::exported::detail
