#pragma once
/// Vectors over channels, and the passes of batch normalisation. Arithmetic between them is deferred: up to 64 operations are one launch.
#include <algorithm>
#include <bit>
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

  /// The sums of `count` vectors that lie behind each other.
  [[nodiscard]] static channels sum_of_slices(channels const& slices, std::size_t count) {
    channels const out(slices.size() / count);
    detail::runtime::current().defer(
        {detail::channel_operation::add_slices, out.size(), slices.data(), nullptr, out.data(), static_cast<double>(count), 0},
        {slices.owner(), out.owner()});
    return out;
  }

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

/// Σ g and, with x, Σ g·x per channel of images whose channels come last: slices of the pixels by one launch, and their sums, in order, by
/// the channel program.
template <class T>
[[nodiscard]] std::pair<channels, channels> sum_channels_last(array<T> const& g, array<T> const* x, array<T> const* gate) {
  constexpr std::size_t block = 256;
  constexpr std::size_t most_slices = 64;
  constexpr std::size_t least_pixels = 256;  // of a slice
  image_extents const e(g.extents());
  auto const pixels = e.samples * e.height * e.width;
  auto const width = std::min<std::size_t>(32, std::bit_ceil(e.channels));
  auto const slices = std::clamp<std::size_t>(pixels / least_pixels, 1, most_slices);
  auto const n = [](std::size_t i) { return static_cast<unsigned>(i); };
  std::pair<channels, channels> const parts(channels{slices * e.channels}, x ? channels{slices * e.channels} : channels{});
  runtime::current().launch(kernel_for<T>("channel_sums_last"), (e.channels + width - 1) / width * slices, block, g.read(),
                            x ? x->read() : source{}, gate ? gate->read() : source{}, parts.first.data(),
                            x ? parts.second.data() : nullptr, n(pixels), n(e.channels), n(width), n(slices));
  auto const whole = [&](channels const& of) { return slices == 1 ? of : channels::sum_of_slices(of, slices); };
  return {whole(parts.first), x ? whole(parts.second) : channels{}};
}

/// The same of images whichever way they lie.
template <class T>
[[nodiscard]] std::pair<channels, channels> sum_channels(array<T> const& g, array<T> const* x, array<T> const* gate) {
  std::vector<array<T>> images;
  auto const how = g.how_stored() == storage::images_last || (x && x->how_stored() == storage::images_last) ? storage::images_last
                                                                                                            : storage::images;
  for (auto const* each : {&g, x, gate}) images.push_back(each ? stored_as(*each, how) : array<T>{});
  if (how == storage::images_last) return sum_channels_last(images[0], x ? &images[1] : nullptr, gate ? &images[2] : nullptr);
  image_extents const e(g.extents());
  std::pair<channels, channels> const sums(channels{e.channels}, x ? channels{e.channels} : channels{});
  runtime::current().launch(kernel_for<T>("channel_sums"), e.channels, 256, images[0].data(), images[1].data(), images[2].data(),
                            0, sums.first.data(), x ? sums.second.data() : nullptr, static_cast<unsigned>(e.samples),
                            static_cast<unsigned>(e.channels), static_cast<unsigned>(e.height * e.width));
  return sums;
}

}  // namespace detail

template <class T>
[[nodiscard]] channels channel_sum(array<T> const& g) {
  return detail::sum_channels<T>(g, nullptr, nullptr).first;
}

/// Per channel Σ g and Σ g·x; g counts only where the gate is positive, if there is one.
template <class T>
[[nodiscard]] std::pair<channels, channels> channel_sums(array<T> const& g, array<T> const& x, array<T> const* gate) {
  detail::require_same_size("channel_sums", g, x);
  if (gate != nullptr) detail::require_same_size("channel_sums", g, *gate);
  return detail::sum_channels(g, &x, gate);
}

/// Σ_j coefficient_j[c]·values_j + constant[c] in one pass over at most four images; with channels last where one of them lies so.
template <class T>
[[nodiscard]] array<T> combine(std::vector<combined<array<T>, channels>> const& terms, channels const* constant,
                               array<T> const* gate, bool rectify, bool gate_all) {
  constexpr std::size_t most = 4;
  if (terms.empty() || terms.size() > most) fail("combine: ", terms.size(), " terms; pass one to four");
  image_extents const e(terms.front().values->extents());
  auto const last = std::ranges::any_of(terms, [](auto const& t) { return t.values->how_stored() == storage::images_last; });
  auto const how = last ? storage::images_last : storage::images;
  array<T> result(terms.front().values->extents(), how);
  detail::combination all{};
  std::vector<array<T>> images;
  for (auto const& t : terms) {
    detail::require_same_size("combine", *t.values, result);
    if ((t.coefficient && t.coefficient->size() != e.channels) || ((t.gated || gate_all) && gate == nullptr))
      fail("combine: pass one coefficient for each of the ", e.channels, " channels, and a gate for gated terms");
    images.push_back(detail::stored_as(*t.values, how));
    all.values[all.terms] = images.back().read();
    all.coefficient[all.terms] = t.coefficient ? t.coefficient->data() : nullptr;
    all.gated[all.terms++] = t.gated ? 1 : 0;
  }
  if (gate != nullptr) {
    images.push_back(detail::stored_as(*gate, how));
    all.gate = images.back().read();
  }
  all.constant = constant ? constant->data() : nullptr;
  all.rectify = rectify ? 1 : 0;
  all.gate_all = gate_all ? 1 : 0;
  auto* const to = result.written();
  detail::channel_layout const layout{static_cast<unsigned>(e.channels), static_cast<unsigned>(e.height * e.width), last ? 1 : 0};
  detail::runtime::current().for_each_element(detail::kernel_for<T>("combine"), result.size(), all, to,
                                              detail::written_in_bf16(result), layout);
  return result;
}

}  // namespace lnpt::cudnn
