#pragma once
/// Outputs that cannot be written, or would replace one another, what is only read, or a file of another kind: refused before the work that
/// they are to hold.
#include <filesystem>
#include <string>
#include <vector>

namespace cli {

/// What lnpt writes into files. An output replaces a file of its own kind, and no other.
enum class file_kind {
  tensors,      ///< safetensors, or an exported program where the name ends in .pt2
  checkpoint,   ///< safetensors that training goes on from
  description,  ///< of a smaller network
  onnx,
  page,
  plot  ///< a figure as .svg, or a script of gnuplot
};

/// A file and the option that named it, or what the file holds where none did.
struct named_file {
  char const* option;
  std::string path;  ///< empty: not given
  file_kind kind = file_kind::tensors;
};

/// Whether two names are of one file, be it there yet or not.
[[nodiscard]] bool are_one_file(std::string const& a, std::string const& b);

/// Refuses an output whose folder takes no file, that is a folder itself, also one of the other files, of which one would be lost, or in the
/// place of a file of another kind.
void require_output(named_file const& output, std::vector<named_file> const& others);

/// Refuses a folder of outputs that cannot be: one that is a file, or lies in a file or in a folder that takes nothing new.
void require_output_folder(char const* option, std::filesystem::path const& folder);

}  // namespace cli
