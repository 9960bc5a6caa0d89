#pragma once
/// A criterion called on the evidence of one parameter.
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tuple>
#include <type_traits>
#include <utility>

#include <lnpt/core/tensor.hpp>
#include <lnpt/evidence/gather.hpp>

namespace lnpt::detail {

/// A piece of evidence whose memory the scores may take: what was gathered is not needed again. The weights are, and come as `const`.
template <class T>
[[nodiscard]] T* reusable(T* gathered_piece) {
  return gathered_piece;
}
template <class T>
[[nodiscard]] T* reusable(T const*) {
  return nullptr;
}

/// The criterion on one number after the other, in parallel and in one pass; `to` may be one of the pieces.
template <class C, class T, class... Pieces>
void evaluate_numbers(C const& criterion, std::span<T> to, Pieces const*... piece) {
  constexpr std::size_t grain = std::size_t{1} << 14;
  constexpr std::size_t block = 256;
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, to.size(), grain), [&](auto const& range) {
    std::array<T, block> scores;  // apart from the pieces, so that the loop over them vectorises
    for (auto at = range.begin(); at < range.end(); at += block) {
      auto const n = std::min(block, range.end() - at);
      for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<T>(criterion(piece[at + i]...));
      std::copy_n(scores.data(), n, to.data() + at);
    }
  });
}

/// The criterion on whole tensors; where they lie in host memory and the criterion takes numbers too, on numbers, in the place of
/// `reused` if there is one.
template <class T, class C, class... Pieces>
[[nodiscard]] T evaluate(C const& criterion, T* reused, Pieces const&... piece) {
  using number = value_type<T>;
  if constexpr (writable_in_place<T> && std::is_invocable_r_v<number, C const&, std::conditional_t<true, number, Pieces>...>) {
    auto fresh = reused ? std::optional<T>() : empty_like(std::get<0>(std::tie(piece...)));
    auto& scores = reused ? *reused : *fresh;
    evaluate_numbers(criterion, tensor_traits<T>::view(scores), tensor_traits<T>::view(piece).data()...);
    return std::move(scores);
  } else {
    return T(criterion(piece...));
  }
}

/// Calls the criterion on the evidence of parameter `i`; empty where a piece of it is missing.
template <class T, class C, class... Tags>
[[nodiscard]] std::optional<T> call(C const& criterion, T const& theta, gathered<T, evidence_list<Tags...>>& found,
                                    std::size_t i) {
  return std::apply(
      [&](auto*... piece) -> std::optional<T> {
        if (!(piece && ...)) return std::nullopt;
        T* reused = nullptr;
        ((reused = reused ? reused : reusable(piece)), ...);
        return evaluate<T>(criterion, reused, *piece...);
      },
      std::make_tuple(found.template piece<Tags>(theta, i)...));
}

}  // namespace lnpt::detail
