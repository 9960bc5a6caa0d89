#pragma once
// A foreign engine: a multi-layer perceptron over std::vector<double> that was written without lnpt in mind, and, below it, what
// it takes to prune it with every criterion of the library.
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <lnpt/core/model.hpp>

namespace host {

/// Row-major numbers with their extents; all arithmetic is elementwise.
struct matrix {
  std::vector<std::size_t> extents;
  std::vector<double> values;

  friend matrix operator*(matrix a, matrix const& b) {
    return a.each(b, [](double x, double y) { return x * y; });
  }
  friend matrix operator+(matrix a, matrix const& b) {
    return a.each(b, [](double x, double y) { return x + y; });
  }
  friend matrix operator*(double s, matrix a) {
    return a.each(a, [s](double x, double) { return s * x; });
  }
  friend matrix abs(matrix a) {
    return a.each(a, [](double x, double) { return std::abs(x); });
  }

  matrix& each(matrix const& other, auto f) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = f(values[i], other.values[i]);
    return *this;
  }
};

/// Σ_k a[i, k] b[k, j], each factor read with its own strides, so that a transpose costs nothing.
struct strided {
  matrix const& m;
  std::size_t rows, columns, down, right;
  double operator()(std::size_t i, std::size_t j) const { return m.values[i * down + j * right]; }
};
inline strided plain(matrix const& m) { return {m, m.extents[0], m.extents[1], m.extents[1], 1}; }
inline strided transposed(matrix const& m) { return {m, m.extents[1], m.extents[0], 1, m.extents[1]}; }
inline matrix product(strided a, strided b) {
  matrix c{{a.rows, b.columns}, std::vector<double>(a.rows * b.columns)};
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t k = 0; k < a.columns; ++k)
      for (std::size_t j = 0; j < b.columns; ++j) c.values[i * b.columns + j] += a(i, k) * b(k, j);
  return c;
}
inline matrix column_sums(matrix const& m) {
  matrix sums{{m.extents[1]}, std::vector<double>(m.extents[1])};
  for (std::size_t i = 0; i < m.values.size(); ++i) sums.values[i % m.extents[1]] += m.values[i];
  return sums;
}

}  // namespace host

// --- from here on the engine joins lnpt ------------------------------------------------------------------------------------

/// How lnpt reads and makes this engine's tensors.
template <>
struct lnpt::tensor_traits<host::matrix> {
  using value_type = double;
  static std::size_t size(host::matrix const& m) { return m.values.size(); }
  static lnpt::shape shape(host::matrix const& m) { return m.extents; }
  static void copy_to(host::matrix const& m, std::span<double> out) { std::copy(m.values.begin(), m.values.end(), out.begin()); }
  static host::matrix make(lnpt::shape const& extents, std::span<double const> values, host::matrix const&) {
    return {extents, {values.begin(), values.end()}};
  }
};

namespace host {

/// y = W x + b, layer after layer, with max(0, ·) between them.
class perceptron {
 public:
  using tensor_type = matrix;

  explicit perceptron(std::vector<std::size_t> const& sizes, unsigned seed = 0) {
    std::mt19937 random(seed);
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      std::normal_distribution<double> normal(0, std::sqrt(2.0 / static_cast<double>(sizes[i])));
      matrix weight{{sizes[i + 1], sizes[i]}, std::vector<double>(sizes[i + 1] * sizes[i])};
      for (auto& w : weight.values) w = normal(random);
      layers_.push_back({std::move(weight), {{sizes[i + 1]}, std::vector<double>(sizes[i + 1])}});
    }
  }

  /// Name, value and role of every parameter, by the names a PyTorch user would expect.
  std::vector<lnpt::parameter<matrix>> parameters() {
    std::vector<lnpt::parameter<matrix>> all;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      auto const last = i + 1 == layers_.size();
      auto const name = last ? "fc" : "hidden." + std::to_string(i);
      all.push_back({name + ".weight", &layers_[i].weight, last ? lnpt::role::classifier_weight : lnpt::role::weight});
      all.push_back({name + ".bias", &layers_[i].bias, lnpt::role::bias});
    }
    return all;
  }

  /// What every layer read, and what came out at the end.
  struct trace {
    std::vector<matrix> values;
    matrix const& output() const { return values.back(); }
    matrix const& features() const { return values[values.size() - 2]; }
  };

  /// There is no batch norm here, so the normalisation is ignored.
  trace forward(matrix const& x, lnpt::normalization const&) const {
    trace t{{x}};
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      auto y = product(plain(t.values.back()), transposed(layers_[i].weight));
      for (std::size_t j = 0; j < y.values.size(); ++j) {
        y.values[j] += layers_[i].bias.values[j % y.extents[1]];
        if (i + 1 < layers_.size()) y.values[j] = std::max(0.0, y.values[j]);
      }
      t.values.push_back(std::move(y));
    }
    return t;
  }

  /// One gradient per parameter; empty for the classifier where only the features reach the loss.
  lnpt::gradients<matrix> backward(trace const& t, lnpt::cotangents<matrix> const& slope, lnpt::which_gradients which) const {
    lnpt::gradients<matrix> found(2 * layers_.size());
    auto delta = slope.output;
    for (auto i = layers_.size(); i-- > 0;) {
      if (delta) {
        if (i + 1 < layers_.size()) delta->each(t.values[i + 1], [](double d, double y) { return y > 0 ? d : 0; });
        found[2 * i] = product(transposed(*delta), plain(t.values[i]));
        if (which == lnpt::which_gradients::all) found[2 * i + 1] = column_sums(*delta);
        delta = product(plain(*delta), plain(layers_[i].weight));
      }
      if (i + 1 == layers_.size() && slope.features) delta = delta ? *delta + *slope.features : *slope.features;
    }
    return found;
  }

 private:
  struct layer {
    matrix weight, bias;
  };
  std::vector<layer> layers_;
};

}  // namespace host
