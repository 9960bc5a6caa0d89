// A program outside the library's tree: prunes a network on labels and by feature maps, and prints what stays.
#include <cmath>
#include <cstdio>

#include <lnpt/lnpt.hpp>

namespace {

using engine = lnpt::cpu::backend<float>;

lnpt::labelled_batch<lnpt::cpu::array<float>> noise(std::size_t samples) {
  auto input = lnpt::cpu::uninitialized<float>({samples, 3, 8, 8});
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < input.size(); ++i) input.data()[i] = static_cast<float>(lnpt::normal(1, i).first);
  for (std::size_t b = 0; b < samples; ++b) labels.push_back(static_cast<std::int64_t>(b % 10));
  return {std::move(input), std::move(labels)};
}

/// Prints one line; whether the sparsity is the one asked for.
bool print(char const* criterion, lnpt::prune_report const& report) {
  std::printf("%-22s removed %.2f %% of the scored weights, %.2f %% of all; %zu layers emptied\n", criterion,
              100 * report.sparsity_scored, 100 * report.sparsity_prunable, report.emptied.size());
  return std::abs(report.sparsity_scored - 0.9) < 1e-3;
}

}  // namespace

int main() {
  auto student = lnpt::zoo::resnet<engine>({.depth = 8, .widths = {4, 4, 8}}, 1);
  auto trained = lnpt::zoo::resnet<engine>({.depth = 8, .widths = {4, 4, 8}}, 2);
  auto const batch = noise(10);

  std::printf("lnpt %s\n", lnpt::version.data());
  auto const labelled = lnpt::prune<lnpt::snip>(student, batch, {.budget = lnpt::sparsity{0.9}});
  auto const [masks, report] = lnpt::prune<lnpt::feature_map_synaptic<>>(student, lnpt::unlabelled_batch{batch.input},
                                                                         lnpt::teacher(trained), {.budget = lnpt::sparsity{0.9}});
  lnpt::apply(masks, student);
  auto const as_asked = print("snip", labelled.report) && print("feature_map_synaptic", report);
  return as_asked ? 0 : 1;
}
