#pragma once
/// Which tensors of a stored model are pruned, by their names, shapes and dtypes alone, and why the others are not.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/glob.hpp>
#include <lnpt/io/narrowed.hpp>
#include <lnpt/io/sharded_model.hpp>
#include <lnpt/out_of_core/keys.hpp>
#include <lnpt/out_of_core/layout.hpp>
#include <lnpt/out_of_core/model_config.hpp>
#include <lnpt/out_of_core/options.hpp>

namespace lnpt::out_of_core {

/// A tensor that is pruned.
struct planned_tensor {
  io::stored_tensor tensor;
  std::optional<matrix_layout> layout;  ///< nothing where it is not known, nor has to be
  score_source scores;

  [[nodiscard]] std::uint64_t size() const { return tensor.about->size(); }
  [[nodiscard]] std::size_t width() const { return io::bits_of(tensor.about->dtype) / 8; }
};

/// A tensor that stays as it is.
struct dense_tensor {
  io::stored_tensor tensor;
  std::string reason;
};

struct prune_plan {
  std::vector<planned_tensor> pruned;  ///< in the order of their names, which is the order of ties
  std::vector<dense_tensor> dense;

  [[nodiscard]] std::uint64_t weights() const {
    std::uint64_t sum = 0;
    for (auto const& each : pruned) sum += each.size();
    return sum;
  }
};

namespace detail {

/// Parts of names that pruning leaves alone by default, and what they mean. What other tools leave dense too.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 13> dense_names{{
    {"embed", "an embedding"},
    {"wte", "an embedding"},
    {"wpe", "an embedding"},
    {"lm_head", "the classifier over the vocabulary"},
    {"norm", "a normalisation"},
    {"ln_", "a normalisation"},
    {"position", "a position table"},
    {"token_type", "an embedding"},
    {"shared.weight", "an embedding"},
    {"router", "a router of experts"},
    {"mlp.gate.", "a router of experts"},
    {"block_sparse_moe.gate.", "a router of experts"},
    {"relative_attention_bias", "a position table"},
}};

[[nodiscard]] inline bool matches_any(std::vector<std::string> const& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](auto const& pattern) { return io::matches(pattern, name); });
}

[[nodiscard]] inline bool is_scale(std::string_view name) {
  return name.ends_with("_scale") || name.ends_with("_scale_inv") || name.ends_with("_scales");
}

inline constexpr std::string_view of_bit_mask = "part of a weight stored as a bit mask and the values it keeps";

/// Whether a tensor is one of those by which compressed-tensors stores a pruned weight without its zeros, in the formats sparse-bitmask and
/// sparse-24-bitmask.
[[nodiscard]] inline bool is_of_bit_mask(io::sharded_model const& model, std::string_view name) {
  auto const dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  constexpr std::array<std::string_view, 4> parts{"bitmask", "compressed", "shape", "row_offsets"};
  auto const weight = std::string(name.substr(0, dot + 1));
  return std::ranges::find(parts, name.substr(dot + 1)) != parts.end() && model.find(weight + "bitmask") != nullptr &&
         model.find(weight + "compressed") != nullptr;
}

/// Why a tensor cannot be pruned at all; empty where it can.
[[nodiscard]] inline std::string impossible(io::sharded_model const& model, io::stored_tensor const& tensor) {
  auto const& about = *tensor.about;
  if (is_of_bit_mask(model, about.name)) return std::string(of_bit_mask);
  if (is_scale(about.name)) return "scales of another tensor";
  if (!is_ranked(about.dtype)) return std::string(io::name_of(about.dtype)) + " is not ranked";
  if (about.shape.size() < 2) return "fewer than two axes";
  if (about.size() == 0) return "no weights";
  return {};
}

/// Why a tensor that could be pruned is left dense unless it is included by name; empty where it is not.
[[nodiscard]] inline std::string left_by_name(std::string_view name, shape const& extents, model_config const& config) {
  for (auto const& [part, meaning] : dense_names)
    if (name.find(part) != std::string_view::npos) return std::string(meaning) + " by its name";
  if (!name.ends_with(".weight") && !is_fused_experts(name, extents.size())) return "not called a weight";
  if (config.vocabulary != 0 && extents[0] == config.vocabulary) return "one row for each word of the vocabulary";
  return {};
}

/// Why a layout does not allow the pattern; empty where it does.
[[nodiscard]] inline std::string impossible_pattern(std::optional<matrix_layout> const& layout, prune_options const& options) {
  auto const by_unit = options.pattern == pattern::rows || options.pattern == pattern::n_of_m;
  if (by_unit && !layout) return "which axis counts its inputs is not known";
  if (options.pattern == pattern::rows && !layout->rows_are_outputs) return "its rows are inputs";
  if (options.pattern == pattern::n_of_m && layout->inputs % options.m != 0)
    return std::to_string(layout->inputs) + " inputs are no multiple of " + std::to_string(options.m);
  return {};
}

inline constexpr std::array scale_endings{"_scale_inv", "_scale"};

