#include "data_digest.hpp"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <span>

#include <lnpt/core/random.hpp>

#include "data.hpp"

namespace cli {

std::string digest_of(lnpt::io::data_set const& data) {
  std::uint64_t hash = 0;
  for (auto const* const images : {&data.train, &data.test}) {
    std::span const pixels(images->pixels);
    for (std::size_t at = 0; at < pixels.size(); at += sizeof hash) {
      std::uint64_t eight = 0;
      for (auto const byte : pixels.subspan(at, std::min(sizeof hash, pixels.size() - at))) eight = eight << 8 | byte;
      hash = lnpt::random_bits(hash, eight);
    }
    for (auto const label : images->labels) hash = lnpt::random_bits(hash, static_cast<std::uint64_t>(label));
  }
  return fmt::format("{:016x}", hash);
}

void note_images(std::map<std::string, std::string>& settings, data_options const& from, lnpt::io::data_set const& data) {
  settings["data"] = data_kind(from.data);
  settings["mean"] = from.mean;
  settings["std"] = from.stddev;
  settings["train-images"] = std::to_string(data.train.size());
  settings["test-images"] = std::to_string(data.test.size());
  settings[digest_setting] = digest_of(data);
}

}  // namespace cli
