#pragma once
/// score(): a criterion's scores of a model's weights.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tuple>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/criterion/evidence.hpp>
#include <lnpt/diagnosis.hpp>
#include <lnpt/evidence/flow.hpp>
#include <lnpt/evidence/gather_curvature.hpp>
#include <lnpt/evidence/gradients.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// The scores of one parameter, larger = keep.
template <class T>
struct scored {
  std::string name;
  T values;
  lnpt::role role = lnpt::role::weight;
  std::size_t output_axis = 0;
};

/// What score() returns: the scored parameters in the model's order, and the prunable ones the loss does not reach.
template <class T>
struct score_set {
  std::vector<scored<T>> parameters;
  std::vector<std::string> unreached;
  double seconds = 0;
};

namespace detail {

/// One set of gradients for each tag of an evidence list.
template <class T, class List>
struct gathered;
template <class T, class... Tags>
struct gathered<T, evidence_list<Tags...>> {
  template <class Tag>
  struct piece {
    gradients<T> values;
  };
  std::tuple<piece<Tags>...> pieces;

  template <class Tag>
  [[nodiscard]] gradients<T>& of() {
    return std::get<piece<Tag>>(pieces).values;
  }
  /// Calls `f(policy, where its diagonal goes)` for every curvature asked for.
  template <class F>
  void for_each_curvature(F f) {
    (visit(Tags{}, f), ...);
  }

 private:
  template <class Tag, class F>
  void visit(Tag, F&) {}
  template <class Policy, class F>
  void visit(curvature<Policy>, F& f) {
    f(Policy{}, of<curvature<Policy>>());
  }
};

/// Everything criterion `C` asks for that takes data.
template <class C, class Problem>
void gather_from_data(Problem const& problem, gathered<typename Problem::tensor_type, typename C::evidence>& found) {
  gradients<typename Problem::tensor_type> g;
  constexpr auto curved = !std::is_void_v<curvature_of<C>>;
  if constexpr (uses<C, hessian_gradient>) {
    found.template of<hessian_gradient>() = gather_hessian_gradient(problem, g, [&](auto const& part, auto& trace) {
      found.for_each_curvature([&](auto policy, auto& c) { accumulate(c, part_curvature(policy, problem, part, trace)); });
    });
  } else if constexpr (uses<C, gradient> || curved) {
    g = gather_gradient(problem, [&](auto const& part, auto& trace) {
      found.for_each_curvature([&](auto policy, auto& c) { accumulate(c, part_curvature(policy, problem, part, trace)); });
    });
  }
  if constexpr (uses<C, gradient>) found.template of<gradient>() = std::move(g);
}

template <prunable Model>
[[nodiscard]] auto gather_noise(Model& model, std::uint64_t seed) {
  gradients<tensor_of<Model>> noise;
  std::uint64_t index = 0;
  for (auto const& p : model.parameters()) {
    std::vector<value_type<tensor_of<Model>>> values(size_of(*p.value));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<value_type<tensor_of<Model>>>(uniform(seed, index, i));
    noise.push_back(make_tensor<tensor_of<Model>>(shape_of(*p.value), values, *p.value));
    ++index;
  }
  return noise;
}

/// The piece of evidence a tag stands for, or null where the parameter is not reached.
template <class Tag, class T, class Found>
[[nodiscard]] auto pick(T const& theta, Found& found, std::size_t i) {
  if constexpr (std::same_as<Tag, weight>) {
    return &theta;
  } else {
    auto& all = found.template of<Tag>();
    return i < all.size() && all[i] ? &*all[i] : nullptr;
  }
}

/// The piece that scores may replace: evidence is not needed again, the weights are.
template <class T>
[[nodiscard]] T* spare(T* evidence) {
  return evidence;
}
template <class T>
[[nodiscard]] T* spare(T const*) {
  return nullptr;
}

/// The criterion on one number after the other, in parallel and in one pass; `to` may be one of the pieces.
template <class C, class T, class... Pieces>
void evaluate_numbers(C const& criterion, std::span<T> to, Pieces const*... piece) {
  constexpr std::size_t grain = std::size_t{1} << 14, block = 256;
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, to.size(), grain), [&](auto const& range) {
    std::array<T, block> scores;  // apart from the pieces, so that the loop over them vectorises
    for (auto at = range.begin(); at < range.end(); at += block) {
      auto const n = std::min(block, range.end() - at);
      for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<T>(criterion(piece[at + i]...));
      std::copy_n(scores.data(), n, to.data() + at);
    }
  });
}

/// The criterion on whole tensors; where they lie in host memory and the criterion takes numbers too, on numbers, in the place of
/// `reused` if there is one.
template <class T, class C, class... Pieces>
[[nodiscard]] T evaluate(C const& criterion, T* reused, Pieces const&... piece) {
  using number = value_type<T>;
  if constexpr (writable_in_place<T> && std::is_invocable_r_v<number, C const&, std::conditional_t<true, number, Pieces>...>) {
    auto fresh = reused ? std::optional<T>() : empty_like(std::get<0>(std::tie(piece...)));
    auto& scores = reused ? *reused : *fresh;
    evaluate_numbers(criterion, tensor_traits<T>::view(scores), tensor_traits<T>::view(piece).data()...);
    return std::move(scores);
  } else {
    return T(criterion(piece...));
  }
}

