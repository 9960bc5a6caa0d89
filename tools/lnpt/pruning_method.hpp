#pragma once
/// What a comparison prunes by, by one string: a criterion, or the search `eagle_eye:candidates=20:most=.8`.
#include <string>
#include <string_view>
#include <variant>

#include <lnpt/filters/eagle_eye.hpp>

#include "criterion.hpp"

namespace cli {

struct pruning_method {
  std::string text;  ///< its one spelling, however it was written: options that are its defaults are left out
  std::variant<criterion_spec, lnpt::eagle_eye_options> how;

  /// The criterion, or nothing where it is a search.
  [[nodiscard]] criterion_spec const* criterion() const { return std::get_if<criterion_spec>(&how); }
  [[nodiscard]] lnpt::eagle_eye_options const* search() const { return std::get_if<lnpt::eagle_eye_options>(&how); }
  [[nodiscard]] bool reads_labels() const { return criterion() && criterion()->reads().labels; }
  [[nodiscard]] bool reads_images() const { return !criterion() || !criterion()->data_free(); }
  /// The same in one round, or with one candidate.
  [[nodiscard]] pruning_method shortened() const;
};

/// The options that eagle_eye may be given.
inline constexpr std::string_view search_keys = "candidates, tolerance, least or most";

[[nodiscard]] pruning_method parse_method(std::string_view text);

/// The one spelling of what a results file names; a name that this program does not know stays as it is.
[[nodiscard]] std::string canonical_method(std::string const& text);

}  // namespace cli
