#pragma once
/// Setting pruned weights to exactly +0.
#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <type_traits>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/mask/bits.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt {

namespace detail {

/// Clears the values of 64 weights whose bits are 0, whatever they hold; the others keep theirs.
template <std::floating_point T>
void clear_pruned(T* values, mask::word kept) {
  using lane = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  static_assert(sizeof(lane) == sizeof(T));
  constexpr std::size_t lanes = std::numeric_limits<lane>::digits;
  for (std::size_t first = 0; first < mask::word_bits; first += lanes) {
    auto const bits = static_cast<lane>(kept >> first);
    for (std::size_t i = 0; i < lanes; ++i) {
      auto const stays = static_cast<lane>(lane{0} - static_cast<lane>((bits & lane_bits<lane>[i]) != 0));
      values[first + i] = std::bit_cast<T>(std::bit_cast<lane>(values[first + i]) & stays);
    }
  }
}

}  // namespace detail

/// Sets the weights whose bit is 0 to exactly +0, NaN and −0 among them.
template <std::floating_point T>
void apply(mask const& kept, std::span<T> values) {
  if (values.size() != kept.size())
    fail("the mask of ", kept.name(), " is for ", kept.size(), " weights, not ", values.size(),
         ": pass the values of that parameter");
  constexpr std::size_t grain = 1024;
  auto const words = kept.words();
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, words.size(), grain), [&](auto const& range) {
    for (auto w = range.begin(); w < range.end(); ++w) {
      auto* const first = values.data() + w * mask::word_bits;
      auto const left = values.size() - w * mask::word_bits;
      if (words[w] == ~mask::word{0}) continue;
      if (left >= mask::word_bits) {
        detail::clear_pruned(first, words[w]);
      } else {
        for (std::size_t i = 0; i < left; ++i)
          if (((words[w] >> i) & 1) == 0) first[i] = T{0};
      }
    }
  });
}

namespace detail {

/// One tensor: by the engine's own `tensor_traits<T>::apply_mask(T&, mask const&)` where it has one, in place where its values lie in
/// host memory, else through a copy.
template <tensor T>
void apply_to_tensor(mask const& kept, T& values) {
  if constexpr (requires { tensor_traits<T>::apply_mask(values, kept); }) {
    tensor_traits<T>::apply_mask(values, kept);
  } else if constexpr (writable_in_place<T>) {
    apply(kept, std::span<value_type<T>>(tensor_traits<T>::view(values)));
  } else {
    auto copy = values_of(values);
    apply(kept, std::span(copy));
    assign(values, make_tensor<T>(kept.extents(), copy, values));
  }
}

}  // namespace detail

/// Sets the pruned weights of a model to exactly +0. Parameters without a mask stay as they are. A mask that fits no parameter of the
/// model is an error, and then the model is unchanged.
template <class Model>
  requires requires(Model& model) { model.parameters(); }
void apply(mask_set const& masks, Model&& model) {
  auto&& parameters = model.parameters();
  for (auto const& each : masks) {
    auto const found = std::find_if(parameters.begin(), parameters.end(), [&](auto const& p) { return p.name == each.name(); });
    if (found == parameters.end()) fail("the model has no parameter ", each.name(), " to mask: pass masks that were made for it");
    if (shape_of(*found->value) != each.extents())
      fail("the mask of ", each.name(), " has the shape ", list(each.extents()), ", the parameter ",
           list(shape_of(*found->value)), ": pass masks that were made for this model");
  }
  for (auto const& parameter : parameters)
    if (auto const* const kept = masks.find(parameter.name)) detail::apply_to_tensor(*kept, *parameter.value);
}

/// The arguments the other way round: refused.
template <class Model>
  requires requires(Model& model) { model.parameters(); }
void apply(Model&&, mask_set const&) {
  static_assert(detail::is_refused<Model>,
                "lnpt: masks come first, then the model they are applied to. Write apply(masks, model).");
}
/// A model that is const: refused.
template <class Model>
  requires(
      !requires(Model const& model) { model.parameters(); } && requires(Model& model) { model.parameters(); })
void apply(mask_set const&, Model const&) {
  static_assert(detail::is_refused<Model>,
                "lnpt: this model is const, and masks change its weights. Pass a model that is not const.");
}

}  // namespace lnpt
