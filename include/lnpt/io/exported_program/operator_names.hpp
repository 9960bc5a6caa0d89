#pragma once
/// What the names of PyTorch's operators tell.
#include <algorithm>
#include <array>
#include <string_view>

namespace lnpt::io::exported {

/// The name of an operator without its overload, and without the mark of an in-place form: `relu` of `relu_.default`.
[[nodiscard]] inline std::string_view plain_name(std::string_view target) {
  target = target.substr(0, target.find('.'));
  if (target.ends_with('_') && !target.starts_with('_')) target.remove_suffix(1);
  return target;
}

/// Whether an operator also says how it came to its first result: the places of maxima, what dropout kept, the statistics of a batch.
[[nodiscard]] inline bool has_by_products(std::string_view operation) {
  static constexpr std::array<std::string_view, 8> known{"adaptive_max_pool1d",
                                                         "adaptive_max_pool2d",
                                                         "max_pool2d_with_indices",
                                                         "native_dropout",
                                                         "native_batch_norm",
                                                         "_native_batch_norm_legit",
                                                         "_native_batch_norm_legit_functional",
                                                         "_native_batch_norm_legit_no_training"};
  return std::ranges::find(known, operation) != known.end();
}

/// Whether the results of an operator are drawn at random.
[[nodiscard]] inline bool is_random(std::string_view operation) {
  static constexpr std::array<std::string_view, 7> known{"bernoulli",  "rand",   "randn",  "rand_like",
                                                         "randn_like", "normal", "uniform"};
  return std::ranges::find(known, operation) != known.end();
}

}  // namespace lnpt::io::exported
