#pragma once
/// How a stored model is pruned.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <lnpt/core/budget.hpp>

namespace lnpt::out_of_core {

/// Criteria that read weights alone, or nothing.
enum class criterion { magnitude, random };

/// What competes with what: all weights, those of a tensor, those of an output, or M consecutive inputs of an output.
enum class pattern { global, layerwise, rows, n_of_m };

struct prune_options {
  density keep{1.0};  ///< of the weights that are pruned at all; n_of_m sets its own
  out_of_core::criterion criterion = criterion::magnitude;
  out_of_core::pattern pattern = pattern::global;
  std::size_t n = 2, m = 4;               ///< of n_of_m
  std::uint64_t seed = 0;                 ///< of random
  std::vector<std::string> include = {};  ///< patterns of names with * and ?; empty: what is called a weight
  std::vector<std::string> exclude = {};
  std::uint64_t journal_after = std::uint64_t{256} << 20;  ///< bytes between two journal entries: what a kill may cost
  bool replace = false;                                    ///< an existing output is swapped for the new one when that is whole
  /// Called with the bytes read and written so far and those of the whole run, and what is being done.
  std::function<void(std::uint64_t done, std::uint64_t total, char const* what)> progress = nullptr;
};

}  // namespace lnpt::out_of_core
