#pragma once
/// PyTorch networks by `torch.export`: reading `.pt2` files into networks of this engine, and writing them back.
#include <filesystem>

#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/exported_program/build.hpp>
#include <lnpt/io/exported_program/load_state.hpp>
#include <lnpt/io/exported_program/new_values.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/save.hpp>
#include <lnpt/io/exported_program/save_smaller.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::io {

/// The network of a file that `torch.export.save` wrote (PyTorch 2.9 or newer), with the state_dict's names:
///
///     auto network = lnpt::io::load_exported<lnpt::cpu::backend<float>>("net.pt2");
///
/// Throws `lnpt::error` naming every operator that no layer computes and the module that called it.
template <class Backend>
[[nodiscard]] network<Backend> load_exported(std::filesystem::path const& path, exported::build_options const& options = {}) {
  return exported::build_network<Backend>(exported::program(byte_source::open(path)), options);
}

/// Writes the file `from` again with the weights that the masks prune set to zero; `torch.export.load` reads the result.
///
///     lnpt::io::save_exported("net.pt2", masks, "pruned.pt2");
inline void save_exported(std::filesystem::path const& from, mask_set const& masks, std::filesystem::path const& to) {
  exported::program const source(byte_source::open(from));
  exported::save(source, exported::pruned_by(source, masks), to);
}

/// Writes the file `from` again with the values of a network that was read from it and trained since.
///
///     lnpt::io::save_exported("net.pt2", network, "trained.pt2");
template <has_state Model>
void save_exported(std::filesystem::path const& from, Model& network, std::filesystem::path const& to) {
  exported::program const source(byte_source::open(from));
  exported::save(source, exported::values_of_network(source, network), to);
}

/// Writes the file `from` again as the smaller network that `shrink` made of the one that was read from it.
///
///     auto network = lnpt::io::load_exported<lnpt::cpu::backend<float>>("net.pt2");
///     auto smaller = lnpt::shrink(network, masks, images);
///     lnpt::io::save_smaller_exported("net.pt2", smaller.model, "small.pt2");
template <class Backend>
void save_smaller_exported(std::filesystem::path const& from, network<Backend>& smaller, std::filesystem::path const& to,
                           exported::build_options const& options = {}) {
  exported::save_smaller(exported::program(byte_source::open(from)), smaller, to, options);
}

}  // namespace lnpt::io
