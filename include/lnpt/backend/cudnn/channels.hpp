#pragma once
/// Vectors over channels, and the passes of batch normalisation. Arithmetic between them is deferred: up to 64 operations are one launch.
#include <memory>
#include <utility>
#include <vector>

#include <lnpt/backend/concept.hpp>
#include <lnpt/backend/cudnn/strided.hpp>
#include <lnpt/backend/image_extents.hpp>

namespace lnpt::cudnn {

/// One double per channel on the device. An operation appends an instruction to the channel program of the runtime.
class channels {
 public:
  channels() = default;
  /// Values unspecified.
  explicit channels(std::size_t n) : values_(detail::allocate(n * sizeof(double))), n_(static_cast<unsigned>(n)) {}

  [[nodiscard]] unsigned size() const { return n_; }
  [[nodiscard]] double* data() const { return static_cast<double*>(values_->get()); }
  [[nodiscard]] detail::shared_buffer const& owner() const { return values_; }

  friend channels operator+(channels const& a, channels const& b) { return of(detail::channel_operation::add, a, &b); }
  friend channels operator-(channels const& a, channels const& b) { return of(detail::channel_operation::subtract, a, &b); }
  friend channels operator*(channels const& a, channels const& b) { return of(detail::channel_operation::multiply, a, &b); }
  friend channels operator*(double s, channels const& a) { return of(detail::channel_operation::scale, a, nullptr, s); }
  /// 1/√(x + ε)
  friend channels inverse_root(channels const& a, double epsilon) {
    return of(detail::channel_operation::inverse_root, a, nullptr, epsilon);
  }

 private:
  static channels of(detail::channel_operation operation, channels const& a, channels const* b, double s = 0) {
    if (b != nullptr && b->size() != a.size())
      fail("vectors over ", a.size(), " and ", b->size(), " channels do not match; pass two of one length");
    channels const out(a.size());
    std::vector<std::shared_ptr<void>> keep{a.owner(), out.owner()};
    if (b != nullptr) keep.push_back(b->owner());
    detail::runtime::current().defer({operation, a.size(), a.data(), b ? b->data() : nullptr, out.data(), s, 0}, std::move(keep));
    return out;
  }

  detail::shared_buffer values_;
  unsigned n_ = 0;
};

namespace detail {

template <class T>
[[nodiscard]] constexpr channel_operation for_type(channel_operation in_float, channel_operation in_double) {
  return sizeof(T) == sizeof(float) ? in_float : in_double;
}

}  // namespace detail

template <class T>
[[nodiscard]] channels as_channels(array<T> const& x) {
  channels result(x.size());
  using enum detail::channel_operation;
  detail::runtime::current().defer(
      {detail::for_type<T>(load_float, load_double), result.size(), x.data(), nullptr, result.data(), 0, 0},
      {x.owner(), result.owner()});
  return result;
}

template <class T>
[[nodiscard]] array<T> vector(channels const& c) {
  array<T> result({c.size()});
  using enum detail::channel_operation;
  auto* const to = result.written();
  detail::runtime::current().defer({detail::for_type<T>(store_float, store_double), c.size(), c.data(), nullptr, to, 0, 0},
                                   {c.owner(), result.owner()});
  return result;
}

/// running ← (1 − momentum) running + momentum factor now
template <class T>
void move_towards(array<T>& running, channels const& now, double factor, double momentum) {
  if (running.size() != now.size())
    fail("move_towards: running statistics of ", running.size(), " channels and new ones of ", now.size(),
         "; pass two of one length");
  using enum detail::channel_operation;
  auto* const to = running.written();
  detail::runtime::current().defer(
      {detail::for_type<T>(move_float, move_double), now.size(), now.data(), nullptr, to, 1 - momentum, momentum * factor},
      {running.owner(), now.owner()});
}

namespace detail {

/// Σ g and Σ g·x per channel into vectors, either of which may be absent.
template <class T>
void sum_channels(array<T> const& g, T const* x, T const* gate, channels const* sum, channels const* dot) {
  image_extents const e(g.extents());
  runtime::current().launch(kernel_for<T>("channel_sums"), e.channels, 256, g.data(), x, gate, 0, sum ? sum->data() : nullptr,
                            dot ? dot->data() : nullptr, static_cast<unsigned>(e.samples), static_cast<unsigned>(e.channels),
                            static_cast<unsigned>(e.height * e.width));
}

}  // namespace detail

template <class T>
[[nodiscard]] channels channel_sum(array<T> const& g) {
  auto const images = detail::as_images(g);
  channels const sum(image_extents(g.extents()).channels);
  detail::sum_channels<T>(images, nullptr, nullptr, &sum, nullptr);
  return sum;
}

/// Per channel Σ g and Σ g·x; g counts only where the gate is positive, if there is one.
template <class T>
[[nodiscard]] std::pair<channels, channels> channel_sums(array<T> const& g, array<T> const& x, array<T> const* gate) {
  detail::require_same_size("channel_sums", g, x);
  if (gate != nullptr) detail::require_same_size("channel_sums", g, *gate);
  auto const width = image_extents(g.extents()).channels;
  auto const values = detail::as_images(g);
  auto const other = detail::as_images(x);
  auto const open = gate ? detail::as_images(*gate) : array<T>{};
  std::pair<channels, channels> const sums(channels{width}, channels{width});
  detail::sum_channels<T>(values, other.data(), open.data(), &sums.first, &sums.second);
  return sums;
}

/// Σ_j coefficient_j[c]·values_j + constant[c] in one pass over at most four images.
template <class T>
[[nodiscard]] array<T> combine(std::vector<combined<array<T>, channels>> const& terms, channels const* constant,
                               array<T> const* gate, bool rectify, bool gate_all) {
  constexpr std::size_t most = 4;
  if (terms.empty() || terms.size() > most) fail("combine: ", terms.size(), " terms; pass one to four");
  image_extents const e(terms.front().values->extents());
  array<T> result(terms.front().values->extents(), storage::images);
  detail::combination<T> all{};
  std::vector<array<T>> images;
  for (auto const& t : terms) {
    detail::require_same_size("combine", *t.values, result);
    if ((t.coefficient && t.coefficient->size() != e.channels) || ((t.gated || gate_all) && gate == nullptr))
      fail("combine: pass one coefficient for each of the ", e.channels, " channels, and a gate for gated terms");
    images.push_back(detail::as_images(*t.values));
    all.values[all.terms] = images.back().data();
    all.coefficient[all.terms] = t.coefficient ? t.coefficient->data() : nullptr;
    all.gated[all.terms++] = t.gated ? 1 : 0;
  }
  if (gate != nullptr) images.push_back(detail::as_images(*gate));
  all.gate = gate ? images.back().data() : nullptr;
  all.constant = constant ? constant->data() : nullptr;
  all.rectify = rectify ? 1 : 0;
  all.gate_all = gate_all ? 1 : 0;
  auto* const to = result.written();
  detail::runtime::current().for_each_element(detail::kernel_for<T>("combine"), result.size(), all, to,
                                              static_cast<unsigned>(e.channels), static_cast<unsigned>(e.height * e.width));
  return result;
}

}  // namespace lnpt::cudnn
