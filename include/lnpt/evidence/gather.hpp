#pragma once
/// All the evidence a criterion asks for, in as few passes as it takes.
#include <array>
#include <concepts>
#include <cstddef>
#include <utility>

#include <lnpt/evidence/gradient.hpp>
#include <lnpt/evidence/hessian_gradient.hpp>

namespace lnpt::detail {

/// One set of tensors for each tag of an evidence list.
template <class T, class List>
class gathered;
template <class T, class... Tags>
class gathered<T, evidence_list<Tags...>> {
 public:
  using tags = evidence_list<Tags...>;

  template <class Tag>
  [[nodiscard]] gradients<T>& of() {
    return places_[tags::template place_of<Tag>];
  }
  /// Calls `visit(tag, its place)` for every tag, once also for one that is listed twice.
  template <class Visit>
  void for_each(Visit visit) {
    std::size_t at = 0;
    ((at++ == tags::template place_of<Tags> ? visit(Tags{}, of<Tags>()) : void()), ...);
  }
  /// The tensor of `Tag` for parameter i, or null where the parameter is not reached; θ, which is not gathered, comes from the model.
  template <class Tag>
  [[nodiscard]] auto* piece(T const& theta, std::size_t i) {
    if constexpr (std::same_as<Tag, weight>) {
      return &theta;
    } else {
      auto& all = of<Tag>();
      return i < all.size() && all[i] ? &*all[i] : nullptr;
    }
  }

 private:
  std::array<gradients<T>, sizeof...(Tags)> places_;
};

/// Evidence of data: one forward pass, and one backward pass where g is asked for. H g brings g along.
template <class List, class Problem>
void gather_from_data(Problem const& problem, gathered<typename Problem::tensor_type, List>& found) {
  auto const with_each_trace = [&](auto const& part, auto& trace) {
    found.for_each([&]<class Tag>(Tag, auto& place) {
      if constexpr (evidence_of_parts<Tag, Problem>)
        accumulate(place, checked_gradients(problem.model(), "of_part()", Tag::of_part(problem, part, trace)));
    });
  };
  gradients<typename Problem::tensor_type> g;
  if constexpr (List::template has<hessian_gradient>)
    found.template of<hessian_gradient>() = gather_hessian_gradient(problem, g, with_each_trace);
  else if constexpr (List::template has<gradient>)
    g = gather_gradient(problem, with_each_trace);
  else
    visit_traces(problem, with_each_trace);
  found.for_each([&]<class Tag>(Tag, auto& place) {
    if constexpr (evidence_of_parts<Tag, Problem>) problem.complete(place);
  });
  if constexpr (List::template has<gradient>) found.template of<gradient>() = std::move(g);
}

/// Evidence of the model alone.
template <class List, prunable Model>
void gather_from_model(Model& model, evidence_request const& request, gathered<tensor_of<Model>, List>& found) {
  found.for_each([&]<class Tag>(Tag, auto& place) {
    if constexpr (evidence_of_model<Tag, Model>) place = checked_gradients(model, "of_model()", Tag::of_model(model, request));
  });
}

}  // namespace lnpt::detail
