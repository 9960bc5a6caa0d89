/// The programs that README.md shows are the ones that the build runs.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "../text_of.hpp"

namespace {

/// An example from its first #include on, as README.md shows it.
std::string shown(std::filesystem::path const& example) {
  auto const text = text_of(example);
  return "```cpp\n" + text.substr(text.find("#include")) + "```\n";
}

}  // namespace

TEST_CASE("README.md shows the examples as they are compiled") {
  auto const root = std::filesystem::path(__FILE__).parent_path() / "../..";
  auto const readme = text_of(root / "README.md");
  for (auto const* const name : {"quickstart", "torch_prune_your_model", "torchscript"}) {
    CAPTURE(name);
    CHECK(readme.find(shown(root / "examples" / (std::string(name) + ".cpp"))) != std::string::npos);
  }
}
