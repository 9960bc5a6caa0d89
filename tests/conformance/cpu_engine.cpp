// The conformance suite on lnpt's own engine: the zoo's networks, small, in double (derivatives too) and in float.
#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "support.hpp"

using namespace lnpt;

namespace {

/// Running statistics and norm parameters unlike those at birth.
template <class Model>
Model seasoned(Model model) {
  std::uint64_t stream = 0;
  auto const disturb = [&](auto const& p) {
    ++stream;
    if (is_prunable(p.role)) return;
    for (std::size_t i = 0; i < p.value->size(); ++i) {
      using scalar = value_type<tensor_of<Model>>;
      p.value->data()[i] += static_cast<scalar>(0.5 * uniform(5, stream, i));
    }
  };
  for (auto const& p : model.parameters()) disturb(p);
  for (auto const& b : model.buffers()) disturb(b);
  return model;
}

template <class T, class Model>
void examine(Model model, shape const& extents) {
  auto ready = seasoned(std::move(model));
  check_conforms(conformance::examine(ready, random_batch<cpu::array<T>>(extents, 3, 1)));
}

}  // namespace

TEST_CASE_TEMPLATE("the CPU engine conforms on an mlp", T, double, float) {
  std::vector<std::size_t> const sizes{6, 9, 7, 3};
  examine<T>(zoo::mlp<cpu::backend<T>>(sizes), {9, 6});
}
TEST_CASE_TEMPLATE("the CPU engine conforms on a vgg with batch norm and without", T, double, float) {
  examine<T>(zoo::vgg<cpu::backend<T>>({.depth = 11, .width = 2, .classes = 3, .batch_norm = true}), {4, 3, 16, 16});
  examine<T>(zoo::vgg<cpu::backend<T>>({.depth = 11, .width = 2, .classes = 3, .batch_norm = false}, 1), {4, 3, 16, 16});
}
TEST_CASE_TEMPLATE("the CPU engine conforms on resnets with both shortcuts", T, double, float) {
  for (auto const kind : {zoo::shortcut::convolution, zoo::shortcut::zero_padded})
    examine<T>(zoo::resnet<cpu::backend<T>>({.depth = 8, .widths = {2, 4, 6}, .classes = 3, .shortcut = kind}, 2), {4, 3, 8, 8});
}
TEST_CASE_TEMPLATE("the CPU engine conforms on a mobilenet", T, double, float) {
  examine<T>(zoo::mobilenet<cpu::backend<T>>({.width = 1, .classes = 3}, 3), {4, 3, 32, 32});
}
