/// The programs that README.md shows are the ones that the build runs.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "../repository.hpp"
#include "../text_of.hpp"

namespace {

/// An example from its first #include on, as README.md shows it.
std::string shown(std::filesystem::path const& example) {
  auto const text = text_of(example);
  return "```cpp\n" + text.substr(text.find("#include")) + "```\n";
}

/// The lines of an example between two lines `// [name]`, as README.md shows them: two columns to the left.
std::string region(std::filesystem::path const& example, std::string const& name) {
  auto const text = text_of(example);
  auto const marker = "  // [" + name + "]\n";
  auto const begin = text.find(marker) + marker.size();
  auto lines = "\n" + text.substr(begin, text.find(marker, begin) - begin);
  for (std::size_t at = 0; (at = lines.find("\n  ", at)) != std::string::npos;) lines.erase(++at, 2);
  return "```cpp" + lines + "```\n";
}

}  // namespace

TEST_CASE("README.md shows the examples as they are compiled") {
  auto const root = test::repository();
  auto const readme = text_of(root / "README.md");
  for (auto const* const name : {"quickstart", "torch_prune_your_model", "torchscript"}) {
    CAPTURE(name);
    CHECK(readme.find(shown(root / "examples" / (std::string(name) + ".cpp"))) != std::string::npos);
  }
  CHECK(readme.find(region(root / "examples/mpi_prune.cpp", "mpi")) != std::string::npos);
}
