// Every criterion of lnpt on an engine that is not lnpt's: see host_engine.hpp for what such an engine offers.
#include <cstdio>

#include <lnpt/lnpt.hpp>

#include "host_engine.hpp"

namespace {

/// One line of the table: how many weights of each layer the criterion keeps.
void print(char const* criterion, lnpt::prune_result const& result) {
  std::printf("%-42s", criterion);
  for (auto const& layer : result.report.layers) std::printf("%5zu of %-4zu", layer.kept, layer.total);
  std::printf("%6.1f %%\n", 100 * result.report.sparsity_scored);
}

host::matrix drawn(std::vector<std::size_t> const& extents, std::uint64_t seed) {
  host::matrix m{extents, std::vector<double>(lnpt::element_count(extents))};
  for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] = lnpt::normal(seed, i).first;
  return m;
}

}  // namespace

int main() {
  using namespace lnpt;
  host::perceptron student({8, 16, 12, 4}, 1), trained({8, 16, 12, 4}, 2);
  teacher const guide(trained);
  unlabelled_batch const images{drawn({32, 8}, 3)};
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < 32; ++i) labels.push_back(i % 4);
  labelled_batch const examples{images.input, labels};

  std::printf("%-42s%13s%13s%13s%9s\n", "at 75 %", "hidden.0", "hidden.1", "fc", "scored");
  print("magnitude", prune<magnitude>(student, {.budget = sparsity{0.75}}));
  print("random", prune<lnpt::random>(student, {.budget = sparsity{0.75}}));
  print("synflow", prune<synflow>(student, shape{8}, {.budget = sparsity{0.75}}));
  print("snip", prune<snip>(student, examples, {.budget = sparsity{0.75}}));
  print("snip, no label read", prune<snip>(student, images, guide, pseudo_label{}, {.budget = sparsity{0.75}}));
  print("taylor", prune<taylor>(student, examples, {.budget = sparsity{0.75}}));
  print("obd", prune<obd<>>(student, examples, {.budget = sparsity{0.75}}));
  print("feature_map_synaptic", prune<feature_map_synaptic<>>(student, images, guide, {.budget = sparsity{0.75}}));

  // This engine has gradients only; products with the Hessian come from differences of them.
  finite_difference_hvp curved(student);
  print("grasp", prune<grasp>(curved, examples, {.budget = sparsity{0.75}}));
  print("feature_map_synaptic<hessian_gradient>",
        prune<feature_map_synaptic<hessian_gradient>>(curved, images, guide, {.budget = sparsity{0.75}}));
  print("feature_map_synaptic<hessian_diagonal>",
        prune<feature_map_synaptic<hessian_diagonal>>(curved, images, guide, {.budget = sparsity{0.75}}));

  auto const [masks, report] = prune<feature_map_synaptic<>>(student, images, guide, {.budget = sparsity{0.75}});
  apply(masks, student);
  std::printf("\npruned the student to %.1f %% of the weights that have scores; ", 100 - 100 * report.sparsity_scored);
  std::printf("%s is no part of the feature map and stays\n", report.unreached.front().c_str());
}
