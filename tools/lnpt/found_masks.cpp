#include "found_masks.hpp"

#include <fmt/format.h>

#include <lnpt/io/state_dict.hpp>

#include "exported.hpp"
#include "packed_weights.hpp"

namespace cli {

namespace {

template <class T>
found_masks masks_of_zeros(cpu_network<T>& network, std::string from) {
  found_masks found{{}, std::move(from)};
  std::size_t zeros = 0;
  for (auto const& p : network.parameters()) {
    if (!lnpt::is_prunable(p.role)) continue;
    auto const values = lnpt::values_of(*p.value);
    lnpt::mask kept(p.name, lnpt::shape_of(*p.value), true);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] == 0) kept.set(i, false), ++zeros;
    found.masks.add(std::move(kept));
  }
  if (zeros == 0) found.masks = {};
  return found;
}

template <class T>
lnpt::mask_set masks_in(cpu_network<T>& network, std::string const& path, lnpt::io::state_dict_options const& names) {
  auto const file = lnpt::io::safetensors::open(path);
  return is_packed(file) ? packed_masks(file) : lnpt::io::load_masks(network, file, names);
}

/// The same of a file that was named for its masks.
template <class T>
lnpt::mask_set masks_named(cpu_network<T>& network, std::string const& path, lnpt::io::state_dict_options const& names) {
  auto masks = masks_in(network, path, names);
  if (masks.empty()) lnpt::fail(path, " holds no mask: name a file that lnpt prune --masks-out or --packed wrote");
  return masks;
}

}  // namespace

std::string found_masks::text() const {
  std::size_t kept = 0;
  std::size_t all = 0;
  for (auto const& each : masks) kept += each.count(), all += each.size();
  return fmt::format("{} of {} weights, which {} kept", kept, all, from);
}

template <class T>
lnpt::mask_set masks_of_file(cpu_network<T>& network, std::string const& path, naming const& names) {
  return masks_named(network, path, names.under(""));
}
template lnpt::mask_set masks_of_file(cpu_network<float>&, std::string const&, naming const&);

template <class T>
std::optional<found_masks> find_masks(cpu_network<T>& network, mask_sources const& where) {
  auto const names = where.names.under(where.prefix);
  if (!where.masks.empty()) return found_masks{masks_named(network, where.masks, names), "the masks of " + where.masks};
  if (where.weights.empty() && !names_exported(where.arch)) return std::nullopt;
  if (!where.weights.empty())
    if (auto held = masks_in(network, where.weights, names); !held.empty())
      return found_masks{std::move(held), "the masks of " + where.weights};
  auto found = masks_of_zeros(network, "the zeros of " + (where.weights.empty() ? where.arch : where.weights));
  if (found.masks.empty()) return std::nullopt;
  return found;
}
template std::optional<found_masks> find_masks(cpu_network<float>&, mask_sources const&);
template std::optional<found_masks> find_masks(cpu_network<double>&, mask_sources const&);

}  // namespace cli
