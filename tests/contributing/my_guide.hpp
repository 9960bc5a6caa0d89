#pragma once
// The guide that docs/extend.md adds.
#include <lnpt/lnpt.hpp>

/// The mean of what two guides predict.
template <class First, class Second>
struct mean_of {
  First first;
  Second second;

  template <lnpt::tensor T>
  lnpt::prediction<T> predict(T const& input, std::size_t part) const {
    lnpt::prediction<T> const a = first.predict(input, part), b = second.predict(input, part);
    lnpt::prediction<T> mean{T(0.5 * T(a.output + b.output)), std::nullopt};
    if (a.features && b.features) mean.features = T(0.5 * T(*a.features + *b.features));
    return mean;
  }
};
