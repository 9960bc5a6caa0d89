/// Any bytes as an index of shards, as a journal and as a config.json.
#include <lnpt/io/shard_index.hpp>
#include <lnpt/out_of_core/journal.hpp>
#include <lnpt/out_of_core/model_config.hpp>
#include <string>
#include <string_view>

#include "support.hpp"

namespace {

constexpr std::string_view index_text =
    R"({"metadata":{"total_size":16},"weight_map":{"a.weight":"1.safetensors","b.weight":"2.safetensors"}})";

/// What a journal says is what its whole lines say: the same again when they are written anew without the last one cut.
void read_journal(std::string_view text) {
  auto const record = lnpt::out_of_core::parse_journal(text);
  auto const end = text.rfind('\n');
  fuzz::require(record == lnpt::out_of_core::parse_journal(text.substr(0, end == text.npos ? 0 : end + 1)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  fuzz::attempt([&] {
    auto const shards = lnpt::io::read_shard_index(lnpt::io::byte_source::view(std::as_bytes(std::span(data, size)), "memory"));
    for (auto const& [tensor, file] : shards) fuzz::require(!file.empty() && file.find('/') == file.npos && file != "..");
  });
  fuzz::attempt([&] { static_cast<void>(lnpt::out_of_core::parse_config(text, "memory")); });
  read_journal(text);
  read_journal("lnpt-prune 3 x\n" + std::string(text));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  return fuzz::mutate_from(data, size, max_size, seed, std::as_bytes(std::span(index_text)));
}
