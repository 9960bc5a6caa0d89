// A network that PyTorch exported is pruned to 10 % of its weights and written back, with what this engine computes of it:
// round_trip net.pt2 batch.safetensors pruned.pt2 snip|synflow [rounds]
#include <cstdio>
#include <cstdlib>
#include <string>

#include <lnpt/io.hpp>
#include <lnpt/io/exported_program.hpp>
#include <lnpt/lnpt.hpp>

int main(int argc, char** argv) try {
  using backend = lnpt::cpu::backend<float>;
  if (argc < 5) lnpt::fail("usage: round_trip net.pt2 batch.safetensors pruned.pt2 snip|synflow [rounds]");
  std::string const from = argv[1], to = argv[3], criterion = argv[4];
  auto network = lnpt::io::load_exported<backend>(from);
  auto const file = lnpt::io::safetensors::open(argv[2]);
  auto const input = lnpt::tensor_traits<backend::array>::make(file.info("input").shape, file.read<float>("input"));
  lnpt::labelled_batch const batch{input, file.read<std::int64_t>("labels")};

  lnpt::prune_options<lnpt::global_unstructured> options{.budget = lnpt::sparsity{0.9}};
  if (argc > 5) options.rounds = std::atoi(argv[5]);
  auto sample = file.info("input").shape;
  sample.erase(sample.begin());
  auto const [masks, report] = criterion == "snip" ? lnpt::prune<lnpt::snip>(network, batch, options)
                                                   : lnpt::prune<lnpt::synflow>(network, sample, options);
  lnpt::apply(masks, network);
  lnpt::io::save_exported(from, masks, to);

  auto const predicted = network.predict(input);
  lnpt::io::safetensors::writer writer;
  writer.add("logits", lnpt::shape_of(predicted.output), lnpt::values_of(predicted.output));
  writer.save(to + ".logits.safetensors");
  std::printf("%s by %s: %.4f of the weights removed in %.1f s\n", from.c_str(), criterion.c_str(), report.sparsity_scored,
              report.seconds);
} catch (lnpt::error const& reason) {
  std::fprintf(stderr, "%s\n", reason.what());
  return EXIT_FAILURE;
}
