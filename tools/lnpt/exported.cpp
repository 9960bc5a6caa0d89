#include "exported.hpp"

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>

namespace cli {

bool names_exported(std::string_view text) { return text.ends_with(".pt2"); }

exported_shape exported_shape_of(std::string const& path) {
  lnpt::io::exported::program const program(lnpt::io::byte_source::open(path));
  auto const logits = program.sample_shape(program.results().empty() ? std::string() : program.results().front());
  auto input = program.sample_shape(program.batch());
  if (input.size() == 2) input.insert(input.begin() + 1, 1);
  return {std::move(input), logits.empty() ? 0 : logits.back()};
}

template <class Network>
Network load_exported_network(std::string const& path) {
  return lnpt::io::load_exported<typename Network::backend>(path);
}
template lnpt::network<lnpt::cpu::backend<float>> load_exported_network(std::string const&);
template lnpt::network<lnpt::cpu::backend<double>> load_exported_network(std::string const&);

void save_pruned_program(std::string const& from, lnpt::mask_set const& masks, std::string const& to) {
  if (names_exported(to)) return lnpt::io::save_exported(from, masks, to);
  lnpt::io::safetensors::writer writer;
  lnpt::io::exported::add_state_dict(writer, lnpt::io::exported::program(lnpt::io::byte_source::open(from)), masks);
  writer.metadata("model", from);
  writer.save(to);
}

}  // namespace cli
