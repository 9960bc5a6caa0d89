#pragma once
/// Whether several processes hold the same network.
#include <cstddef>
#include <cstdint>
#include <span>

#include <lnpt/core/communicator.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/same_weights.hpp>

namespace lnpt {

/// Refuses networks of which one rank holds another than rank 0: their scores cannot be added up. Cost: a look at every value, and
/// 8 bytes from each rank.
template <prunable Model, communicator R>
void require_same_model(R& ranks, Model& model) {
  if (ranks.size() == 1) return;
  auto const mine = fingerprint_of_state(model);
  auto const all = ranks.gather(std::as_bytes(std::span(&mine, 1)));
  for (std::size_t r = 1; r < all.size(); ++r)
    if (all[r] != all[0])
      fail("ranks 0 and ", r,
           " hold different networks: give every rank the same parameters and buffers, such as by loading one file");
}

}  // namespace lnpt
