#include "file_contents.hpp"

#include <algorithm>

#include <lnpt/core/error.hpp>
#include <lnpt/io/teacher_cache.hpp>
#include <lnpt/io/tensor_names.hpp>

namespace cli {

std::optional<file_contents> other_than_weights(lnpt::io::safetensors::file const& file) {
  auto const& all = file.entries();
  auto const is_mask = [](auto const& each) { return each.name.starts_with(lnpt::io::mask_prefix); };
  if (!all.empty() && std::ranges::all_of(all, is_mask)) return file_contents{holds_masks, "masks alone"};
  if (lnpt::io::teacher_cache::is_in(file)) return file_contents{"teacher_cache", "what a teacher said, written by lnpt teach,"};
  auto const held = file.metadata().find(holds_key);
  if (held != file.metadata().end() && held->second == holds_scores)
    return file_contents{holds_scores, "scores, written by lnpt score --out,"};
  // Earlier versions wrote logits without a word on them.
  if (all.size() == 1 && all.front().name == "logits")
    return file_contents{holds_logits, "logits, written by lnpt evaluate --logits,"};
  return std::nullopt;
}

void require_weights(lnpt::io::safetensors::file const& file) {
  if (auto const found = other_than_weights(file))
    lnpt::fail(file.name(), " holds ", found->words, " and no weights: name a file of weights");
}

}  // namespace cli
