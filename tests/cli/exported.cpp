// The command line on networks that PyTorch exported: --model stands for the architecture and the weights.
#include <doctest/doctest.h>

#include <algorithm>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
#include <lnpt/io/safetensors.hpp>

#include "../skip.hpp"
#include "support.hpp"

using namespace lnpt;
using cli_test::run;

namespace {

std::string fixture(std::string const& name) {
  return (std::filesystem::path(__FILE__).parent_path().parent_path() / "io" / "exported" / name).string();
}

}  // namespace

TEST_CASE("a .pt2 network is shown, scored and pruned under its own names") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const model = fixture("joins.pt2"), pruned = (folder / "pruned.pt2").string(),
             state = (folder / "pruned.safetensors").string();

  CHECK(support::says(run("inspect " + model).output, "hidden.weight"));
  auto const scores = (folder / "scores.safetensors").string();
  REQUIRE(run("score --model " + model + " --criterion magnitude --out " + scores).status == 0);
  CHECK(io::safetensors::open(scores).contains("excite.weight"));

  auto const prune = "prune --model " + model + " --criterion magnitude --sparsity .75 --out ";
  REQUIRE(run(prune + pruned).status == 0);
  REQUIRE(run(prune + state).status == 0);
  io::exported::program const before(io::byte_source::open(model));
  auto const file = io::safetensors::open(state);
  CHECK(file.entries().size() == before.state_size());
  std::size_t zeros = 0, weights = 0;
  auto network = io::load_exported<cpu::backend<float>>(pruned);
  for (auto const& p : network.parameters()) {
    CAPTURE(p.name);
    CHECK(file.read<float>(p.name) == values_of(*p.value));
    if (!is_prunable(p.role)) continue;
    zeros += static_cast<std::size_t>(std::ranges::count(values_of(*p.value), 0.0F));
    weights += size_of(*p.value);
  }
  CHECK(zeros == weights * 3 / 4);

  CHECK(run(prune + pruned + " --weights " + state).status != 0);
  CHECK(support::says(
      run("prune --model " + fixture("line.safetensors") + " --criterion magnitude --sparsity .5 --out " + pruned).complaint,
      "is no architecture"));
}
