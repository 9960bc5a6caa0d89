#pragma once
/// What acts on training, each by one string: regularisers such as `tpp:pruned=0.5,every=5`, and masks that move such as `rigl:every=50`.
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

/// Every form, for the help text.
inline constexpr char const* regulariser_forms =
    "slimming, polarization, deep_hoyer, group_lasso (lambda, after, over), sss (lambda, momentum), gal_lite (lambda), tpp "
    "(pruned, form, step, every, ceiling, zero-every)";

inline constexpr char const* dynamic_forms = "rigl (until, every, fraction) or deep_rewiring (alpha, temperature)";

enum class hook_kind { slimming, polarization, deep_hoyer, group_lasso, sss, gal_lite, tpp, rigl, deep_rewiring };

/// One of them as it was written.
struct hook_spec {
  std::string text;
  hook_kind kind;
  std::string name;
  std::map<std::string, std::string, std::less<>> options;
};

/// `name[:key=value,…]`; refuses unknown names.
[[nodiscard]] hook_spec parse_regulariser(std::string_view text);
[[nodiscard]] hook_spec parse_dynamic(std::string_view text);

/// What an option is where nobody gives it; nothing where that depends on the run, and of options that there are not.
[[nodiscard]] std::optional<std::string_view> default_option(hook_kind kind, std::string_view key);

/// The one spelling of a regulariser or of masks that move, however it was written: its name, and the options that are not its defaults.
[[nodiscard]] std::string canonical(hook_spec const& spec);

/// Names the setting of a run that holds one of them, or several joined by " + ".
inline constexpr char const* regulariser_setting = "regulariser";
inline constexpr char const* teacher_regulariser_setting = "teacher-regulariser";
inline constexpr char const* dynamic_setting = "dynamic";
[[nodiscard]] bool is_hook_setting(std::string_view name);

/// The value of such a setting with each in its one spelling; what is none stays as it is.
[[nodiscard]] std::string canonical_hooks(std::string_view joined);

}  // namespace cli
