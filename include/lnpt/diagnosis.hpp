#pragma once
/// Misuse meets one sentence: the requirements of a scoring call, checked at its door and nowhere else.
#include <type_traits>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/criterion/evidence.hpp>
#include <lnpt/evidence/curvature.hpp>
#include <lnpt/evidence/problem.hpp>
#include <lnpt/loss/weighted_sum.hpp>

namespace lnpt {

/// A stateless callable that names the evidence it is called with.
template <class C>
concept criterion = std::semiregular<C> && requires { typename C::evidence; };

namespace detail {

template <class C>
concept names_a_norm = requires { C::norm; };

/// Criteria that look at the model alone: no data, no loss.
template <criterion C>
inline constexpr bool is_data_free = !uses<C, gradient> && !uses<C, hessian_gradient> && std::is_void_v<curvature_of<C>>;

template <criterion C>
inline constexpr bool needs_hessian = uses<C, hessian_gradient> || std::same_as<curvature_of<C>, hessian_diagonal>;

template <criterion C>
inline constexpr bool needs_probes = !std::is_void_v<curvature_of<C>> && !std::same_as<curvature_of<C>, hessian_diagonal>;

/// The batch type of a batch or of a range of them.
template <class Batches>
struct batch_of {
  using type = Batches;
};
template <class Batches>
  requires is_range_of_batches<Batches>
struct batch_of<Batches> {
  using type = std::ranges::range_value_t<Batches>;
};

/// Whether criterion `C` can score `Model` on these batches, under this guide and loss, and the sentence that says why not.
template <class C, class Model, class Batches, class Guide, class Loss>
struct diagnosis {
  using batch = typename batch_of<Batches>::type;

  static constexpr bool is_criterion = criterion<C>;
  static constexpr bool is_model = prunable<Model>;
  static constexpr bool is_differentiable = differentiable<Model>;
  static constexpr bool is_batch = batch_like<batch>;
  static constexpr bool is_loss = loss_like<Loss>;

  static consteval bool has_labels() {
    if constexpr (is_loss) return !loss_needs(Loss::needs).labels || labelled<batch>;
    return false;
  }
  static consteval bool has_teacher() {
    if constexpr (is_loss) return !loss_needs(Loss::needs).teacher || !std::same_as<Guide, no_guide>;
    return false;
  }
  static consteval bool is_guide() {
    if constexpr (is_model && !std::same_as<Guide, no_guide>) return guide_for<Guide, tensor_of<Model>>;
    return true;
  }
  static consteval bool has_feature_map() {
    if constexpr (is_loss) return !loss_needs(Loss::needs).features || has_features<Model>;
    return false;
  }
  static consteval bool has_hessian() {
    if constexpr (is_criterion) return !needs_hessian<C> || twice_differentiable<Model>;
    return false;
  }
  static consteval bool has_differentiable_cotangent() {
    if constexpr (is_criterion && is_model)
      return !needs_hessian<C> || loss_tensor<tensor_of<Model>> || !differentiates_loss<Model>;
    return false;
  }
  static consteval bool has_probe() {
    if constexpr (is_criterion && is_loss)
      return !needs_probes<C> ||
             requires(Loss const& l, prediction<cpu::array<double>> const& p) { l.curvature_probe(p, p.output); };
    return false;
  }
  static consteval bool is_batch_of_model() {
    if constexpr (is_model && is_batch)
      return std::same_as<std::remove_cvref_t<decltype(std::declval<batch const&>().input)>, tensor_of<Model>>;
    return false;
  }

  static constexpr bool well_formed = is_criterion && is_model && is_differentiable && is_batch && is_batch_of_model() &&
                                      is_loss && has_labels() && is_guide() && has_teacher() && has_feature_map() &&
                                      has_hessian() && has_differentiable_cotangent() && has_probe();

  /// Fails to compile with one sentence: who needs what, and what would have worked.
  static constexpr void explain() {
    if constexpr (!is_criterion)
      static_assert(
          is_criterion,
          "lnpt: this is not a criterion. A criterion is a copyable struct with `using evidence = evidence_list<…>` and a call "
          "operator on that evidence, such as lnpt::snip.");
    else if constexpr (!is_model)
      static_assert(
          is_model,
          "lnpt: this is not a model. A model has a tensor_type described by lnpt::tensor_traits and parameters() that give "
          "lnpt::parameter<tensor_type>; see examples/host_engine.cpp.");
    else if constexpr (!is_differentiable)
      static_assert(
          is_differentiable,
          "lnpt: this criterion needs gradients and the model has none. Add forward(x, normalization) and backward(trace, "
          "cotangents, wanted), or choose magnitude or random.");
    else if constexpr (!is_batch)
      static_assert(
          is_batch,
          "lnpt: this criterion needs data. Pass unlabelled_batch{input}, labelled_batch{input, labels}, or a vector of them; "
          "synflow, magnitude and random need none.");
    else if constexpr (!is_batch_of_model())
      static_assert(is_batch_of_model(),
                    "lnpt: the batch holds another tensor type than the model. Build the batch of the model's tensor_type.");
    else if constexpr (!is_loss)
      static_assert(is_loss,
                    "lnpt: this is not a loss. A loss has `static constexpr loss_needs needs`, value() and cotangent(), such as "
                    "lnpt::cross_entropy or pseudo_label{} + 0.5 * feature_mse{}.");
    else if constexpr (!has_labels())
      static_assert(
          has_labels(),
          "lnpt: this loss compares against labels, but the batches carry none. Pass labelled_batch{input, labels}, or choose a "
          "label-free loss such as pseudo_label or feature_gap with a teacher.");
    else if constexpr (!is_guide())
      static_assert(is_guide(),
                    "lnpt: this is not a guide. Pass teacher{model}, known_predictions{…}, or a type with predict(input, part).");
    else if constexpr (!has_teacher())
      static_assert(
          has_teacher(),
          "lnpt: this loss compares against a teacher, and there is none. Pass teacher{model} or known_predictions{…} after the "
          "batches, or choose a loss on labels such as cross_entropy.");
    else if constexpr (!has_feature_map())
      static_assert(
          has_feature_map(),
          "lnpt: this loss reads the feature map and the model shows none. Add features() to its trace, or choose a loss on "
          "logits such as pseudo_label.");
    else if constexpr (!has_hessian())
      static_assert(has_hessian(),
                    "lnpt: this criterion needs Hessian-vector products and the model has none. Add retained_backward() and "
                    "hessian_vector_product(), or wrap the model: finite_difference_hvp{model}.");
    else if constexpr (!has_differentiable_cotangent())
      static_assert(has_differentiable_cotangent(),
                    "lnpt: this criterion differentiates through the loss, which this tensor type cannot. Give its "
                    "tensor_traits exp, log_softmax, row_sum, one_hot, sum and argmax, or wrap the model: "
                    "finite_difference_hvp{model}.");
    else
      static_assert(has_probe(),
                    "lnpt: this criterion needs the loss's curvature and the loss has none. Choose a single loss with "
                    "curvature_probe(), such "
                    "as feature_gap or cross_entropy, not a sum.");
  }
};

}  // namespace detail
}  // namespace lnpt
