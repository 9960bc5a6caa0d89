#include "batch_counters.hpp"

#include <lnpt/io/state_dict.hpp>

#include "text.hpp"

namespace cli {

batch_counters::batch_counters(lnpt::io::safetensors::file const& weights, lnpt::io::state_dict_options const& names) {
  lnpt::io::tensor_names const known(weights, names);
  for (auto const& [name, stored] : known.all())
    if (lnpt::io::detail::is_counter(name) && weights.info(stored).size() == 1)
      values_.emplace(name, weights.read<std::int64_t>(stored).front());
}

batch_counters::batch_counters(exported_model const& network) : values_(exported_counters(network.path)) {}

batch_counters::batch_counters(std::string const& text) {
  if (text.empty()) return;
  for (auto const each : split(text, ',')) {
    auto const equals = each.rfind('=');
    if (equals == std::string_view::npos)
      lnpt::fail("a checkpoint counts batches as \"", text, "\": resume from what training wrote");
    values_.emplace(each.substr(0, equals), parse_number<std::int64_t>("count of batches", each.substr(equals + 1)));
  }
}

std::string batch_counters::text() const {
  std::string text;
  for (auto const& [name, count] : values_) text += (text.empty() ? "" : ",") + name + '=' + std::to_string(count);
  return text;
}

std::map<std::string, std::int64_t> batch_counters::after(std::size_t steps) const {
  auto counted = values_;
  for (auto& [name, count] : counted) count += static_cast<std::int64_t>(steps);
  return counted;
}

}  // namespace cli
