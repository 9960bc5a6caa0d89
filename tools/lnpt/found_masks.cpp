#include "found_masks.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

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
  if (is_packed(file)) return packed_masks(file);
  return with_flags("--rename", [&] { return lnpt::io::load_masks(network, file, names); });
}

/// The same of a file that was named for its masks.
template <class T>
lnpt::mask_set masks_named(cpu_network<T>& network, std::string const& path, lnpt::io::state_dict_options const& names) {
  auto masks = masks_in(network, path, names);
  if (masks.empty()) lnpt::fail(path, " holds no mask: name a file that lnpt prune --masks-out or --packed wrote");
  return masks;
}

template <class T>
mask_fit count_fit(lnpt::mask_set const& masks, cpu_network<T>& network) {
  mask_fit fit;
  for (auto const& p : network.parameters()) {
    auto const* const kept = masks.find(p.name);
    if (kept == nullptr || !lnpt::is_prunable(p.role)) continue;
    auto const values = lnpt::values_of(*p.value);
    fit.all += values.size();
    if (std::ranges::all_of(values, [](T v) { return v == 0; })) continue;  // as a layer that begins at 0
    for (std::size_t i = 0; i < values.size(); ++i) {
      fit.removed += !(*kept)[i] && values[i] != 0;
      fit.kept_zeros += (*kept)[i] && values[i] == 0;
    }
  }
  return fit;
}

template <class T>
mask_fit named_fit(lnpt::mask_set const& masks, cpu_network<T>& network, std::string masks_file, std::string weights_file) {
  auto fit = count_fit(masks, network);
  fit.masks = std::move(masks_file);
  fit.weights = std::move(weights_file);
  return fit;
}

/// Whether more weights are 0 than training leaves by chance.
bool many(std::size_t zeros, std::size_t all) { return 100 * zeros > all; }

}  // namespace

std::string mask_fit::note() const {
  return removed == 0 || many(kept_zeros, all)
             ? ""
             : fmt::format("{} removes {} weights of {} that are not 0", masks, removed, weights);
}

std::string mask_fit::warning() const {
  if (!many(kept_zeros, all)) return {};
  auto const zeros = fmt::format("{} of the weights that {} keeps are exactly 0 in {}", kept_zeros, masks, weights);
  if (removed == 0) return zeros;
  return fmt::format(
      "{}, and {} that it removes are not, so that these are weights of another pruning: name the masks of the same run", zeros,
      removed);
}

mask_fit fit_of(lnpt::mask_set const& masks, cpu_network<float>& network, std::string masks_file, std::string weights_file) {
  return named_fit(masks, network, std::move(masks_file), std::move(weights_file));
}

std::string found_masks::text() const {
  std::size_t kept = 0;
  std::size_t all = 0;
  for (auto const& each : masks) kept += each.count(), all += each.size();
  auto const note = fit.note();
  return fmt::format("{} of {} weights, which {} kept{}{}", kept, all, from, note.empty() ? "" : "; ", note);
}

template <class T>
lnpt::mask_set masks_of_file(cpu_network<T>& network, std::string const& path, naming const& names) {
  return masks_named(network, path, names.under(""));
}
template lnpt::mask_set masks_of_file(cpu_network<float>&, std::string const&, naming const&);

template <class T>
std::optional<found_masks> find_masks(cpu_network<T>& network, mask_sources const& where) {
  auto const names = where.names.under(where.prefix);
  auto const fresh = where.weights.empty() && !names_exported(where.arch);
  auto const& weights = where.weights.empty() ? where.arch : where.weights;
  if (!where.masks.empty()) {
    found_masks named{masks_named(network, where.masks, names), "the masks of " + where.masks};
    if (!fresh) named.fit = named_fit(named.masks, network, where.masks, weights);
    return named;
  }
  if (fresh) return std::nullopt;
  if (!where.weights.empty())
    if (auto held = masks_in(network, where.weights, names); !held.empty())
      return found_masks{std::move(held), "the masks of " + where.weights};
  auto found = masks_of_zeros(network, "the zeros of " + weights);
  if (found.masks.empty()) return std::nullopt;
  return found;
}
template std::optional<found_masks> find_masks(cpu_network<float>&, mask_sources const&);
template std::optional<found_masks> find_masks(cpu_network<double>&, mask_sources const&);

}  // namespace cli