/// Calls the criterion on the evidence of parameter `i`; empty where a piece of it is missing.
template <class T, class C, class... Tags>
[[nodiscard]] std::optional<T> call(C const& criterion, evidence_list<Tags...>, T const& theta,
                                    gathered<T, evidence_list<Tags...>>& found, std::size_t i) {
  auto const pieces = std::make_tuple(pick<Tags>(theta, found, i)...);
  return std::apply(
      [&](auto*... piece) -> std::optional<T> {
        if (!(piece && ...)) return std::nullopt;
        T* reused = nullptr;
        ((reused = reused ? reused : spare(piece)), ...);
        return evaluate<T>(criterion, reused, *piece...);
      },
      pieces);
}

/// Turns evidence into scores, parameter by parameter, and uses it up.
template <class C, prunable Model>
[[nodiscard]] auto scores_from(C const& criterion, Model& model, gathered<tensor_of<Model>, typename C::evidence> found) {
  score_set<tensor_of<Model>> result;
  std::size_t i = 0;
  for (auto const& p : model.parameters()) {
    auto const index = i++;
    if (!is_prunable(p.role)) continue;
    if (auto values = call<tensor_of<Model>>(criterion, typename C::evidence{}, *p.value, found, index))
      result.parameters.push_back({p.name, std::move(*values), p.role, p.output_axis});
    else
      result.unreached.push_back(p.name);
  }
  return result;
}

class stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The criterion's own batch-norm mode; `train` for criteria that do not say.
template <class C>
[[nodiscard]] constexpr norm_mode default_norm() {
  if constexpr (requires { C::norm; })
    return C::norm;
  else
    return norm_mode::train;
}

/// The criterion's own loss; cross-entropy on labels for criteria that do not say.
template <class C>
[[nodiscard]] constexpr auto default_loss() {
  if constexpr (requires { C::default_loss; })
    return C::default_loss;
  else
    return cross_entropy{};
}

/// What a criterion asks for of the model alone.
template <class C, class Model>
void gather_from_model(Model& model, shape const& input, score_options const& options, weight_signs signs,
                       gathered<tensor_of<Model>, typename C::evidence>& found) {
  if constexpr (uses<C, flow>) found.template of<flow>() = gather_flow(model, input, signs);
  if constexpr (uses<C, noise>) found.template of<noise>() = gather_noise(model, options.seed);
}

/// The shape of one sample: given as it is, or read off the batches.
[[nodiscard]] inline shape sample_shape(shape const& extents) { return extents; }
template <class Batches>
[[nodiscard]] shape sample_shape(Batches const& batches) {
  auto const parts = parts_of(batches);
  if (parts.empty()) return {};
  auto extents = shape_of(parts.front().input);
  extents.erase(extents.begin());
  return extents;
}

/// Scores as a call asked for them, or the sentence that says why it cannot be.
template <class C, class Model, class Batches, class Guide, class Loss>
[[nodiscard]] auto score_as_asked(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                  score_options const& options, weight_signs signs = weight_signs::any) {
  if constexpr (prunable<Model> && criterion<C>) {
    stopwatch const watch;
    score_set<tensor_of<Model>> result;
    gathered<tensor_of<Model>, typename C::evidence> found;
    if constexpr (is_data_free<C> || diagnosis<C, Model, Batches, Guide, Loss>::well_formed) {
      if constexpr (!is_data_free<C>) {
        auto const norm = normalization{options.batch_norm.value_or(default_norm<C>())};
        gather_from_data<C>(scoring_problem<Model, Loss>(model, parts_of(batches), guide, loss, norm, options), found);
      }
      gather_from_model<C>(model, sample_shape(batches), options, signs, found);
      result = scores_from(C{}, model, std::move(found));
    } else {
      diagnosis<C, Model, Batches, Guide, Loss>::explain();
    }
    result.seconds = watch.seconds();
    return result;
  } else {
    diagnosis<C, Model, Batches, Guide, Loss>::explain();
  }
}

}  // namespace detail

/// Refuses NaN and infinite scores, naming the parameters and how many.
template <class T>
void require_finite(score_set<T> const& scores) {
  std::string found;
  for (auto const& p : scores.parameters) {
    auto const values = values_of(p.values);
    auto const bad = std::count_if(values.begin(), values.end(), [](auto v) { return !std::isfinite(v); });
    if (bad)
      found += (found.empty() ? "" : ", ") + std::to_string(bad) + " of " + std::to_string(values.size()) + " in " + p.name;
  }
  if (!found.empty()) fail("scores are NaN or infinite (", found, "): score finite weights and inputs, or in double");
}

/// The scores of every prunable weight on a batch or a range of batches, under a guide and a loss of one's choice. The model is
/// left as it was. `batches` may be the shape of one input where the criterion is synflow.
template <class C, class Model, class Batches, class Guide, class Loss>
[[nodiscard]] auto score(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                         score_options const& options) {
  return detail::score_as_asked<C>(model, batches, guide, loss, options);
}

/// As above with the criterion's own loss, or with a loss and no guide.
template <class C, class Model, class Batches, class GuideOrLoss>
[[nodiscard]] auto score(Model& model, Batches const& batches, GuideOrLoss const& guide_or_loss, score_options const& options) {
  if constexpr (loss_like<GuideOrLoss>)
    return detail::score_as_asked<C>(model, batches, no_guide{}, guide_or_loss, options);
  else
    return detail::score_as_asked<C>(model, batches, guide_or_loss, detail::default_loss<C>(), options);
}

/// As above without a guide.
template <class C, class Model, class Batches>
[[nodiscard]] auto score(Model& model, Batches const& batches, score_options const& options) {
  return detail::score_as_asked<C>(model, batches, no_guide{}, detail::default_loss<C>(), options);
}

}  // namespace lnpt
