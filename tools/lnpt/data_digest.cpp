#include "data_digest.hpp"

#include <cstdint>
#include <fmt/format.h>

#include <lnpt/core/random.hpp>
#include <lnpt/io/pixel_digest.hpp>

#include "data.hpp"

namespace cli {

std::string digest_of(lnpt::io::data_set const& data) {
  std::uint64_t hash = 0;
  for (auto const* const images : {&data.train, &data.test}) {
    hash = lnpt::io::pixel_digest(images->pixels, hash);
    for (auto const label : images->labels) hash = lnpt::random_bits(hash, static_cast<std::uint64_t>(label));
  }
  return fmt::format("{:016x}", hash);
}

void note_images(std::map<std::string, std::string>& settings, data_options const& from, lnpt::io::data_set const& data) {
  settings[data_setting] = data_kind(from.data);
  settings["mean"] = from.mean;
  settings["std"] = from.stddev;
  settings["train-images"] = std::to_string(data.train.size());
  settings["test-images"] = std::to_string(data.test.size());
  settings[digest_setting] = digest_of(data);
}

}  // namespace cli
