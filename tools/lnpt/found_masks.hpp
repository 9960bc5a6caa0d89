#pragma once
/// The masks that a network is under already, and where they were found.
#include <cstddef>
#include <optional>
#include <string>

#include <lnpt/mask/mask_set.hpp>

#include "naming.hpp"
#include "scoring.hpp"

namespace cli {

/// Files that may say which weights are kept.
struct mask_sources {
  std::string masks;            ///< of masks alone, or packed; empty: none
  std::string weights, prefix;  ///< of the weights; empty: none
  std::string arch;             ///< a .pt2 network holds weights, too
  naming const& names;
};

/// How masks and weights from two files go together.
struct mask_fit {
  std::size_t removed = 0;     ///< weights that the masks remove and that are not 0
  std::size_t kept_zeros = 0;  ///< weights that they keep and that are 0, of parameters that are not 0 throughout
  std::size_t all = 0;
  std::string masks, weights;  ///< the files

  /// What is to be known where the weights were not pruned before; empty where the masks take nothing from them.
  [[nodiscard]] std::string note() const;
  /// What is wrong where they were pruned, and otherwise than by these masks; else empty.
  [[nodiscard]] std::string warning() const;
};

/// How the masks go with the weights that the network has from a file.
[[nodiscard]] mask_fit fit_of(lnpt::mask_set const& masks, cpu_network<float>& network, std::string masks_file,
                              std::string weights_file);

/// Masks, and what said so.
struct found_masks {
  lnpt::mask_set masks;
  std::string from;
  mask_fit fit = {};  ///< where both were named

  [[nodiscard]] std::string text() const;
};

/// The masks in a file that holds nothing else, or in a packed one. Refuses a file without any.
template <class T>
[[nodiscard]] lnpt::mask_set masks_of_file(cpu_network<T>& network, std::string const& path, naming const& names);

/// The masks of the file of masks; or of the weights, where they are packed or of the older form that holds masks; or of the exact zeros
/// among the prunable weights that were loaded; nothing where no weight is 0.
template <class T>
[[nodiscard]] std::optional<found_masks> find_masks(cpu_network<T>& network, mask_sources const& where);

}  // namespace cli
