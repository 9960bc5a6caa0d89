#pragma once
/// What lnpt's own safetensors files hold that are none of weights, so that none is taken for them.
#include <optional>
#include <string>

#include <lnpt/io/safetensors.hpp>

namespace cli {

/// The metadata by which files of scores and logits say so.
inline constexpr char const* holds_key = "lnpt.holds";
inline constexpr char const* holds_scores = "scores";
inline constexpr char const* holds_logits = "logits";
inline constexpr char const* holds_masks = "masks";

/// What a file holds in the place of weights: a name, and in words.
struct file_contents {
  std::string name, words;
};

/// The contents of a file of masks, scores, logits or a teacher's answers; nothing of other files.
[[nodiscard]] std::optional<file_contents> other_than_weights(lnpt::io::safetensors::file const& file);

/// Refuses such a file where weights are wanted.
void require_weights(lnpt::io::safetensors::file const& file);

}  // namespace cli
