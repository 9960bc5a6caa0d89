#include "settings_difference.hpp"

#include <fmt/format.h>
#include <string_view>

#include "engine_setting.hpp"
#include "hook_spec.hpp"

namespace cli {

std::string setting_of(run_settings const& settings, std::string const& name) {
  auto const found = settings.find(name);
  if (found == settings.end()) return unsaid(name);
  return is_hook_setting(name) ? canonical_hooks(found->second) : found->second;
}

std::optional<std::string> data_of_digest(std::string const& setting) {
  std::string_view name = setting;
  if (!name.ends_with(digest_setting) || name == network_digest_setting) return std::nullopt;
  name.remove_suffix(std::string_view(digest_setting).size());
  return name.empty() ? data_setting : std::string(name.substr(0, name.size() - 1));  // such as "pretrain" of "pretrain-digest"
}

namespace {

/// Whether both runs know what the file of their network held, so that its name says nothing.
bool know_their_network(run_settings const& a, run_settings const& b) {
  return a.contains(network_digest_setting) && b.contains(network_digest_setting);
}

bool is_digest(std::string const& name) { return name == network_digest_setting || data_of_digest(name).has_value(); }

}  // namespace

std::optional<std::string> differing_setting(run_settings const& a, run_settings const& b) {
  auto all = a;
  all.insert(b.begin(), b.end());
  for (auto const of_digests : {false, true})
    for (auto const& [name, value] : all) {
      if (is_digest(name) != of_digests) continue;
      if (name == network_setting && know_their_network(a, b)) continue;
      auto const said = a.contains(name) && b.contains(name);
      if (said || !may_go_unsaid(name, value))
        if (setting_of(a, name) != setting_of(b, name)) return name;
    }
  return std::nullopt;
}

std::optional<std::string> difference_in_words(run_settings const& held, run_settings const& asked) {
  auto const name = differing_setting(held, asked);
  if (!name) return std::nullopt;
  if (auto const data = data_of_digest(*name)) return fmt::format("on other images than {} holds now", setting_of(asked, *data));
  if (*name == network_digest_setting)
    return fmt::format("of another network than {} holds now", setting_of(asked, network_setting));
  auto const shown = [&](run_settings const& settings) {
    auto value = setting_of(settings, *name);
    return value.empty() ? std::string("none") : value;
  };
  return fmt::format("with {} {} and not {}", *name, shown(held), shown(asked));
}

}  // namespace cli
