#include "exported.hpp"

#include <fmt/format.h>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
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

bool names_exported(std::string_view text) { return text.ends_with(".pt2"); }

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

template <class Network>
void save_program_of(std::string const& from, Network& network, std::string const& to) {
  auto const source = open_program(from);
  auto const changed = lnpt::io::exported::values_of_network(source, network);
  save_changed(source, changed, to);
  if (auto const left = lnpt::io::exported::unchanged_tensors(source, changed); !left.empty())
    fmt::print("{} keeps the values that {} has of {}: the logits do not depend on them\n", to, from,
               lnpt::io::first_names(left));
}

template <class Network>
void save_smaller_program(exported_model const& from, Network& smaller, std::string const& to) {
  lnpt::io::save_smaller_exported(from.path, smaller, to, {.features_output = from.features});
}

using float_network = lnpt::network<lnpt::cpu::backend<float>>;
using double_network = lnpt::network<lnpt::cpu::backend<double>>;
template float_network load_exported_network(exported_model const&);
template double_network load_exported_network(exported_model const&);
template void load_exported_weights(float_network&, exported_model const&, lnpt::io::safetensors::file const&,
                                    lnpt::io::state_dict_options const&);
template void load_exported_weights(double_network&, exported_model const&, lnpt::io::safetensors::file const&,
                                    lnpt::io::state_dict_options const&);
template void save_program_of(std::string const&, float_network&, std::string const&);
template void save_program_of(std::string const&, double_network&, std::string const&);
template void save_smaller_program(exported_model const&, float_network&, std::string const&);
template void save_smaller_program(exported_model const&, double_network&, std::string const&);

}  // namespace cli
