#pragma once
/// Small networks whose normalisation says something, and masks that are not whole channels alone.
#include <cstdint>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/structure/channel_map.hpp>

namespace test {

template <class T>
using cpu_network = lnpt::network<lnpt::cpu::backend<T>>;
using builder = lnpt::network_builder<lnpt::cpu::backend<double>>;

/// N(0, 1), a pure function of the seed.
template <class T = double>
lnpt::cpu::array<T> images(lnpt::shape const& extents, std::uint64_t seed) {
  auto x = lnpt::cpu::uninitialized<T>(extents);
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(lnpt::normal(seed, 0, i).first);
  return x;
}

/// Gives γ, β, biases and running statistics values as after training.
template <class T>
cpu_network<T> trained(cpu_network<T> network, std::uint64_t seed = 5) {
  auto const disturb = [&](auto const& views) {
    for (auto const& p : views) {
      if (lnpt::is_prunable(p.role)) continue;
      for (std::size_t i = 0; i < p.value->size(); ++i) {
        auto const noise = static_cast<T>(lnpt::normal(seed, 1, i).first);
        auto const positive = p.role == lnpt::role::norm_scale || p.role == lnpt::role::running_variance;
        p.value->data()[i] = positive ? T(0.5) + noise * noise : T(0.3) * noise;
      }
      ++seed;
    }
  };
  disturb(network.parameters());
  disturb(network.buffers());
  return network;
}

/// A fraction of the atoms, drawn by a seed; every producing axis keeps one.
inline std::vector<char> drawn(lnpt::atom_set const& set, double fraction, std::uint64_t seed) {
  std::vector<char> removed(set.atoms.size());
  std::vector<std::size_t> left;
  for (auto const& tensor : set.tensors) left.push_back(tensor.extents[0]);
  for (std::size_t a = 0; a < removed.size(); ++a) {
    if (lnpt::uniform(seed, 2, a) >= fraction) continue;
    bool last = false;
    for (auto const& s : set.atoms[a].slices)
      if (s.role == lnpt::slice_role::row) last |= left[s.tensor] <= s.indices.size();
    if (last) continue;
    removed[a] = 1;
    for (auto const& s : set.atoms[a].slices)
      if (s.role == lnpt::slice_role::row) left[s.tensor] -= s.indices.size();
  }
  return removed;
}

}  // namespace test
