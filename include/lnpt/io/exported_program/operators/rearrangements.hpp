#pragma once
/// Operators that move values: slices, pieces, zeros around, pixels repeated, channels shuffled.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/window.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/activation.hpp>
#include <lnpt/nn/arithmetic.hpp>
#include <lnpt/nn/rearrange.hpp>

namespace lnpt::io::exported {

namespace detail {

/// The axis of a sample, {C, H, W}, {C, L} or {F}, that an argument names, which counts the batch too.
template <class Backend>
[[nodiscard]] std::size_t sample_axis(reading<Backend>& r, std::string const& x, std::int64_t axis) {
  auto const rank = static_cast<std::int64_t>(r.at(x).extents.size()) + 1;
  if (axis < 0) axis += rank;
  if (axis < 1 || axis >= rank) refuse("works along axis ", axis, ", which is no axis of a sample");
  return static_cast<std::size_t>(axis) - 1;
}

/// The part of a value that lies in a range along one axis of its samples.
[[nodiscard]] inline image_region region_along(std::size_t axis, std::size_t rank, index_range const& range) {
  if (axis == 0) return {range, {}, {}};
  return rank == 3 && axis == 1 ? image_region{{}, range, {}} : image_region{{}, {}, range};
}

/// Whether a slice is `:`, which PyTorch writes as all up to the largest integer.
[[nodiscard]] inline bool takes_all(call const& from) {
  constexpr auto end = std::numeric_limits<std::int64_t>::max();
  return from.integer("start", 0) == 0 && from.integer("end", end) == end && from.integer("step", 1) == 1;
}

}  // namespace detail

/// Every step-th index from start to end along an axis.
template <class Backend>
void read_slice(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  if (from.integer("dim", 0) == 0 && detail::takes_all(from)) return r.alias(from, x);  // of the samples
  auto const input = r.node_of(x);
  auto const axis = detail::sample_axis(r, x, from.integer("dim", 0));
  auto const extents = r.at(x).extents;
  auto const extent = static_cast<std::int64_t>(extents[axis]);
  auto const inside = [extent](std::int64_t i) {
    return static_cast<std::size_t>(std::clamp(i < 0 ? i + extent : i, std::int64_t{0}, extent));
  };
  auto const step = from.integer("step", 1);
  if (step < 1) refuse("takes steps of ", step);
  index_range const range{inside(from.integer("start", 0)), inside(from.integer("end", extent)), static_cast<std::size_t>(step)};
  if (range.count(extents[axis]) == 0) refuse("leaves nothing");
  if (range.count(extents[axis]) == extents[axis]) return r.alias(from, x);
  r.give(from, x, nn::slice{input, detail::region_along(axis, extents.size(), range)});
}

/// A range of indices along an axis, by its first and its length.
template <class Backend>
void read_narrow(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.node_of(x);
  auto const axis = detail::sample_axis(r, x, from.integer("dim", 0));
  auto const extents = r.at(x).extents;
  auto const extent = static_cast<std::int64_t>(extents[axis]);
  auto const start = from.integer("start", 0) + (from.integer("start", 0) < 0 ? extent : 0);
  auto const length = from.integer("length", 0);
  if (start < 0 || length < 1 || length > extent || start > extent - length)
    refuse("takes ", length, " from index ", start, " of ", extent);
  auto const first = static_cast<std::size_t>(start);
  index_range const range{first, first + static_cast<std::size_t>(length)};
  r.give(from, x, nn::slice{input, detail::region_along(axis, extents.size(), range)});
}

/// The first half of an axis, gated by the second.
template <class Backend>
void read_gated_half(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.node_of(x);
  auto const axis = detail::sample_axis(r, x, from.integer("dim", -1));
  auto const extents = r.at(x).extents;
  auto const half = extents[axis] / 2;
  if (extents[axis] % 2 != 0) refuse("halves ", extents[axis], " indices");
  auto const name = r.node_name(from);
  auto const part = [&](std::size_t begin) {
    return r.network().add(name, nn::slice{input, detail::region_along(axis, extents.size(), {begin, begin + half})});
  };
  auto const passing = part(0);
  auto const gate = r.network().add(name, nn::activation{part(half), {activation_kind::sigmoid}});
  r.give(from, x, nn::multiply{passing, gate});
}

/// chunk and split: pieces one after the other, as long as the graph says they are.
template <class Backend>
void read_split(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.node_of(x);
  auto const axis = detail::sample_axis(r, x, from.integer("dim", 0));
  auto const extents = r.at(x).extents;
  std::size_t begin = 0;
  for (auto const& piece : from.outputs()) {
    auto const to = r.claimed(piece);
    if (to.size() != extents.size()) refuse("splits ", list(extents), " into pieces of shape ", list(to));
    auto const end = begin + to[axis];
    if (end > extents[axis] || to[axis] == 0) refuse("splits ", list(extents), " into pieces of shape ", list(to), " and more");
    auto const region = detail::region_along(axis, extents.size(), {begin, end});
    auto const node = r.network().add(r.node_name(from), nn::slice{input, region});
    r.bind(piece, {.is = value::kind::node, .at = node, .extents = to, .storage = r.at(x).storage});
    begin = end;
  }
  if (begin != extents[axis]) refuse("splits ", list(extents), " and leaves a rest");
}

/// Zeros around an image, and before and after its channels.
template <class Backend>
void read_pad(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.image_of(x);
  if (from.text("mode", "constant") != "constant" || from.number("value", 0) != 0)
    refuse("pads with something else than zeros (", from.text("mode", "constant"), ")");
  auto pads = from.integers("pad", {});
  if (pads.size() > 2 && r.at(x).extents.size() == 2) pads.insert(pads.begin() + 2, {0, 0});  // a line has no height
  if (std::ranges::any_of(pads, [](auto n) { return n < 0 || n > max_number; }) || pads.size() > 6 || pads.size() % 2 != 0)
    refuse("pads by ", list(pads));
  pads.resize(6);
  auto const at = [&](std::size_t i) { return static_cast<std::size_t>(pads[i]); };
  r.give(from, x, nn::pad{input, at(4), at(5), margins{at(2), at(0), at(3), at(1)}});
}

/// Each pixel as often as the graph says that its image grows.
template <class Backend>
void read_upsample(reading<Backend>& r, call const& from) {
  auto const x = from.first_tensor();
  auto const input = r.image_of(x);
  auto const& image = r.network().shapes()[input];
  auto const to = r.claimed(r.result_of(from));
  if (to.size() != 3 || to[1] % image[2] != 0 || to[2] % image[3] != 0)
    refuse("stretches an image of ", image[2], "×", image[3], " to ", list(to));
  r.give(from, x, nn::upsample_nearest{input, per_axis{to[1] / image[2], to[2] / image[3]}});
}

template <class Backend>
void read_channel_shuffle(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.image_of(x);
  auto const groups = from.integer("groups", 1);
  if (groups < 1 || r.at(x).extents[0] % static_cast<std::size_t>(groups) != 0) refuse("shuffles in ", groups, " groups");
  r.give(from, x, nn::channel_shuffle{input, static_cast<std::size_t>(groups)});
}

}  // namespace lnpt::io::exported
