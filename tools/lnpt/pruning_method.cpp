#include "pruning_method.hpp"

#include <span>

#include "text.hpp"

namespace cli {

namespace {

constexpr std::string_view search_name = "eagle_eye";

std::size_t at_least_one(std::size_t candidates) {
  if (candidates == 0) refuse("eagle_eye chooses among candidates: give 1 or more");
  return candidates;
}

void set_option(lnpt::eagle_eye_options& options, std::string_view key, std::string_view value) {
  if (key == "candidates")
    options.candidates = at_least_one(parse_number<std::size_t>("number of candidates", value));
  else if (key == "tolerance")
    options.tolerance = parse_number<double>("tolerance", value);
  else if (key == "least")
    options.least = parse_number<double>("fraction of a layer", value);
  else if (key == "most")
    options.most = parse_number<double>("fraction of a layer", value);
  else
    refuse("eagle_eye has no option \"", key, "\": choose ", search_keys);
}

std::string canonical(lnpt::eagle_eye_options const& options) {
  lnpt::eagle_eye_options const own;
  std::string text(search_name);
  if (options.candidates != own.candidates) text += ":candidates=" + std::to_string(options.candidates);
  if (options.tolerance != own.tolerance) text += ":tolerance=" + shortest_text(options.tolerance);
  if (options.least != own.least) text += ":least=" + shortest_text(options.least);
  if (options.most != own.most) text += ":most=" + shortest_text(options.most);
  return text;
}

}  // namespace

pruning_method pruning_method::shortened() const {
  auto shorter = *this;
  if (auto* const scored = std::get_if<criterion_spec>(&shorter.how)) scored->rounds = 1;
  if (auto* const searched = std::get_if<lnpt::eagle_eye_options>(&shorter.how)) searched->candidates = 1;
  return shorter;
}

pruning_method parse_method(std::string_view text) {
  auto const pieces = split(text, ':');
  if (!spelt_alike(pieces[0], search_name)) {
    auto const criterion = parse_criterion(text);
    require_use_of_schedule(criterion);
    return {canonical(criterion), criterion};
  }
  lnpt::eagle_eye_options options;
  read_options(std::span(pieces).subspan(1), text, "search", "candidates=20",
               [&](auto key, auto value) { set_option(options, key, value); });
  return {canonical(options), options};
}

std::string canonical_method(std::string const& text) {
  try {
    return parse_method(text).text;
  } catch (lnpt::error const&) {
    return text;
  }
}

}  // namespace cli
