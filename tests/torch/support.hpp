#pragma once
/// What tests of the adapter share: a sentence caught, a module's state before and after, squares by one pass per sample.
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <string>
#include <vector>

#include <lnpt/core/error.hpp>

namespace torch_support {

/// The words of the lnpt::error that `f` throws.
template <class F>
std::string words_of(F f) {
  try {
    f();
  } catch (lnpt::error const& e) {
    return e.what();
  }
  return "no error";
}

inline bool says(std::string const& sentence, std::string const& words) {
  CAPTURE(sentence);
  return sentence.find(words) != sentence.npos;
}

/// Every byte of a module's state, and its modes.
inline std::vector<at::Tensor> snapshot(torch::nn::Module& module) {
  std::vector<at::Tensor> state;
  for (auto const& p : module.parameters()) state.push_back(p.detach().clone());
  for (auto const& b : module.buffers()) state.push_back(b.detach().clone());
  for (auto const& m : module.modules()) state.push_back(at::tensor(static_cast<std::int64_t>(m->is_training())));
  return state;
}

inline bool same(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](at::Tensor const& x, at::Tensor const& y) { return x.equal(y); });
}

/// The largest difference, in units of the largest expected value.
inline double distance(at::Tensor const& found, at::Tensor const& expected) {
  return (found - expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

/// Σ_b (∂ Σ_k y_bk/∂p)² by one pass for each sample.
template <class Forward>
at::Tensor squares_one_by_one(Forward forward, at::Tensor const& x, at::Tensor const& parameter) {
  auto sum = at::zeros_like(parameter.detach());
  for (std::int64_t b = 0; b < x.size(0); ++b)
    sum += torch::autograd::grad({forward(x.narrow(0, b, 1)).sum()}, {parameter})[0].square();
  return sum;
}

}  // namespace torch_support
