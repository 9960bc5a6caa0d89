#pragma once
/// The doors: what a call must bring, asked here and nowhere else. Misuse meets one sentence.
#include <type_traits>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/criterion/criterion.hpp>
#include <lnpt/criterion/teacher_guided.hpp>
#include <lnpt/evidence/gather.hpp>
#include <lnpt/evidence/problem.hpp>
#include <lnpt/loss/weighted_sum.hpp>
#include <lnpt/mask/strategy.hpp>
#include <lnpt/schedule/schedule.hpp>

namespace lnpt::detail {

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
  static constexpr bool is_const = std::is_const_v<Model>;
  static constexpr bool is_model = prunable<Model>;
  static constexpr bool is_batch = batch_like<batch>;
  static constexpr bool is_loss = loss_like<Loss>;

  static consteval evidence_needs needs() {
    if constexpr (is_criterion) return needs_of<C>();
    return {};
  }
  static consteval bool lists_tags() {
    if constexpr (is_criterion) return C::evidence::all_are_tags;
    return false;
  }
  /// Everything of a model but the operations of its tensors.
  static consteval bool has_tensor() {
    if constexpr (requires(Model& m) {
                    typename Model::tensor_type;
                    m.parameters();
                  })
      return tensor<tensor_of<Model>>;
    return true;
  }
  static consteval bool is_called_as_listed() {
    if constexpr (is_criterion && is_model && lists_tags()) return call_of<C, tensor_of<Model>, typename C::evidence>::possible;
    return false;
  }
  static consteval bool has_gradients() {
    if constexpr (!needs().gradients) return true;
    if constexpr (!needs().data) return differentiable<Model> || has_synaptic_flow<Model>;
    return differentiable<Model>;
  }
  static consteval bool is_batch_of_model() {
    if constexpr (is_model && is_batch)
      return std::same_as<std::remove_cvref_t<decltype(std::declval<batch const&>().input)>, tensor_of<Model>>;
    return false;
  }
  static consteval bool is_whole_loss() {
    if constexpr (is_model && is_loss) return loss_for<Loss, loss_tensor_for<tensor_of<Model>>>;
    return false;
  }
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
  static consteval bool has_hessian() { return !needs().hessian || twice_differentiable<Model>; }
  static consteval bool has_differentiable_cotangent() {
    if constexpr (is_model) return !needs().hessian || loss_tensor<tensor_of<Model>> || !differentiates_loss<Model>;
    return false;
  }
  static consteval bool has_probe() {
    if constexpr (is_model && is_loss) return !needs().probes || has_curvature_probe<Loss, loss_tensor_for<tensor_of<Model>>>;
    return false;
  }
  template <class Tag>
  static consteval bool gathers() {
    if constexpr (std::same_as<Tag, weight> || std::same_as<Tag, gradient> || std::same_as<Tag, hessian_gradient>)
      return true;
    else if constexpr (!evidence_needs(Tag::needs).data)
      return evidence_of_model<Tag, Model>;
    else if constexpr (differentiable<Model> && is_loss)
      return evidence_of_parts<Tag, scoring_problem<Model, Loss>>;
    return false;
  }
  static consteval bool gathers_evidence() {
    if constexpr (is_criterion && is_model && lists_tags())
      return []<class... Tags>(evidence_list<Tags...>) { return (gathers<Tags>() && ...); }(typename C::evidence{});
    return false;
  }

  static constexpr bool scores_model =
      is_criterion && lists_tags() && has_tensor() && is_model && is_called_as_listed() && has_gradients();
  static consteval bool has_data() {
    if constexpr (!needs().data) return true;
    return is_batch && is_batch_of_model() && is_loss && is_whole_loss() && has_labels() && is_guide() && has_teacher() &&
           has_feature_map() && has_hessian() && has_differentiable_cotangent() && has_probe();
  }
  static constexpr bool well_formed = scores_model && has_data() && gathers_evidence();

  /// Fails to compile with one sentence: who needs what, and what would have worked.
  static constexpr void explain() {
    if constexpr (!scores_model)
      explain_criterion_and_model();
    else if constexpr (!has_data())
      explain_data();
    else
      static_assert(
          gathers_evidence(),
          "lnpt: this tag of evidence says what it needs but not how it is gathered. Give it `static gradients<T> "
          "of_model(model, request)`, or, where it needs data, `static gradients<T> of_part(problem, part, trace)`: see "
          "lnpt/evidence/evidence.hpp.");
  }

