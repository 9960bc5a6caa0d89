#pragma once
/// Sums of gradients, and a look at what an engine returned.
#include <cstddef>
#include <string_view>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>

namespace lnpt::detail {

/// into += from, entry by entry; an entry is reached if either side is.
template <class T>
void accumulate(gradients<T>& into, gradients<T> from) {
  if (into.empty()) into.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!from[i]) continue;
    into[i] = into[i] ? T(*into[i] + *from[i]) : std::move(*from[i]);
  }
}

template <class T>
void scale(gradients<T>& g, double factor) {
  if (factor == 1.0) return;
  for (auto& each : g)
    if (each) each = T(factor * *each);
}

/// The same gradients, if there is one entry per parameter and each that is not empty has its parameter's shape. `source` names what
/// returned them.
template <prunable Model>
[[nodiscard]] gradients<tensor_of<Model>> checked_gradients(Model& model, std::string_view source,
                                                            gradients<tensor_of<Model>> g) {
  auto const& parameters = model.parameters();
  auto const count = static_cast<std::size_t>(std::ranges::distance(parameters));
  if (g.size() != count)
    fail(source, " returned ", g.size(), " gradients for ", count,
         " parameters: return one entry per parameter, empty where the loss does not reach it");
  for (std::size_t i = 0; auto const& p : parameters) {
    auto const& entry = g[i++];
    if (entry && shape_of(*entry) != shape_of(*p.value))
      fail(source, " returned a gradient of the shape ", list(shape_of(*entry)), " for ", p.name, ", which is ",
           list(shape_of(*p.value)), ": return gradients in the shapes of their parameters");
  }
  return g;
}

}  // namespace lnpt::detail
