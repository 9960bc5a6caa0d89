#pragma once
/// Operators that join the channels of values.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/join.hpp>

namespace lnpt::io::exported {

template <class Backend>
void read_concat(reading<Backend>& r, call const& from) {
  auto const names = from.inputs();
  if (names.empty()) refuse("joins nothing");
  auto const rank = static_cast<std::int64_t>(r.at(names.front()).extents.size()) + 1;
  if (auto const axis = from.integer("dim", 0); axis != 1 && axis != 1 - rank) refuse("joins along axis ", axis);
  std::vector<std::size_t> nodes;
  nodes.reserve(names.size());
  for (auto const& name : names) nodes.push_back(r.channels_of(name));
  auto const beside = [&](std::size_t node) {  // all but the channels
    auto extents = r.network().shapes()[node];
    extents.erase(extents.begin());
    return extents;
  };
  for (auto const node : nodes)
    if (beside(node) != beside(nodes.front())) refuse("joins images of different extents");
  r.give_channels(from, names.front(), nn::concat{std::move(nodes)});
}

}  // namespace lnpt::io::exported