 private:
  static constexpr void explain_criterion_and_model() {
    if constexpr (!is_criterion)
      static_assert(
          is_criterion,
          "lnpt: this is not a criterion. A criterion is a copyable struct with `using evidence = evidence_list<…>` and a call "
          "operator on that evidence, such as lnpt::snip.");
    else if constexpr (!lists_tags())
      static_assert(
          lists_tags(),
          "lnpt: this criterion lists a type that is no tag of evidence. Choose weight, gradient, hessian_gradient, "
          "curvature<…>, flow or noise, or give the empty type `static constexpr lnpt::evidence_needs needs` and a way to "
          "gather it: see lnpt/evidence/evidence.hpp.");
    else if constexpr (is_const && !is_model)
      static_assert(
          !is_const,
          "lnpt: this model is const. Scoring runs it, in passes that are no const members, and leaves it as it was: pass a "
          "model that is not const.");
    else if constexpr (!has_tensor())
      static_assert(has_tensor(),
                    "lnpt: the model's tensor_type lacks an operation. A tensor is copyable, has a * b, a + b, double * a and "
                    "abs(a), found by argument-dependent lookup, and lnpt::tensor_traits: see lnpt/core/tensor.hpp.");
    else if constexpr (!is_model)
      static_assert(
          is_model,
          "lnpt: this is not a model. A model has a tensor_type described by lnpt::tensor_traits and parameters() that give "
          "lnpt::parameter<tensor_type>; see examples/host_engine.cpp.");
    else if constexpr (!is_called_as_listed())
      static_assert(
          is_called_as_listed(),
          "lnpt: this criterion cannot be called with the evidence it lists. Give it a const call operator that takes one "
          "tensor for each tag of its evidence_list, in that order, and returns their product or sum.");
    else
      static_assert(
          has_gradients(),
          "lnpt: this criterion needs gradients and the model has none. Add forward(x, normalization) and backward(trace, "
          "cotangents, which_gradients), or choose magnitude or random.");
  }

  static constexpr void explain_data() {
    if constexpr (!is_batch)
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
    else if constexpr (!is_whole_loss())
      static_assert(
          is_whole_loss(),
          "lnpt: this loss says what it needs but lacks value() or cotangent(). Give it `double value(prediction<T> const&, "
          "target<T> const&) const` and `cotangents<V> cotangent(prediction<V> const&, target<primal_t<V>> const&) const`: "
          "see lnpt/loss/concept.hpp.");
    else if constexpr (!has_labels())
      static_assert(
          has_labels(),
          "lnpt: this loss compares against labels, but the batches carry none. Pass labelled_batch{input, labels}, or choose a "
          "label-free loss such as pseudo_label or feature_gap with a teacher.");
    else if constexpr (!is_guide())
      static_assert(is_guide(),
                    "lnpt: this is not a guide. Pass teacher{model}, known_predictions{…}, or a type with predict(input, part).");
    else if constexpr (!has_teacher() && std::same_as<C, teacher_guided>)
      static_assert(has_teacher(),
                    "lnpt: teacher_guided, the criterion where none is named, compares with a teacher, and there is none. Pass "
                    "teacher{model} or known_predictions{…} after the batches, or name a criterion that asks nobody: prune<snip> "
                    "on labelled batches, or prune<synflow>.");
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
                    "curvature_probe(), such as feature_gap or cross_entropy, not a sum.");
  }
};

/// Whether `Mask` ranks and `Schedule` says how much to keep, and the sentence that says which does not.
template <class Mask, class Schedule>
struct strategy_diagnosis {
  static constexpr bool well_formed = mask_strategy<Mask> && pruning_schedule<Schedule>;

  static constexpr void explain() {
    if constexpr (!mask_strategy<Mask>)
      static_assert(
          mask_strategy<Mask>,
          "lnpt: this is not a mask strategy. Choose global_unstructured, layerwise_unstructured, channel_structured or "
          "n_of_m<2, 4>, or write a struct with `using budget = …` and a call operator on scored parameters.");
    else
      static_assert(
          pruning_schedule<Schedule>,
          "lnpt: this is not a schedule. Choose schedule::one_shot, schedule::linear, schedule::exponential or "
          "schedule::cubic, or write a struct with `density operator()(std::size_t t, std::size_t rounds, density last) "
          "const`.");
  }
};

/// Whether the scores of criterion `C` differ between the things that `Mask` ranks, and the sentence that says why not.
template <class C, class Mask>
struct ranking_diagnosis {
  static constexpr bool well_formed = !(scores_filters<C>() && ranks_weights<Mask>);

  static constexpr void explain() {
    static_assert(well_formed,
                  "lnpt: this criterion scores whole filters, all weights of one alike, and this mask strategy ranks single "
                  "weights, so that their places alone would decide. Choose channel_structured with {.budget = channels{0.5}}, "
                  "or a criterion of single weights such as magnitude.");
  }
};

}  // namespace lnpt::detail
