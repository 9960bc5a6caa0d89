#include "hook_spec.hpp"

#include <algorithm>

#include "text.hpp"

namespace cli {

namespace {

constexpr spelling<hook_kind> regulariser_names[]{{"slimming", hook_kind::slimming},
                                                  {"polarization", hook_kind::polarization},
                                                  {"deep_hoyer", hook_kind::deep_hoyer},
                                                  {"group_lasso", hook_kind::group_lasso},
                                                  {"sss", hook_kind::sss},
                                                  {"gal_lite", hook_kind::gal_lite},
                                                  {"tpp", hook_kind::tpp}};
constexpr spelling<hook_kind> dynamic_names[]{{"rigl", hook_kind::rigl}, {"deep_rewiring", hook_kind::deep_rewiring}};

/// The options that do not depend on the run, and their defaults.
constexpr struct {
  hook_kind kind;
  std::string_view key, value;
} defaults[]{{hook_kind::slimming, "lambda", "1e-4"},
             {hook_kind::slimming, "after", "0"},
             {hook_kind::slimming, "over", "0"},
             {hook_kind::polarization, "lambda", "1e-4"},
             {hook_kind::polarization, "after", "0"},
             {hook_kind::polarization, "over", "0"},
             {hook_kind::deep_hoyer, "lambda", "1e-3"},
             {hook_kind::deep_hoyer, "by", "element"},
             {hook_kind::deep_hoyer, "after", "0"},
             {hook_kind::deep_hoyer, "over", "0"},
             {hook_kind::group_lasso, "lambda", "1e-4"},
             {hook_kind::group_lasso, "by", "output"},
             {hook_kind::group_lasso, "after", "0"},
             {hook_kind::group_lasso, "over", "0"},
             {hook_kind::sss, "lambda", "1e-4"},
             {hook_kind::sss, "momentum", "0.9"},
             {hook_kind::gal_lite, "lambda", "1e-4"},
             {hook_kind::tpp, "pruned", "0.5"},
             {hook_kind::tpp, "form", "mean_times_1000"},
             {hook_kind::tpp, "step", "1e-4"},
             {hook_kind::tpp, "every", "10"},
             {hook_kind::tpp, "ceiling", "1"},
             {hook_kind::tpp, "zero-every", "100"},
             {hook_kind::rigl, "fraction", "0.3"},
             {hook_kind::deep_rewiring, "alpha", "1e-5"},
             {hook_kind::deep_rewiring, "temperature", "0"}};

template <std::size_t N>
hook_spec parse_hook(std::string_view text, char const* what, spelling<hook_kind> const (&names)[N], char const* example) {
  auto const colon = text.find(':');
  auto const kind = parse_choice(what, names, text.substr(0, colon));
  hook_spec spec{std::string(text), kind, std::string(spell(names, kind)), {}};
  if (colon == text.npos) return spec;
  read_options(split(text.substr(colon + 1), ','), text, what, example,
               [&](auto key, auto value) { spec.options.emplace(key, std::string(value)); });
  return spec;
}

/// One spelling of an option's value: a number in its shortest, a word in lower case and with underscores.
std::string plain_value(std::string_view value) {
  if (auto const number = lnpt::io::number_in<double>(value)) return shortest_text(*number);
  std::string plain(value);
  std::ranges::transform(plain, plain.begin(), plain_letter);
  return plain;
}

/// Whether a name is that of one of these, as it was typed.
template <std::size_t N>
bool is_named(std::string_view name, spelling<hook_kind> const (&names)[N]) {
  return std::ranges::any_of(names, [&](auto const& each) { return spelt_alike(each.text, name); });
}

std::string canonical_hook(std::string_view text) {
  auto const name = text.substr(0, text.find(':'));
  if (is_named(name, regulariser_names)) return canonical(parse_regulariser(text));
  if (is_named(name, dynamic_names)) return canonical(parse_dynamic(text));
  return std::string(text);
}

}  // namespace

hook_spec parse_regulariser(std::string_view text) { return parse_hook(text, "regulariser", regulariser_names, "lambda=1e-4"); }
hook_spec parse_dynamic(std::string_view text) { return parse_hook(text, "dynamic mask", dynamic_names, "every=100"); }

std::optional<std::string_view> default_option(hook_kind kind, std::string_view key) {
  for (auto const& each : defaults)
    if (each.kind == kind && each.key == key) return each.value;
  return std::nullopt;
}

std::string canonical(hook_spec const& spec) {
  std::string text = spec.name;
  for (auto const& [key, value] : spec.options) {
    auto const plain = plain_value(value);
    if (auto const otherwise = default_option(spec.kind, key); otherwise && plain_value(*otherwise) == plain) continue;
    text.append(text.size() == spec.name.size() ? ":" : ",").append(key).append("=").append(plain);
  }
  return text;
}

bool is_hook_setting(std::string_view name) {
  return name == regulariser_setting || name == teacher_regulariser_setting || name == dynamic_setting;
}

std::string canonical_hooks(std::string_view joined) {
  constexpr std::string_view between = " + ";
  std::string all;
  for (;;) {
    auto const end = joined.find(between);
    all += canonical_hook(joined.substr(0, end));
    if (end == joined.npos) return all;
    all += between;
    joined.remove_prefix(end + between.size());
  }
}

}  // namespace cli
