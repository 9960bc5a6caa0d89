#pragma once
/// Whether several processes hold the same network.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include <lnpt/core/communicator.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/core/random.hpp>

namespace lnpt {

namespace detail {

/// 64 bits of the names, sizes and values of all parameters and buffers: a chain of SplitMix's finaliser.
template <prunable Model>
[[nodiscard]] std::uint64_t fingerprint(Model& model) {
  std::uint64_t state = 0;
  auto const take = [&](std::uint64_t word) { state = mix_bits((state ^ word) + golden_gamma); };
  auto const take_all = [&](auto const& parts) {
    for (auto const& p : parts) {
      for (auto const letter : p.name) take(static_cast<unsigned char>(letter));
      auto const values = values_of(*p.value);
      take(values.size());
      for (auto const v : values) take(std::bit_cast<std::uint64_t>(static_cast<double>(v)));
    }
  };
  take_all(model.parameters());
  take_all(buffers_of(model));
  return state;
}

}  // namespace detail

/// Refuses networks of which one rank holds another than rank 0: their scores cannot be added up. Cost: a look at every value, and
/// 8 bytes from each rank.
template <prunable Model, communicator R>
void require_same_model(R& ranks, Model& model) {
  if (ranks.size() == 1) return;
  auto const mine = detail::fingerprint(model);
  auto const all = ranks.gather(std::as_bytes(std::span(&mine, 1)));
  for (std::size_t r = 1; r < all.size(); ++r)
    if (all[r] != all[0])
      fail("ranks 0 and ", r,
           " hold different networks: give every rank the same parameters and buffers, such as by loading one file");
}

}  // namespace lnpt
