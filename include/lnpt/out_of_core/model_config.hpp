#pragma once
/// What a config.json beside a model says that pruning has to know.
#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>

namespace lnpt::out_of_core {

struct model_config {
  std::string type;              ///< model_type
  std::uint64_t vocabulary = 0;  ///< vocab_size; 0 where it is not given
  std::vector<std::array<std::uint64_t, 2>> scale_blocks =
      {};  ///< rows and columns that share a scale; none where that is not given
};

namespace detail {

/// Takes the block of 8-bit weights from a `quantization_config`: `weight_block_size` of Hugging Face transformers, or the
/// `block_structure` of compressed-tensors, whose groups of layers have weights of their own.
inline void read_scale_blocks(nlohmann::json const& quantization, model_config& config) {
  auto const read = [&](nlohmann::json const& from, char const* key) {
    auto const block = from.find(key);
    if (block == from.end() || !block->is_array() || block->size() != 2) return;
    std::array<std::uint64_t, 2> extents{};
    for (std::size_t axis = 0; axis != 2; ++axis) {
      auto const& given = (*block)[axis];  // 128, or 128.0
      if (given.is_number() && given.get<double>() >= 1 && given.get<double>() < 0x1p53)
        extents[axis] = static_cast<std::uint64_t>(given.get<double>());
    }
    if (extents[0] != 0 && extents[1] != 0) config.scale_blocks.push_back(extents);
  };
  read(quantization, "weight_block_size");
  auto const groups = quantization.find("config_groups");
  if (groups == quantization.end() || !groups->is_object()) return;
  for (auto const& group : *groups)
    if (auto const weights = group.find("weights"); weights != group.end() && weights->is_object())
      read(*weights, "block_structure");
}

}  // namespace detail

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
    if (auto const scales = from.find("quantization_config"); scales != from.end() && scales->is_object())
      detail::read_scale_blocks(*scales, config);
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
