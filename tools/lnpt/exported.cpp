#include "exported.hpp"

#include <cstring>
#include <fmt/format.h>
#include <span>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/in_quotes.hpp>
#include <lnpt/io/safetensors_writer.hpp>

namespace cli {

namespace {

using lnpt::io::exported::program;

program open_program(std::string const& path) { return program(lnpt::io::byte_source::open(path)); }

void save_changed(program const& source, lnpt::io::exported::changes const& changed, std::string const& to) {
  if (names_exported(to)) return lnpt::io::exported::save(source, changed, to);
  lnpt::io::safetensors::writer writer;
  lnpt::io::exported::add_state_dict(writer, source, changed);
  writer.metadata("model", source.name());
  writer.save(to);
}

}  // namespace

bool names_exported(std::string_view text) { return lnpt::io::has_ending(text, ".pt2"); }

exported_shape exported_shape_of(std::string const& path) {
  auto const source = open_program(path);
  auto const logits = source.sample_shape(source.results().empty() ? std::string() : source.results().front());
  auto input = source.sample_shape(source.batch());
  if (input.size() == 2) input.insert(input.begin() + 1, 1);
  return {std::move(input), logits.empty() ? 0 : logits.back()};
}

template <class Network>
Network load_exported_network(exported_model const& model) {
  return lnpt::io::load_exported<typename Network::backend>(model.path, {.features_output = model.features});
}

template <class Network>
void load_exported_weights(Network& network, exported_model const& model, lnpt::io::safetensors::file const& weights,
                           lnpt::io::state_dict_options const& names) {
  lnpt::io::exported::load_state_dict(network, open_program(model.path), weights, names);
}

std::map<std::string, lnpt::shape> exported_extents(std::string const& path) {
  std::map<std::string, lnpt::shape> extents;
  auto const source = open_program(path);
  for (auto const& tensor : source.tensors()) extents.emplace(tensor.name, tensor.extents);
  return extents;
}

void save_pruned_program(std::string const& from, lnpt::mask_set const& masks, std::string const& to) {
  auto const source = open_program(from);
  save_changed(source, lnpt::io::exported::pruned_by(source, masks), to);
}

std::map<std::string, std::int64_t> exported_counters(std::string const& path) {
  auto const source = open_program(path);
  std::map<std::string, std::int64_t> counters;
  for (std::size_t i = 0; i < source.state_size(); ++i) {
    auto const& tensor = source.tensors()[i];
    if (!lnpt::io::detail::is_counter(tensor.name) || tensor.dtype != lnpt::io::dtype::i64 || tensor.size() != 1) continue;
    counters.emplace(tensor.name, lnpt::io::exported::read_values<std::int64_t>(source.archive(), tensor).front());
  }
  return counters;
}

template <class Network>
void save_program_of(std::string const& from, Network& network, std::string const& to,
                     std::map<std::string, std::int64_t> const& counters) {
  auto const source = open_program(from);
  auto changed = lnpt::io::exported::values_of_network(source, network);
  for (std::size_t i = 0; i < source.state_size(); ++i)
    if (auto const found = counters.find(source.tensors()[i].name);
        found != counters.end() && source.tensors()[i].dtype == lnpt::io::dtype::i64)
      changed[source.canonical(i)] = [count = found->second](std::span<std::byte> to_bytes) {
        if (to_bytes.size() == sizeof count) std::memcpy(to_bytes.data(), &count, sizeof count);
      };
  save_changed(source, changed, to);
  if (auto const left = lnpt::io::exported::unchanged_tensors(source, changed); !left.empty())
    fmt::print(stderr, "lnpt: {} keeps the values that {} has of {}: the logits do not depend on them\n", to, from,
               lnpt::io::first_names(left));
}

template <class Network>
void save_smaller_program(exported_model const& from, Network& smaller, std::string const& to) {
  lnpt::io::save_smaller_exported(from.path, smaller, to, {.features_output = from.features});
  auto const before = open_program(from.path);
  auto const after = open_program(to);
  for (std::size_t i = 1; i < before.results().size(); ++i) {
    if (before.results()[i].empty()) continue;
    auto const whole = before.sample_shape(before.results()[i]);
    auto const narrow = after.sample_shape(after.results().at(i));
    if (whole != narrow)
      fmt::print(stderr, "lnpt: result {} of {}, which its classifier reads, has the shape {} and not {} as in {}\n", i, to,
                 lnpt::list(narrow), lnpt::list(whole), from.path);
  }
}

using float_network = lnpt::network<lnpt::cpu::backend<float>>;
using double_network = lnpt::network<lnpt::cpu::backend<double>>;
template float_network load_exported_network(exported_model const&);
template double_network load_exported_network(exported_model const&);
template void load_exported_weights(float_network&, exported_model const&, lnpt::io::safetensors::file const&,
                                    lnpt::io::state_dict_options const&);
template void load_exported_weights(double_network&, exported_model const&, lnpt::io::safetensors::file const&,
                                    lnpt::io::state_dict_options const&);
template void save_program_of(std::string const&, float_network&, std::string const&, std::map<std::string, std::int64_t> const&);
template void save_program_of(std::string const&, double_network&, std::string const&,
                              std::map<std::string, std::int64_t> const&);
template void save_smaller_program(exported_model const&, float_network&, std::string const&);
template void save_smaller_program(exported_model const&, double_network&, std::string const&);

}  // namespace cli
