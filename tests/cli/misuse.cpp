// Exit codes and sentences: 2 where the command line asks for what cannot be, 1 where a file or the work fails.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include <lnpt/io/safetensors_writer.hpp>

#include "../skip.hpp"
#include "support.hpp"

using cli_test::run;

namespace {

struct refusal {
  std::string arguments;
  int status;
  std::string sentence;  ///< a part of it
};

}  // namespace

TEST_CASE("every misuse exits with 2, every failure with 1, and one sentence says why") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const batch = (folder / "batch.safetensors").string();
  lnpt::io::safetensors::writer writer;
  writer.add("input", {2, 4}, std::vector<float>(8, 1.0f));
  writer.save(batch);
  auto const mlp = "--arch mlp:4,6,3 --data " + batch;
  auto const out = " --out " + (folder / "out").string();
  for (auto const& [arguments, status, sentence] : std::vector<refusal>{
           {"", 2, "subcommand"},
           {"prnue", 2, "prnue"},
           {"score", 2, "--arch is required"},
           {"score --arch alexnet", 2, "mlp:12,16,10,5"},
           {"score --arch resnet:21:16,32,64 --criterion magnitude", 2, "6n + 2"},
           {"score --arch mlp:4,6,3", 2, "--data"},
           {"score " + mlp + " --criterion best", 2, "feature_map_synaptic, snip"},
           {"score " + mlp + " --criterion snip", 2, "reads labels"},
           {"score " + mlp, 2, "--teacher"},
           {"score " + mlp + " --criterion snip --curvature gauss_newton", 2, "no curvature"},
           {"score " + mlp + " --criterion magnitude --loss pseudo_label", 2, "no loss"},
           {"score " + mlp + " --criterion synflow", 2, "--sparsity"},
           {"score " + mlp + " --criterion magnitude --precision half", 2, "double, float"},
           {"score " + mlp + " --criterion magnitude --weights missing.safetensors", 1, "missing.safetensors"},
           {"score --arch mlp:4,6,3 --data missing.safetensors --criterion magnitude", 1, "missing.safetensors"},
           {"score --arch mlp:5,6,3 --data " + batch + " --criterion magnitude", 2, "begin it with that number"},
           {"prune " + mlp + " --criterion magnitude" + out, 2, "--sparsity"},
           {"prune " + mlp + " --criterion magnitude --sparsity 1.5" + out, 2, "--sparsity"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --mask diagonal" + out, 2, "global, layerwise"},
           {"prune " + mlp + " --criterion magnitude --sparsity .9 --mask 2:4" + out, 2, "2:4"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --out /nonexistent/folder/out", 1, "writable folder"},
           {"train --arch mlp:4,6,3 --data photos --out x", 2, "cifar10:FOLDER"},
           {"train --arch resnet:8:4,8,8 --data cifar10:/nonexistent --out x", 1, "/nonexistent"},
           {"compare --criteria snip:speed=fast" + out, 2, "speed"},
           {"compare --criteria snip:rounds" + out, 2, "key=value"},
           {"compare --sparsities .9,2" + out, 2, "outside [0, 1]"},
           {"inspect missing.safetensors", 1, "missing.safetensors"}}) {
    CAPTURE(arguments);
    auto const done = run(arguments);
    CHECK(done.status == status);
    CHECK(done.complaint.find(sentence) != std::string::npos);
    CHECK(std::ranges::count(done.complaint, '\n') == 1);
    CHECK(done.output.empty());
  }
}

TEST_CASE("help teaches by examples") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  for (std::string const command : {"score", "prune", "teach", "train", "compare", "inspect"}) {
    auto const help = run(command + " --help");
    CHECK(help.status == 0);
    CHECK(help.output.find("  lnpt " + command + ' ') != std::string::npos);
    for (auto const* const flag : {"--seed", "--threads", "--json"}) CHECK(help.output.find(flag) != std::string::npos);
  }
}
