#include "network_digest.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/pixel_digest.hpp>
#include <lnpt/io/zip/archive.hpp>

#include "engine_setting.hpp"
#include "exported.hpp"

namespace cli {

namespace {

std::uint64_t digest_of(std::string_view text, std::uint64_t digest) {
  return lnpt::io::pixel_digest({reinterpret_cast<std::uint8_t const*>(text.data()), text.size()}, digest);
}

/// Of an archive by the names and checksums that its directory holds. The graph is an entry of its own, which training leaves as it is.
std::uint64_t digest_of_program(std::string const& path, network_part part) {
  std::uint64_t digest = 0;
  lnpt::io::zip::archive const archive(lnpt::io::byte_source::open(path));
  for (auto const& each : archive.entries()) {
    auto const name = std::string_view(each.name).substr(each.name.find('/') + 1);  // what comes first is the file's own name
    auto const is_weight = name.starts_with("data/weights/");
    if (name != "models/model.json" && (part == network_part::layers || !is_weight)) continue;
    digest = digest_of(fmt::format("{} {} {}", name, each.size, each.checksum), digest);
  }
  return digest;
}

std::optional<std::uint64_t> digest_of_network(std::string const& arch, network_part part) {
  if (names_exported(arch)) return digest_of_program(arch, part);
  if (!lnpt::io::has_ending(arch, ".json") || !std::filesystem::is_regular_file(arch)) return std::nullopt;
  std::ifstream file(arch, std::ios::binary);
  return digest_of(std::string(std::istreambuf_iterator<char>(file), {}), 0);
}

}  // namespace

void note_network(run_settings& settings, std::string const& arch, network_part part) {
  settings[network_setting] = arch;
  if (auto const digest = digest_of_network(arch, part)) settings[network_digest_setting] = fmt::format("{:016x}", *digest);
}

}  // namespace cli
