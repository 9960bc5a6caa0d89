#pragma once
/// Descent under masks: all parameters of a model in one launch.
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/backend/cudnn/strided.hpp>
#include <lnpt/backend/sgd_constants.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::cudnn {

/// The words of a mask on the device.
struct packed_mask {
  detail::shared_buffer words;
  std::size_t count = 0;

  [[nodiscard]] unsigned long long const* data() const { return static_cast<unsigned long long const*>(words->get()); }
};

[[nodiscard]] inline packed_mask pack(std::span<mask::word const> words) {
  packed_mask result{detail::allocate(words.size_bytes()), words.size()};
  detail::copy(result.words->get(), words.data(), words.size_bytes(), cudaMemcpyHostToDevice);
  return result;
}

namespace detail {

/// How many blocks of threads pass over n elements.
[[nodiscard]] constexpr unsigned blocks_of(std::size_t n) { return static_cast<unsigned>((n + part_block - 1) / part_block); }

template <class T>
void require_descent(sgd_operands<array<T>, packed_mask> const& p) {
  require_same_size("sgd_step", *p.w, *p.g);
  require_same_size("sgd_step", *p.w, *p.v);
  if (p.kept != nullptr && p.kept->count != (p.w->size() + mask::word_bits - 1) / mask::word_bits)
    fail("sgd_step: a mask of ", p.kept->count, " words for ", p.w->size(), " weights; pass one word per 64 weights, or none");
}

/// What convolutions keep of an array, to be written with it, if they read it as weights.
template <class T>
[[nodiscard]] copy_for_convolutions copy_of_weights(array<T>& w) {
  auto copy = w.release_copy();
  auto const& e = w.extents();
  auto const is_of_weights = e.size() == 4 && w.how_stored() == storage::as_extents && copy.is(copy.is_bf16, e[1], e[2] * e[3]);
  return is_of_weights ? copy : copy_for_convolutions{};
}

/// One parameter's row of the table. What was kept of it is as convolutions transposed it: [O, channels, pixels] with channels last.
template <class T>
[[nodiscard]] descent_part<T> descent_of(sgd_operands<array<T>, packed_mask> const& p, array<T> const& gradient,
                                         copy_for_convolutions const& copy, unsigned first_block) {
  auto const& e = p.w->extents();
  bool const is_matrices = e.size() == 4;
  auto const slopes = gradient.read();
  auto* const weights = p.w->written();
  return {weights,
          slopes.at,
          p.v->written(),
          p.kept ? p.kept->data() : nullptr,
          copy.values ? copy.values->get() : nullptr,
          static_cast<unsigned>(p.w->size()),
          first_block,
          is_matrices ? static_cast<unsigned>(e[1]) : 1U,
          is_matrices ? static_cast<unsigned>(e[2] * e[3]) : 1U,
          static_cast<unsigned char>(gradient.how_stored() == storage::weights_last),
          static_cast<unsigned char>(slopes.is_bf16),
          static_cast<unsigned char>(copy.is_bf16)};
}

}  // namespace detail

/// v = μ·v + (g + λ·w); w −= lr·v, for the weights whose bit is set; pruned weights and their velocity become +0. Nothing changes where
/// the operands of any parameter do not fit. One launch for 480 parameters, which reads gradients as convolutions on tensor cores left them and
/// writes what those keep of the weights.
template <class T>
void sgd_steps(std::span<sgd_operands<array<T>, packed_mask> const> parameters, sgd_constants const& constants) {
  for (auto const& p : parameters) detail::require_descent(p);
  auto& device = detail::runtime::current();
  device.flush();  // which may hold the weights, and a shared array is copied before it is written
  for (; !parameters.empty(); parameters = parameters.subspan(std::min<std::size_t>(parameters.size(), detail::most_parts))) {
    std::vector<array<T>> gradients;  // of which some are stored anew
    std::vector<std::pair<array<T>*, detail::copy_for_convolutions>> copies;
    detail::descent_table<T> all{0,
                                 static_cast<T>(constants.learning_rate),
                                 static_cast<T>(constants.momentum),
                                 static_cast<T>(constants.weight_decay),
                                 {}};
    unsigned blocks = 0;
    for (auto const& p : parameters.first(std::min<std::size_t>(parameters.size(), detail::most_parts))) {
      if (p.w->size() == 0) continue;
      gradients.push_back(p.g->how_stored() == storage::weights_last ? *p.g : detail::stored_like(*p.w, *p.g));
      copies.emplace_back(p.w, detail::copy_of_weights(*p.w));
      all.at[all.parts++] = detail::descent_of(p, gradients.back(), copies.back().second, blocks);
      blocks += detail::blocks_of(p.w->size());
    }
    if (blocks != 0) device.launch(detail::kernel_for<T>("sgd_steps"), blocks, detail::part_block, all);
    for (auto& [weights, copy] : copies) weights->keep_copy(std::move(copy));
  }
}

/// Sets the values whose bit is 0 to +0, whatever they were.
template <class T>
void clear_pruned(array<T>& x, packed_mask const& kept) {
  x = detail::in_order(x);
  detail::runtime::current().flush();
  auto* const values = x.written();
  detail::runtime::current().for_each_element(detail::kernel_for<T>("clear_pruned"), x.size(), values, kept.data());
}

}  // namespace lnpt::cudnn
