#pragma once
/// Random numbers in the place of evidence.
#include <cstdint>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

/// U(0, 1) from the seed, the same numbers on every engine.
struct noise {
  static constexpr evidence_needs needs{};

  template <prunable Model>
  [[nodiscard]] static gradients<tensor_of<Model>> of_model(Model& model, evidence_request const& request) {
    using T = tensor_of<Model>;
    gradients<T> numbers;
    for (std::uint64_t index = 0; auto const& p : model.parameters()) {
      std::vector<value_type<T>> values(size_of(*p.value));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<value_type<T>>(uniform(request.options.seed, index, i));
      numbers.push_back(make_tensor<T>(shape_of(*p.value), values, *p.value));
      ++index;
    }
    return numbers;
  }
};

}  // namespace lnpt
