#pragma once
/// What a criterion is, and what it may say of itself.
#include <concepts>
#include <type_traits>
#include <utility>

#include <lnpt/evidence/evidence.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

namespace detail {
template <class>
inline constexpr bool is_evidence_list = false;
template <class... Tags>
inline constexpr bool is_evidence_list<evidence_list<Tags...>> = true;
}  // namespace detail

/// A stateless callable that names the evidence it is called with, as criterion/snip.hpp. It may also say
///
///     static constexpr … default_loss            cross_entropy{} for criteria that do not say
///     static constexpr norm_mode norm            the batch-norm mode of scoring; norm_mode::train for criteria that do not say
///     static constexpr int default_rounds        1 for criteria that do not say
///     static constexpr double layer_floor        what a layer keeps of its even part by global_unstructured; 0 for criteria that do not say
///     static constexpr double indispensable_share  what a layer that no path leads around keeps of an equal part, n / L of n weights that
///                                                stay in L layers; 0 for criteria that do not say
///     static constexpr bool ignores_signs        true where |θ| gives the scores of θ
///     static constexpr bool scores_filters       true where the weights of an output channel share out one score
///     static constexpr bool draws_within_layers  true where the scores say how many weights a layer keeps and a draw says which, of networks
///                                                that do not decide as their teacher yet; by global_unstructured in one round
template <class C>
concept criterion = std::semiregular<C> && requires {
  typename C::evidence;
  requires detail::is_evidence_list<typename C::evidence>;
};

namespace detail {

template <class C>
[[nodiscard]] constexpr norm_mode default_norm() {
  if constexpr (requires { C::norm; })
    return C::norm;
  else
    return norm_mode::train;
}

template <class C>
[[nodiscard]] constexpr auto default_loss() {
  if constexpr (requires { C::default_loss; })
    return C::default_loss;
  else
    return cross_entropy{};
}

template <class C>
[[nodiscard]] constexpr int default_rounds() {
  if constexpr (requires { C::default_rounds; })
    return C::default_rounds;
  else
    return 1;
}

template <class C>
[[nodiscard]] constexpr double default_layer_floor() {
  if constexpr (requires { C::layer_floor; })
    return C::layer_floor;
  else
    return 0;
}

template <class C>
[[nodiscard]] constexpr double indispensable_share() {
  if constexpr (requires { C::indispensable_share; })
    return C::indispensable_share;
  else
    return 0;
}

template <class C>
[[nodiscard]] consteval bool ignores_signs() {
  if constexpr (requires { C::ignores_signs; })
    return C::ignores_signs;
  else
    return false;
}

template <class C>
[[nodiscard]] consteval bool scores_filters() {
  if constexpr (requires { C::scores_filters; })
    return C::scores_filters;
  else
    return false;
}

template <class C>
[[nodiscard]] consteval bool draws_within_layers() {
  if constexpr (requires { C::draws_within_layers; })
    return C::draws_within_layers;
  else
    return false;
}

/// What gathering the evidence of a criterion takes; nothing, for criteria whose evidence is not all tags.
template <criterion C>
[[nodiscard]] consteval evidence_needs needs_of() {
  if constexpr (C::evidence::all_are_tags)
    return C::evidence::needs();
  else
    return {};
}

template <class C, class T, class List>
struct call_of;
/// Whether criterion `C` can be called with one tensor for each tag, and gives a tensor.
template <class C, class T, class... Tags>
struct call_of<C, T, evidence_list<Tags...>> {
  static constexpr bool possible = [] {
    if constexpr (std::is_invocable_v<C const&, std::conditional_t<true, T, Tags> const&...>)
      return std::is_constructible_v<T, std::invoke_result_t<C const&, std::conditional_t<true, T, Tags> const&...>>;
    else
      return false;
  }();
};

}  // namespace detail
}  // namespace lnpt