/// Whether a tensor is the scales of another one than this.
[[nodiscard]] inline bool scales_another(io::sharded_model const& model, std::string_view name, io::stored_tensor const& tensor) {
  return std::ranges::any_of(scale_endings, [&](std::string_view ending) {
    if (!name.ends_with(ending)) return false;
    auto const of = std::string(name.substr(0, name.size() - ending.size()));
    return of != tensor.name() && model.find(of) != nullptr;
  });
}

/// A tensor of the same module, other than the scales `known`, that may scale or shift this one under a name whose meaning is not known,
/// such as `scale_weight` or `weight_scale_2`; null where there is none. Scales of inputs and outputs change no weight, and one factor for
/// all changes no ranking within the tensor.
[[nodiscard]] inline io::stored_tensor const* unknown_scale(io::sharded_model const& model, io::stored_tensor const& tensor,
                                                            io::stored_tensor const* known, bool within_tensor) {
  auto const module = tensor.name().substr(0, tensor.name().rfind('.') + 1);
  auto const found = std::ranges::find_if(model.tensors(), [&](io::stored_tensor const& each) {
    if (!each.name().starts_with(module) || &each == known || scales_another(model, each.name(), tensor)) return false;
    auto const name = each.name().substr(module.size());
    auto const is_of = [&](auto... parts) { return ((name.find(parts) != std::string::npos) || ...); };
    return name.find('.') == std::string::npos && is_of("scale", "zero_point", "absmax") &&
           !is_of("input", "output", "activation", "k_scale", "v_scale", "q_scale") &&
           !(within_tensor && each.about->size() == 1);
  });
  return found == model.tensors().end() ? nullptr : &*found;
}

/// The numbers that a tensor of scales stands for; none where it holds no floats. Bytes are exponents, 2^(u − 127), as `F8_E8M0` is: so
/// MXFP8 files store them.
[[nodiscard]] inline std::vector<float> scale_factors(io::safetensors::file const& file, io::safetensors::entry const& scales) {
  switch (scales.dtype) {
    case io::dtype::f32:
    case io::dtype::bf16:
    case io::dtype::f16:
    case io::dtype::f8_e8m0: return file.read<float>(scales.name);
    case io::dtype::u8: break;
    default: return {};
  }
  auto const exponents = file.read<std::uint8_t>(scales.name);
  std::vector<float> factors(exponents.size());
  std::ranges::transform(exponents, factors.begin(), [](std::uint8_t u) { return static_cast<float>(io::float8_e8m0{u}); });
  return factors;
}

/// How many rows (or columns) share a scale where `held` scales stand for `size` of them; 0 where no such block covers them. The last
/// block may be short, so several sizes can: then it is the one that the model's configuration states, else a power of two, as published
/// ones are, else the smallest.
///
///     ⌈size / b⌉ = held    ⟺    ⌈size / held⌉ ≤ b ≤ ⌊(size − 1) / (held − 1)⌋
[[nodiscard]] constexpr std::uint64_t block_extent(std::uint64_t size, std::uint64_t held, std::uint64_t stated) {
  if (held == 0 || held > size) return 0;
  if (held == 1) return size;
  auto const least = (size + held - 1) / held;
  auto const most = (size - 1) / (held - 1);
  if (least > most) return 0;
  if (stated >= least && stated <= most) return stated;
  auto const power = std::bit_floor(most);
  return power >= least ? power : least;
}

/// The block of those stated by which so many scales cover [rows, columns]: {0, 0} where none does, nothing where several do otherwise.
[[nodiscard]] inline std::optional<std::array<std::uint64_t, 2>> stated_block(
    std::vector<std::array<std::uint64_t, 2>> const& stated, std::array<std::uint64_t, 2> const& sizes, shape const& held) {
  std::array<std::uint64_t, 2> found{};
  for (auto const& block : stated) {
    std::array<std::uint64_t, 2> extents{};
    for (std::size_t axis = 0; axis != 2; ++axis) extents[axis] = block_extent(sizes[axis], held[axis], block[axis]);
    auto const covers = [&](std::size_t axis) { return held[axis] == 1 || extents[axis] == block[axis]; };
    if (!covers(0) || !covers(1)) continue;
    if (found[0] != 0 && found != extents) return std::nullopt;
    found = extents;
  }
  return found;
}

