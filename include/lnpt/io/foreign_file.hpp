#pragma once
/// What a file is that was taken for a safetensors file.
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace lnpt::io {

/// How a file of another format begins, what it is, and what to do with it.
struct foreign_format {
  std::string_view first_bytes;
  std::string_view sentence;
};

namespace detail {

inline constexpr std::array<foreign_format, 6> foreign_formats{{
    {"PK\x03\x04",
     "a zip archive, as torch.save and torch.export write them: save model.state_dict() with safetensors.torch.save_file"},
    {"\x80\x02", "a pickle, as torch.save wrote it before PyTorch 1.6: save the state_dict with safetensors.torch.save_file"},
    {"\x1f\x8b", "one compressed by gzip: unpack it with gunzip"},
    {"\x89HDF", "an HDF5 file, as Keras writes them: save its weights with safetensors.numpy.save_file"},
    {"GGUF", "a GGUF file, as llama.cpp reads them: name the safetensors file it was made from"},
    {"{", "a JSON text: name a safetensors file, such as one that an index lists"},
}};

}  // namespace detail

/// The format that these first bytes of a file belong to, where people take that format for safetensors; else null.
[[nodiscard]] inline foreign_format const* recognize_foreign(std::span<std::byte const> first) {
  std::string_view const text(reinterpret_cast<char const*>(first.data()), first.size());
  for (auto const& format : detail::foreign_formats)
    if (text.starts_with(format.first_bytes)) return &format;
  return nullptr;
}

}  // namespace lnpt::io
