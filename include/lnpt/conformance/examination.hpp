#pragma once
/// What a conformance check works with: findings, a subject to examine, and walks through its parameters.
#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/guard.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/evidence/problem.hpp>

namespace lnpt::conformance {

/// A property of an engine that does not hold.
struct finding {
  std::string property;
  std::string what;
};

/// What an examination turned up; empty where the engine conforms in everything that was examined.
class findings : public std::vector<finding> {
 public:
  std::vector<finding> not_examined;  ///< properties nobody looked at, and why

  template <class... Parts>
  void add(std::string property, Parts const&... parts) {
    push_back({std::move(property), text_of(parts...)});
  }
  template <class... Parts>
  void skip(std::string property, Parts const&... parts) {
    not_examined.push_back({std::move(property), text_of(parts...)});
  }

 private:
  template <class... Parts>
  [[nodiscard]] static std::string text_of(Parts const&... parts) {
    std::ostringstream what;
    (what << ... << parts);
    return what.str();
  }
};

struct examination_options {
  std::uint64_t seed = 1;
  double derivative_tolerance = 0;  ///< relative, of derivatives against central differences; 0: 1e-6 in double, 0.1 in float
  double step = 0;  ///< of central differences, relative to the parameters that move; 0: 1e-7 in double, 1e-4 in float
  int draws = 10;   ///< how often a direction that meets a kink is drawn again
};

/// A model with all that a loss can ask for: labelled inputs, and predictions to compare its own with.
template <differentiable Model>
struct subject {
  using tensor_type = tensor_of<Model>;

  Model& model;
  labelled_batch<tensor_type> const& batch;
  prediction<tensor_type> teacher_prediction;
  examination_options options;

  static constexpr bool in_double = std::same_as<value_type<tensor_type>, double>;
  [[nodiscard]] double tolerance() const {
    return options.derivative_tolerance > 0 ? options.derivative_tolerance : in_double ? 1e-6 : 0.1;
  }
  [[nodiscard]] double step() const { return options.step > 0 ? options.step : in_double ? 1e-7 : 1e-4; }

  [[nodiscard]] target<tensor_type> expected() const { return {&batch.labels, &teacher_prediction}; }
  [[nodiscard]] auto guide() const { return known_predictions(teacher_prediction); }
  [[nodiscard]] auto forward(normalization const& norm) const { return model.forward(batch.input, norm); }
  [[nodiscard]] prediction<tensor_type> predicted(trace_of<Model> const& trace) const { return prediction_of(model, trace); }
};

namespace detail {

using numbers = std::vector<double>;

template <tensor T>
[[nodiscard]] numbers in_double(T const& t) {
  auto const values = values_of(t);
  return {values.begin(), values.end()};
}

template <tensor T>
[[nodiscard]] T from_double(shape const& extents, numbers const& values, T const& near) {
  return make_tensor<T>(extents, std::vector<value_type<T>>(values.begin(), values.end()), near);
}

[[nodiscard]] inline double dot(numbers const& a, numbers const& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
[[nodiscard]] inline double length(numbers const& a) { return std::sqrt(dot(a, a)); }
[[nodiscard]] inline numbers difference(numbers a, numbers const& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

/// All gradients one after the other, zeros where one is empty.
template <prunable Model>
[[nodiscard]] numbers concatenated(Model& model, gradients<tensor_of<Model>> const& g) {
  numbers all;
  std::size_t i = 0;
  for (auto const& p : model.parameters()) {
    auto const here = i < g.size() && g[i] ? in_double(*g[i]) : numbers(size_of(*p.value));
    all.insert(all.end(), here.begin(), here.end());
    ++i;
  }
  return all;
}

/// The same tensor up to a relative difference, in the Euclidean norm.
template <tensor T>
[[nodiscard]] bool close(T const& a, T const& b, double tolerance) {
  if (shape_of(a) != shape_of(b)) return false;
  return length(difference(in_double(a), in_double(b))) <= tolerance * length(in_double(b));
}
template <tensor T>
[[nodiscard]] bool same_bits(T const& a, T const& b) {
  return shape_of(a) == shape_of(b) && values_of(a) == values_of(b);
}
template <tensor T>
[[nodiscard]] bool same_bits(gradients<T> const& a, gradients<T> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](auto const& x, auto const& y) { return x ? y && same_bits(*x, *y) : !y; });
}

/// What rounding alone may cost where two ways to the same sum are compared.
template <tensor T>
inline constexpr double rounding = std::same_as<value_type<T>, double> ? 1e-9 : 1e-3;

/// θ + t v for a direction v: moves the parameters of a model and puts them back at the end.
template <prunable Model>
class walk {
 public:
  using tensor_type = tensor_of<Model>;

  /// `direction` has one entry per parameter; those with an empty entry stay.
  walk(Model& model, gradients<tensor_type> direction) : guard_(model), direction_(std::move(direction)) {
    double squares = 0;
    double moving = 0;
    std::size_t i = 0;
    for (auto const& p : model.parameters()) {
      parameters_.push_back(p);
      home_.push_back(in_double(*p.value));
      if (auto const& v = direction_.at(i++)) {
        squares += dot(home_.back(), home_.back());
        moving += dot(in_double(*v), in_double(*v));
      }
    }
    unit_ = std::max(std::sqrt(squares), 1e-2) / std::sqrt(moving);
  }

  /// The t at which θ has moved by its own length.
  [[nodiscard]] double unit() const { return unit_; }

  void to(double t) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!direction_[i]) continue;
      auto moved = home_[i];
      auto const v = in_double(*direction_[i]);
      for (std::size_t k = 0; k < moved.size(); ++k) moved[k] += t * v[k];
      assign(*parameters_[i].value, from_double(shape_of(*parameters_[i].value), moved, *parameters_[i].value));
    }
  }

 private:
  restoring_guard<Model> guard_;
  gradients<tensor_type> direction_;
  std::vector<parameter<tensor_type>> parameters_;
  std::vector<numbers> home_;
  double unit_;
};

/// A direction along which a function with gradient `g` certainly rises: g's signs with lengths in [½, 3/2), or g itself times such.
template <tensor T>
[[nodiscard]] T rising(T const& g, std::uint64_t seed, std::uint64_t draw, bool signs_only) {
  auto v = in_double(g);
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] = (0.5 + uniform(seed, draw, i)) * (signs_only ? (v[i] < 0 ? -1.0 : 1.0) : v[i]);
  return from_double(shape_of(g), v, g);
}

}  // namespace detail
}  // namespace lnpt::conformance