/// The scales of an 8-bit tensor, or null where it has none; `stated` are the blocks of the configuration. Refuses scales that do not tile
/// it, or by several of those blocks, and factors of an unknown name.
[[nodiscard]] inline std::shared_ptr<block_scales const> scales_of(io::sharded_model const& model,
                                                                   io::stored_tensor const& tensor,
                                                                   std::vector<std::array<std::uint64_t, 2>> const& stated,
                                                                   bool within_tensor) {
  io::stored_tensor const* found = nullptr;
  for (auto const* const ending : scale_endings)
    if (found == nullptr) found = model.find(tensor.name() + ending);
  if (auto const* const other = unknown_scale(model, tensor, found, within_tensor))
    fail("whether ", io::in_quotes(other->name()), " scales ", io::in_quotes(tensor.name()),
         " is not known, so that its weights cannot be ranked; scales are called ", io::in_quotes(tensor.name() + "_scale"),
         " or ", io::in_quotes(tensor.name() + "_scale_inv"), ": rename them, or leave the tensor dense with an exclude pattern");
  if (found == nullptr) return nullptr;
  auto const& extents = tensor.about->shape;
  auto held = found->about->shape;
  while (held.size() < 2) held.push_back(1);
  auto const rows = extents[0];
  auto const columns = tensor.about->size() / rows;
  auto const refuse = [&](char const* why) {
    fail("the scales ", io::in_quotes(found->name()), " of shape ", list(found->about->shape), ' ', why, ' ',
         io::in_quotes(tensor.name()), " of shape ", list(extents), "; leave it dense with an exclude pattern");
  };
  if (found->about->size() == 0) refuse("do not tile");
  auto factors = scale_factors(model.shard(found->shard), *found->about);
  if (factors.empty()) refuse("are no floats, so they say nothing of");
  if (extents.size() != 2 || held.size() != 2) refuse("do not tile");
  auto const block = stated_block(stated, {rows, columns}, held);
  if (!block) refuse("fit several of the blocks that config.json states for");
  block_scales scales{.columns = columns,
                      .block_rows = block_extent(rows, held[0], (*block)[0]),
                      .block_columns = block_extent(columns, held[1], (*block)[1])};
  if (scales.block_rows == 0 || scales.block_columns == 0) refuse("do not tile");
  scales.factors = std::move(factors);
  return std::make_shared<block_scales const>(std::move(scales));
}

/// Refuses a model of which nothing can be pruned because its weights are stored without their zeros.
inline void require_no_bit_masks(prune_plan const& plan) {
  auto const found = std::ranges::find(plan.dense, of_bit_mask, &dense_tensor::reason);
  if (found != plan.dense.end())
    fail_request("nothing is left to prune: ", io::in_quotes(found->tensor.name()), " is ", of_bit_mask,
                 ", a format of compressed-tensors (sparse-bitmask or sparse-24-bitmask): decompress the model first, with a "
                 "compressed-tensors before 0.15");
}

/// Refuses a model of which nothing can be pruned, with the reasons of the first tensors that were asked for.
inline void require_pruned(prune_plan const& plan, prune_options const& options) {
  if (!plan.pruned.empty()) return;
  require_no_bit_masks(plan);
  auto const asked_for = [&](dense_tensor const& each) {
    return options.include.empty() || matches_any(options.include, each.tensor.name());
  };
  std::string reasons;
  for (auto const& each : plan.dense | std::views::filter(asked_for) | std::views::take(3))
    reasons += ", " + io::in_quotes(each.tensor.name()) + ": " + each.reason;
  fail_request("nothing is left to prune", reasons, "; include tensors by a pattern, or exclude fewer");
}

}  // namespace detail

/// The layout of a tensor that is pruned unless other names are asked for, and whose rows are outputs; nothing of any other tensor.
[[nodiscard]] inline std::optional<matrix_layout> output_rows_of(std::string_view name, shape const& extents,
                                                                 model_config const& config) {
  if (extents.size() < 2 || !detail::left_by_name(name, extents, config).empty()) return std::nullopt;
  auto const layout = layout_of(name, extents, config.type);
  return layout && layout->rows_are_outputs ? layout : std::nullopt;
}

/// Decides tensor by tensor. Refuses a pattern that matches nothing, and an included tensor that cannot be pruned.
[[nodiscard]] inline prune_plan make_plan(io::sharded_model const& model, model_config const& config,
                                          prune_options const& options) {
  prune_plan plan;
  for (auto const* const patterns : {&options.include, &options.exclude})
    for (auto const& pattern : *patterns)
      if (std::ranges::none_of(model.tensors(), [&](auto const& each) { return io::matches(pattern, each.name()); }))
        fail_request("no tensor is called ", io::in_quotes(pattern), ": write a pattern such as ", io::in_quotes("*.mlp.*"));
  for (auto const& tensor : model.tensors()) {
    auto const included = detail::matches_any(options.include, tensor.name());
    auto reason = detail::impossible(model, tensor);
    if (reason.empty() && detail::matches_any(options.exclude, tensor.name())) reason = "excluded";
    if (reason.empty() && !included)
      reason = options.include.empty() ? detail::left_by_name(tensor.name(), tensor.about->shape, config) : "not included";
    std::optional<matrix_layout> layout;
    if (reason.empty()) {
      layout = layout_of(tensor.name(), tensor.about->shape, config.type);
      reason = detail::impossible_pattern(layout, options);
    }
    if (!reason.empty()) {
      plan.dense.push_back({tensor, std::move(reason)});
      continue;
    }
    auto const by_magnitude = options.criterion == criterion::magnitude;
    auto const is_small = is_float8(tensor.about->dtype);
    plan.pruned.push_back({tensor, layout,
                           by_magnitude ? score_source::magnitude(tensor.about->dtype,
                                                                  is_small ? detail::scales_of(model, tensor, config.scale_blocks,
                                                                                               options.pattern != pattern::global)
                                                                           : nullptr)
                                        : score_source::random(options.seed, plan.pruned.size())});
  }
  detail::require_pruned(plan, options);
  return plan;
}

}  // namespace lnpt::out_of_core
