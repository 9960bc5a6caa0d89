#pragma once
/// What a criterion may ask to see of each parameter, and how it says so.
#include <concepts>

namespace lnpt {

struct weight {};            ///< θ
struct gradient {};          ///< g = ∂L/∂θ
struct hessian_gradient {};  ///< H g
struct flow {};              ///< ∂R/∂|θ| of SynFlow
struct noise {};             ///< U(0, 1) from the seed
/// c, the diagonal of the loss's curvature as `Policy` computes it.
template <class Policy>
struct curvature {};

/// The evidence a criterion is called with, in order; all in the shape of the parameter.
template <class... Tags>
struct evidence_list {
  template <class Tag>
  static constexpr bool has = (std::same_as<Tag, Tags> || ...);
};

/// Whether criterion `C` asks for `Tag`.
template <class C, class Tag>
inline constexpr bool uses = C::evidence::template has<Tag>;

namespace detail {
template <class>
struct curvature_in {
  using type = void;
};
template <class Policy, class... Rest>
struct curvature_in<evidence_list<curvature<Policy>, Rest...>> {
  using type = Policy;
};
template <class First, class... Rest>
struct curvature_in<evidence_list<First, Rest...>> : curvature_in<evidence_list<Rest...>> {};
}  // namespace detail

/// The curvature policy criterion `C` asks for, or void.
template <class C>
using curvature_of = typename detail::curvature_in<typename C::evidence>::type;

}  // namespace lnpt
