#pragma once
/// The text of a file of this repository, for tests that hold documentation against code.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

inline std::string text_of(std::filesystem::path const& file) {
  std::ifstream in(file);
  REQUIRE_MESSAGE(in.good(), file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}
