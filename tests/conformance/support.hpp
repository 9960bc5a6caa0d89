#pragma once
// Batches for examinations, and their outcome as doctest sees it.
#include <doctest/doctest.h>

#include <lnpt/conformance.hpp>

/// Normal numbers and labels that go round.
template <class T>
lnpt::labelled_batch<T> random_batch(lnpt::shape const& extents, std::size_t classes, std::uint64_t seed, T const& near = {}) {
  std::vector<lnpt::value_type<T>> values(lnpt::element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<lnpt::value_type<T>>(lnpt::normal(seed, 7, i).first);
  std::vector<std::int64_t> labels;
  for (std::size_t b = 0; b < extents[0]; ++b) labels.push_back(static_cast<std::int64_t>(b % classes));
  return {lnpt::make_tensor<T>(extents, values, near), labels};
}

/// Fails with the findings, should there be any.
inline void check_conforms(lnpt::conformance::findings const& found) {
  for (auto const& [property, what] : found) FAIL_CHECK(property << ": " << what);
  CHECK(found.empty());
}
