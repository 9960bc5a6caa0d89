#include "checkpoint_choice.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <map>
#include <utility>

#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/tensor_names.hpp>

#include "packed_weights.hpp"

namespace cli {

namespace {

std::vector<std::string> patterns_in(std::string const& list) {
  std::vector<std::string> patterns;
  for (auto const each : split(list, ','))
    if (!each.empty()) patterns.emplace_back(each);
  return patterns;
}

/// The tensors of a training's checkpoint that are its optimiser's state or its hooks' and no weights; none of other files.
std::vector<std::string> state_of_training(std::string const& path) {
  if (!std::filesystem::is_regular_file(path) || lnpt::io::has_ending(path, ".json")) return {};
  auto const file = lnpt::io::safetensors::open(path);
  if (!file.metadata().contains("epoch")) return {};
  std::vector<std::string> patterns;
  for (auto const prefix : {lnpt::io::momentum_prefix, lnpt::io::hook_prefix})
    if (std::ranges::any_of(file.entries(), [&](auto const& each) { return each.name.starts_with(prefix); }))
      patterns.push_back(std::string(prefix) + "*");
  if (!patterns.empty())
    fmt::print(stderr, "lnpt: {} is a checkpoint of training, of which {} are no weights and left out\n", path,
               fmt::join(patterns, " and "));
  return patterns;
}

}  // namespace

void checkpoint_choice::describe(CLI::App& command, std::string const& what) {
  command.add_option("--checkpoint", from, "Instead of --arch: a folder, index.json or safetensors file of any model, " + what);
  command.add_option("--include", include, "With --checkpoint: only tensors of these names, such as \"*.mlp.*,*.attn.*\"");
  command.add_option("--exclude", exclude, "With --checkpoint: all but tensors of these names");
}

lnpt::out_of_core::prune_options checkpoint_choice::options(criterion_kind criterion, std::uint64_t seed) const {
  using lnpt::out_of_core::criterion::magnitude;
  using lnpt::out_of_core::criterion::random;
  if (criterion != criterion_kind::magnitude && criterion != criterion_kind::random)
    refuse(spell(criterion_names, criterion), " needs a network: give --arch, or choose magnitude or random");
  if (std::filesystem::is_regular_file(from) && lnpt::io::has_ending(from, ".safetensors") &&
      is_packed(lnpt::io::safetensors::open(from)))
    refuse(from,
           " is packed, the kept weights of one network alone: name it with --weights, and the network with --arch or --model");
  auto excluded = patterns_in(exclude);
  std::ranges::move(state_of_training(from), std::back_inserter(excluded));
  return {.criterion = criterion == criterion_kind::magnitude ? magnitude : random,
          .seed = seed,
          .include = patterns_in(include),
          .exclude = std::move(excluded)};
}

criterion_kind checkpoint_criterion(std::string const& typed) {
  if (typed.empty()) return criterion_kind::magnitude;
  if (auto const colon = typed.find(':'); colon != std::string::npos)
    refuse("\"", typed, "\" gives options, which are for scoring a network: write ", typed.substr(0, colon),
           ", or give --arch instead of --checkpoint");
  return parse_criterion(typed).kind;
}

void print_left_dense(std::vector<std::pair<std::string, std::string>> const& dense) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (auto const& [name, reason] : dense) by_reason[reason].push_back(name);
  for (auto const& [reason, names] : by_reason) fmt::print("left dense, {}: {}\n", reason, fmt::join(names, ", "));
}

}  // namespace cli
