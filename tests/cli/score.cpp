// lnpt score against float64 reference scores, and the masks that follow from them.
#include <doctest/doctest.h>

#include <lnpt/io/safetensors.hpp>

#include "../skip.hpp"
#include "oracle_cases.hpp"
#include "support.hpp"

using namespace lnpt;
using cli_test::run;

TEST_CASE("lnpt score writes the oracle's scores and lnpt prune the masks that follow from them") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  cli_test::compare_with_oracle("", {"0.5", "0.9", "0.95", "0.99"});
}

TEST_CASE("scores of the last round are those before its mask, and what earlier rounds pruned scores 0") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "scores.safetensors").string();
  REQUIRE(run("score --arch mlp:8,20,5 --criterion synflow --rounds 2 --schedule linear --sparsity .8 --out " + out).status == 0);
  auto const file = io::safetensors::open(out);
  std::size_t alive = 0, total = 0;
  for (auto const& tensor : file.entries())
    for (auto const score : file.read<double>(tensor.name)) {
      alive += score != 0;
      ++total;
    }
  CHECK(total == 8 * 20 + 20 * 5);
  CHECK(alive == 156);  // round 1 of 2 keeps 60 % of 260
}
