#pragma once
/// A training run between two epochs, in one file that is also a plain state dict.
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/number_text.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/train/train.hpp>

namespace lnpt::io {

/// What a checkpoint holds beside the model.
struct checkpoint {
  train_state state = {};
  mask_set masks = {};
  std::map<std::string, std::string> settings = {};  ///< whatever decides the rest of the run, by name
};

namespace detail {

inline constexpr std::string_view setting_prefix = "setting.";

template <class Number>
[[nodiscard]] Number metadata_number(safetensors::file const& file, std::string const& key) {
  auto const found = file.metadata().find(key);
  if (found == file.metadata().end())
    fail(file.name(), " is no checkpoint: its metadata lack \"", key, "\"; resume from what training wrote");
  auto const value = number_in<Number>(found->second);
  if (!value) fail(file.name(), ": the metadata \"", key, "\" are ", in_quotes(found->second), "; a number is needed");
  return *value;
}

}  // namespace detail

/// Writes model, masks (those that hooks set, where they did), momentum (`momentum.` + parameter name), what hooks carry (`hook.` + its
/// name) and, as metadata, counters and settings; an older file of that name is replaced only by a complete new one. The file loads as a state dict too.
template <has_state Model>
void save_checkpoint(std::filesystem::path const& path, Model& model, checkpoint const& at) {
  safetensors::writer writer;
  add_state_dict(writer, model, at.state.masks.empty() ? at.masks : at.state.masks);
  if (!at.state.velocity.empty()) {
    auto velocity = at.state.velocity.begin();
    for (auto const& p : model.parameters()) {
      using T = std::remove_cvref_t<decltype(*velocity)>;
      writer.add(std::string(momentum_prefix) + p.name, shape_of(*velocity), tensor_traits<T>::view(*velocity));
      ++velocity;
    }
  }
  for (auto const& [name, values] : at.state.hooks)
    writer.add(std::string(hook_prefix) + name, {values.size()}, std::span(values));
  writer.metadata("epoch", std::to_string(at.state.epoch));
  writer.metadata("last_accuracy", shortest_text(at.state.last_accuracy));
  writer.metadata("best_accuracy", shortest_text(at.state.best_accuracy));
  writer.metadata("last_loss", shortest_text(at.state.last_loss));
  for (auto const& [name, value] : at.settings) writer.metadata(std::string(detail::setting_prefix) + name, value);
  writer.save(path);
}

/// How many epochs a checkpoint has behind it.
[[nodiscard]] inline std::size_t checkpoint_epoch(safetensors::file const& file) {
  return detail::metadata_number<std::size_t>(file, "epoch");
}

/// The settings a checkpoint was written with.
[[nodiscard]] inline std::map<std::string, std::string> checkpoint_settings(safetensors::file const& file) {
  std::map<std::string, std::string> settings;
  for (auto const& [key, value] : file.metadata())
    if (key.starts_with(detail::setting_prefix)) settings.emplace(key.substr(detail::setting_prefix.size()), value);
  return settings;
}

/// Refuses a checkpoint whose run had other settings than these, naming the first that differs, and a file that is none.
inline void require_settings(safetensors::file const& file, std::map<std::string, std::string> const& expected) {
  (void)checkpoint_epoch(file);
  auto held = checkpoint_settings(file);
  auto const shown = [](std::string const& value) { return value.empty() ? std::string("none") : value; };
  for (auto const& [name, value] : expected)
    if (held[name] != value)
      fail_request(file.name(), " was trained with ", name, ' ', shown(held[name]), " and not ", shown(value),
                   ": resume with the settings it was begun with");
}

/// Fills the model from a checkpoint, all or nothing, and gives back the rest. A run goes on from it to the same bits.
template <has_state Model>
[[nodiscard]] checkpoint load_checkpoint(Model& model, safetensors::file const& file) {
  checkpoint at;
  at.state.epoch = checkpoint_epoch(file);
  at.state.last_accuracy = detail::metadata_number<double>(file, "last_accuracy");
  at.state.best_accuracy = detail::metadata_number<double>(file, "best_accuracy");
  at.state.last_loss = detail::metadata_number<double>(file, "last_loss");
  at.masks = load_masks(model, file);
  at.settings = checkpoint_settings(file);
  for (auto const& entry : file.entries())
    if (entry.name.starts_with(hook_prefix))
      at.state.hooks.emplace(entry.name.substr(hook_prefix.size()), file.read<double>(entry.name));
  for (auto const& p : model.parameters()) {
    auto const name = std::string(momentum_prefix) + p.name;
    if (!file.contains(name)) fail(file.name(), " lacks ", in_quotes(name), ": resume from what training wrote after an epoch");
    at.state.velocity.push_back(detail::read_parameter(p, file, name));
  }
  load_state_dict(model, file);
  return at;
}

}  // namespace lnpt::io
