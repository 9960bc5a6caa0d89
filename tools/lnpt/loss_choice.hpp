#pragma once
/// A loss chosen at run time among those that read the same.
#include <variant>

#include <lnpt/loss/concept.hpp>

#include "misuse.hpp"

namespace cli {

/// One of several losses with the same needs, so that what a pipeline reads stays a matter of types: labels never reach a loss
/// choice that does not name them.
template <class First, class... Rest>
struct loss_choice {
  static constexpr lnpt::loss_needs needs = First::needs;
  static_assert(((Rest::needs.labels == needs.labels && Rest::needs.teacher == needs.teacher &&
                  Rest::needs.features == needs.features) &&
                 ...),
                "cli: the losses of a choice must read the same");

  std::variant<First, Rest...> chosen;

  template <class T>
  [[nodiscard]] double value(lnpt::prediction<T> const& student, lnpt::target<T> const& expected) const {
    return std::visit([&](auto const& loss) { return loss.value(student, expected); }, chosen);
  }
  template <class V>
  [[nodiscard]] lnpt::cotangents<V> cotangent(lnpt::prediction<V> const& student,
                                              lnpt::target<lnpt::primal_t<V>> const& expected) const {
    return std::visit([&](auto const& loss) { return loss.cotangent(student, expected); }, chosen);
  }
  template <class T>
  [[nodiscard]] lnpt::cotangents<T> curvature_probe(lnpt::prediction<T> const& student, T const& z) const {
    return std::visit(
        [&]<class Loss>(Loss const& loss) -> lnpt::cotangents<T> {
          if constexpr (lnpt::has_curvature_probe<Loss, T>)
            return loss.curvature_probe(student, z);
          else
            refuse("a sum of losses has no curvature to probe: choose one of its terms");
        },
        chosen);
  }
};

}  // namespace cli
