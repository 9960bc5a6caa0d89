#pragma once
/// Evidence: what a criterion may ask to see of each parameter, and how a tag of evidence says what gathering takes.
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include <lnpt/core/model.hpp>

namespace lnpt {

/// What gathering a piece of evidence takes: a requirement of the tag's type, checked when a criterion meets a model and a loss.
struct evidence_needs {
  bool data = false;       ///< scoring batches and a loss
  bool gradients = false;  ///< `forward` and `backward` of the model
  bool hessian = false;    ///< Hessian–vector products of the model
  bool probes = false;     ///< `curvature_probe` of the loss

  friend constexpr evidence_needs operator|(evidence_needs a, evidence_needs b) {
    return {a.data || b.data, a.gradients || b.gradients, a.hessian || b.hessian, a.probes || b.probes};
  }
};

/// How evidence is gathered.
struct score_options {
  std::optional<norm_mode> batch_norm = std::nullopt;  ///< default: the criterion's own
  std::uint64_t seed = 0;                              ///< of probes and of `random`
  int probes = 0;                                      ///< of `gauss_newton`; 0: what the policy says
  std::size_t sample_group = 5;                        ///< samples per square on engines without native per-sample squares
  bool draws = true;                                   ///< whether a criterion that draws within layers may; false: scores alone
  bool floors = true;                                  ///< whether to find the layers that get `indispensable_share`
};

/// What evidence of the model alone is gathered with.
struct evidence_request {
  shape input = {};  ///< of one sample, without the batch axis; empty where nobody gave one
  score_options options = {};
  weight_signs signs = weight_signs::any;
};

/// A tag of evidence: a type that says what it needs, and how it is gathered. θ, g and H g, which share their passes, the library
/// gathers itself; every other tag has one of two static members, each of which returns one optional tensor per parameter:
///
///     gradients<T> of_model(Model&, evidence_request const&)      evidence of the model alone (`noise`, `flow`)
///     gradients<T> of_part(Problem const&, part const&, trace&)   evidence of one part of the scoring batches, on the trace of its
///                                                                 forward pass (`curvature`); the parts are summed
template <class Tag>
concept evidence_tag = std::is_empty_v<Tag> && std::default_initializable<Tag> && requires {
  { Tag::needs } -> std::convertible_to<evidence_needs>;
};

template <class Tag, class Model>
concept evidence_of_model = evidence_tag<Tag> && requires(Model& model, evidence_request const& request) {
  { Tag::of_model(model, request) } -> std::convertible_to<gradients<tensor_of<Model>>>;
};

template <class Tag, class Problem>
concept evidence_of_parts = evidence_tag<Tag> && requires(Problem const& problem, typename Problem::part const& part,
                                                          typename Problem::trace_type& trace) {
  { Tag::of_part(problem, part, trace) } -> std::convertible_to<gradients<typename Problem::tensor_type>>;
};

/// θ, which is at hand.
struct weight {
  static constexpr evidence_needs needs{};
};

/// The evidence a criterion is called with, in order; all in the shape of the parameter.
template <class... Tags>
struct evidence_list {
  static constexpr std::size_t size = sizeof...(Tags);
  template <class Tag>
  static constexpr bool has = (std::same_as<Tag, Tags> || ...);
  /// The place of the first `Tag` in the list.
  template <class Tag>
  static constexpr std::size_t place_of = [] {
    constexpr std::array<bool, size> same{std::same_as<Tag, Tags>...};
    std::size_t i = 0;
    while (!same[i]) ++i;
    return i;
  }();
  static constexpr bool all_are_tags = (evidence_tag<Tags> && ...);
  /// What all tags together need.
  static consteval evidence_needs needs() { return (evidence_needs{} | ... | evidence_needs(Tags::needs)); }
};

/// Whether criterion `C` asks for `Tag`.
template <class C, class Tag>
inline constexpr bool uses = C::evidence::template has<Tag>;

}  // namespace lnpt
