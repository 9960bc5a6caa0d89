#pragma once
/// What a config.json beside a model says that pruning has to know.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>

namespace lnpt::out_of_core {

struct model_config {
  std::string type;              ///< model_type
  std::uint64_t vocabulary = 0;  ///< vocab_size; 0 where it is not given
};

/// The configuration from its JSON text; a text model inside a larger one is looked for under text_config.
[[nodiscard]] inline model_config parse_config(std::string_view text, std::string_view file) {
  auto const json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) fail(file, " is no JSON object; a model's config.json is one");
  model_config config;
  auto const read = [&](nlohmann::json const& from) {
    if (auto const type = from.find("model_type"); type != from.end() && type->is_string())
      config.type = type->get<std::string>();
    if (auto const size = from.find("vocab_size"); size != from.end() && size->is_number_unsigned())
      config.vocabulary = size->get<std::uint64_t>();
  };
  read(json);
  if (auto const inner = json.find("text_config"); inner != json.end() && inner->is_object()) read(*inner);
  return config;
}

/// The configuration in a folder, or an empty one where it has none.
[[nodiscard]] inline model_config read_config(std::filesystem::path const& folder) {
  auto const path = folder / "config.json";
  if (!std::filesystem::exists(path)) return {};
  constexpr std::uint64_t largest = 16'000'000;
  auto const source = io::byte_source::open(path);
  if (source.size() > largest) fail(path.string(), " has ", source.size(), " bytes; a model's config.json has at most ", largest);
  std::string text(static_cast<std::size_t>(source.size()), '\0');
  source.read(0, std::as_writable_bytes(std::span(text)));
  return parse_config(text, path.string());
}

}  // namespace lnpt::out_of_core
