#pragma once
/// A folder that vanishes, files made of bytes, and what an error said.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <lnpt/core/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace support {

using bytes = std::vector<std::uint8_t>;

/// A fresh folder, removed with all it holds at the end of the scope.
class temporary_folder {
 public:
  temporary_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "lnpt-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) lnpt::fail("cannot make ", pattern, ": the tests need a writable temporary folder");
    path_ = pattern;
  }
  temporary_folder(temporary_folder const&) = delete;
  temporary_folder& operator=(temporary_folder const&) = delete;
  ~temporary_folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  std::filesystem::path write(std::string_view name, bytes const& content) const {
    std::ofstream(path_ / name, std::ios::binary).write(reinterpret_cast<char const*>(content.data()), std::ssize(content));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

[[nodiscard]] inline std::string text_of(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The words of the `lnpt::error` that `act` throws; empty where it throws none. Any other exception passes.
template <class Act>
[[nodiscard]] std::string refusal(Act act) {
  try {
    act();
  } catch (lnpt::error const& predicted) {
    return predicted.what();
  }
  return {};
}

[[nodiscard]] inline bool says(std::string_view message, std::string_view words) { return message.find(words) != message.npos; }

}  // namespace support
