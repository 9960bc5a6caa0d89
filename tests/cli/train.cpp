// Round trips of prune, teach and train on a few drawn images.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/teacher_cache.hpp>

#include "../skip.hpp"
#include "images.hpp"
#include "interruption.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace cli_test;

namespace {

std::string const net = "--arch resnet:8:4,8,8 --data synthetic --train-limit 256 ";
std::string const settings = net + "--test-limit 40 --batch 64 ";

}  // namespace

TEST_CASE("training holds the masks, and a run killed and resumed ends with the same bytes as one that was not") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const teacher = (folder / "teacher").string(), pruned = (folder / "pruned").string(), whole = (folder / "whole").string(),
             parts = (folder / "parts").string();
  REQUIRE(run("train " + settings + "--epochs 1 --out " + teacher).status == 0);
  auto const masks = (folder / "masks").string(), whole_run = whole + ".checkpoint", parts_run = (folder / "parts.run").string();
  REQUIRE(
      run("prune --arch resnet:8:4,8,8 --seed 5 --criterion magnitude --sparsity .8 --out " + pruned + " --masks-out " + masks)
          .status == 0);
  auto const command =
      "train " + settings + "--epochs 6 --teacher " + teacher + " --init " + pruned + " --mask " + masks + " --out ";
  REQUIRE(run(command + whole).status == 0);

  CHECK(pruned_weights_at_zero(whole_run) > 0);
  auto const given = io::safetensors::open(masks), held = io::safetensors::open(whole_run);
  for (auto const& tensor : given.entries())
    if (tensor.name.starts_with("mask.")) CHECK(held.read<std::uint8_t>(tensor.name) == given.read<std::uint8_t>(tensor.name));

  // The weights alone load as they are: the state dict's names, and what the run ended with.
  auto const weights = io::safetensors::open(whole);
  CHECK(weights.names() == io::safetensors::open(pruned).names());
  CHECK(weights.read<float>("fc.weight") == held.read<float>("fc.weight"));

  run_until(command + parts + " --checkpoint " + parts_run, parts_run);
  REQUIRE(std::stoi(io::safetensors::open(parts_run).metadata().at("epoch")) < 6);
  REQUIRE(run(command + parts + " --checkpoint " + parts_run + " --resume " + parts_run).status == 0);
  CHECK(support::text_of(parts_run) == support::text_of(whole_run));
  CHECK(support::text_of(parts) == support::text_of(whole));

  auto const dense = run(command + parts + " --execution dense --checkpoint " + parts_run + " --resume " + parts_run);
  CHECK(dense.status == 2);
  CHECK(dense.complaint.find("execution automatic and not dense") != std::string::npos);
  auto const other =
      run("train " + settings + "--epochs 6 --lr 0.05 --teacher " + teacher + " --resume " + whole_run + " --out " + parts);
  CHECK(other.status == 2);
  CHECK(other.complaint.find("lr 0.1 and not 0.05") != std::string::npos);
  auto const longer = run("train " + settings + "--epochs 9 --teacher " + teacher + " --resume " + whole_run + " --out " + parts);
  CHECK(longer.status == 2);
  CHECK(support::says(longer.complaint,
                      "is of a run of 6 epochs, over which its learning rate falls to 0, and not of 9: resume it with "
                      "--epochs 6, and train longer by a run of its own, with the weights that it wrote as --init"));
}

TEST_CASE("a run that was interrupted is not written over by one that begins anew, and a damaged checkpoint is called that") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const out = (folder / "out").string(), at = out + ".checkpoint";
  auto const command = "train " + settings + "--epochs 6 --out " + out;
  run_until(command, at);
  auto const held = support::text_of(at);
  REQUIRE(std::stoi(io::safetensors::open(at).metadata().at("epoch")) < 6);
  auto const again = run(command);
  CHECK(again.status == 2);
  CHECK(support::says(again.complaint, "of 6 epochs and would be lost: go on with it by --resume " + at));
  CHECK(support::text_of(at) == held);
  REQUIRE(run(command + " --resume " + at).status == 0);
  CHECK(run("train " + settings + "--epochs 1 --out " + out).status == 0);  // a finished run is in nobody's way

  std::ofstream(at, std::ios::binary) << held.substr(0, held.size() / 2);
  auto const cut = run(command + " --resume " + at);
  CHECK(cut.status == 1);
  CHECK_FALSE(support::says(cut.complaint, "--checkpoint"));
}

TEST_CASE(
    "a run that is resumed under other settings is told which: images, and not their digest, and a regulariser by what it is") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const images = write_images(folder / "mine.safetensors", 8, 0), at = (folder / "run").string();
  std::string const command = "train --data " + images + " --arch mlp:192,4,2 --batch 2 --epochs 1 --augment none --checkpoint " +
                              at + " --out " + (folder / "out").string();
  auto const resume = command + " --resume " + at;
  REQUIRE(run(command + " --regulariser group-lasso:over=0,lambda=1e-5").status == 0);
  CHECK(run(resume + " --regulariser Group_Lasso:lambda=.00001,by=OUTPUT").status == 0);
  CHECK(support::says(run(resume + " --regulariser group_lasso:lambda=1e-4").complaint,
                      "was trained with regulariser group_lasso:lambda=1e-05 and not group_lasso"));
  write_images(folder / "mine.safetensors", 8, 1);
  auto const other = run(resume + " --regulariser group_lasso:lambda=1e-5");
  CHECK(other.status == 2);
  CHECK(support::says(other.complaint, "was trained on other images than mine.safetensors holds now: resume with the settings"));
  CHECK_FALSE(support::says(other.complaint, "digest"));
}

TEST_CASE("layers that masks let nothing through are named before training starts") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const pruned = (folder / "pruned").string(), masks = (folder / "masks").string();
  auto const prune = "prune " + std::string("--arch resnet:8:4,8,8 --seed 5 --criterion magnitude --sparsity ");
  auto const trained = [&](char const* sparsity) {
    REQUIRE(run(prune + sparsity + " --out " + pruned + " --masks-out " + masks).status == 0);
    return run("train " + settings + "--epochs 1 --init " + pruned + " --mask " + masks + " --out " + (folder / "out").string());
  };
  CHECK(!support::says(trained(".5").complaint, "nothing through"));
  auto const emptied = trained(".995");
  CHECK(emptied.status == 0);
  auto const warning = emptied.complaint.find("the masks let nothing through conv1.weight");
  CHECK(warning != std::string::npos);
  CHECK(warning < emptied.complaint.find("epoch 1 of 1"));
  auto const told = run(prune + ".995 --json --out " + pruned);
  CHECK(support::says(told.output, "the masks let nothing through conv1.weight"));
  CHECK(support::says(run(prune + ".995 --out " + pruned).output, "warning: the masks let nothing through conv1.weight"));
}

TEST_CASE("masks of another run than the weights are told from those of weights that were never pruned") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const pruned = (folder / "pruned").string(), masks = (folder / "masks").string(), others = (folder / "others").string(),
             whole = (folder / "whole").string(), out = " --out " + (folder / "out").string();
  auto const prune = "prune " + std::string("--arch resnet:8:4,8,8 --criterion magnitude ");
  REQUIRE(run(prune + "--seed 5 --sparsity .8 --out " + pruned + " --masks-out " + masks).status == 0);
  REQUIRE(run(prune + "--seed 6 --sparsity .8" + out + " --masks-out " + others).status == 0);
  REQUIRE(run(prune + "--seed 5 --sparsity 0 --out " + whole).status == 0);
  auto const trained = [&](std::string const& init, std::string const& mask) {
    auto const done = run("train " + settings + "--epochs 1 --init " + init + " --mask " + mask + out);
    CHECK(done.status == 0);
    return done.complaint;
  };
  auto const of_another = "weights that " + others + " keeps are exactly 0 in " + pruned;
  CHECK_FALSE(support::says(trained(pruned, masks), " that are not 0"));
  CHECK(support::says(trained(whole, masks), masks + " removes "));
  CHECK_FALSE(support::says(trained(whole, masks), "warning"));
  auto const said = trained(pruned, others);
  CHECK(support::says(said, "warning: "));
  CHECK(support::says(said, of_another));
  CHECK(support::says(said, "these are weights of another pruning: name the masks of the same run"));

  auto const further = run(prune + "--sparsity .9 --weights " + pruned + " --masks " + others + out);
  CHECK(support::says(further.output, of_another));
  CHECK(support::says(run(prune + "--sparsity .9 --weights " + whole + " --masks " + masks + out).output, " that are not 0"));
}

TEST_CASE("a teacher cache guides as the teacher does, and only in the views it holds") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const teacher = (folder / "teacher").string(), plain = (folder / "plain").string(), views = (folder / "views").string();
  REQUIRE(run("train " + settings + "--epochs 1 --out " + teacher).status == 0);
  REQUIRE(run("teach " + net + "--teacher " + teacher + " --views 0 --out " + plain).status == 0);
  REQUIRE(run("teach " + net + "--teacher " + teacher + " --views 2 --seed 7 --out " + views).status == 0);
  auto const cache = io::open_teacher_cache(views);
  CHECK(cache.images() == 256);
  CHECK(cache.views() == 2);
  CHECK(cache.entry(9, 1).how == draw_augmentation(7, 9, 1));

  auto const train = "train " + settings + "--epochs 2 --seed 3 ";
  auto const live = (folder / "live").string(), far = (folder / "far").string();
  REQUIRE(run(train + "--augment none --teacher " + teacher + " --out " + live).status == 0);
  REQUIRE(run(train + "--teacher-cache " + plain + " --out " + far).status == 0);
  auto const a = io::safetensors::open(live).read<float>("fc.weight"), b = io::safetensors::open(far).read<float>("fc.weight");
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-3));

  CHECK(run(train + "--teacher-cache " + views + " --out " + far).status == 0);
  CHECK(run(train + "--augment crop+flip --teacher-cache " + plain + " --out " + far).status == 2);
  CHECK(run(train + "--augment none --teacher-cache " + views + " --out " + far).status == 2);
  auto const otherwise =
      run(train + "--mean .5,.5,.5 --std 1,1,1 --teacher-cache " + views + " --out " + (folder / "no").string());
  CHECK(otherwise.status == 2);
  CHECK(support::says(otherwise.complaint, "with the means [0.5, 0.5, 0.5] and deviations [1, 1, 1]: normalise it"));
  CHECK(run("train --arch resnet:8:4,8,8 --data synthetic --train-limit 128 --batch 64 --epochs 1 --teacher-cache " + views +
            " --out " + far)
            .status == 2);
}

TEST_CASE("regularisers compose, zero what they said they would, and resume to the same bytes") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const whole = (folder / "whole").string(), parts = (folder / "parts").string(), parts_run = parts + ".checkpoint";
  // 4 steps per epoch: λ is at its ceiling after 4 of 24 steps, and the last filters are zero after 4 + 7.
  auto const command = "train " + settings +
                       "--epochs 6 --regulariser slimming:lambda=1e-3,after=2 --regulariser "
                       "tpp:pruned=0.5,step=1e-5,every=1,ceiling=4e-5,zero-every=1 --regulariser gal_lite:lambda=1e-3 --out ";
  auto const told = run(command + whole);
  REQUIRE(told.status == 0);
  CHECK(support::says(told.complaint, "slimming: lambda 0.001, penalty 0.0"));
  // Of its checkpoint weights alone are ranked.
  auto const ranked = run("prune --checkpoint " + whole + ".checkpoint --sparsity .5 --out " + (folder / "ranked").string());
  CHECK(ranked.status == 0);
  CHECK(support::says(ranked.complaint, "is a checkpoint of training, of which momentum.* and hook.* are no weights"));
  CHECK(support::says(ranked.output, "left dense, excluded: "));
  CHECK(support::says(told.complaint, "tpp: lambda 4e-05, norm of what is to go 0, gal_lite: lambda 0.001, 0 channels closed"));
  auto const weights = io::safetensors::open(whole).read<float>("layer2.0.conv1.weight");
  std::size_t zero_filters = 0;
  for (std::size_t f = 0; f < 8; ++f)
    zero_filters +=
        std::all_of(weights.begin() + static_cast<std::ptrdiff_t>(f * weights.size() / 8),
                    weights.begin() + static_cast<std::ptrdiff_t>((f + 1) * weights.size() / 8), [](float w) { return w == 0; });
  CHECK(zero_filters == 4);

  run_until(command + parts, parts_run);
  REQUIRE(std::stoi(io::safetensors::open(parts_run).metadata().at("epoch")) < 6);
  REQUIRE(run(command + parts + " --resume " + parts_run).status == 0);
  CHECK(support::text_of(parts_run) == support::text_of(whole + ".checkpoint"));
  CHECK(run("evaluate " + net + "--test-limit 40 --weights " + parts_run).status == 0);  // a checkpoint loads as a state dict
}

TEST_CASE("masks that move keep the count of every layer, and resume to the same bytes") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const at = [&](char const* name) { return (folder / name).string(); };
  REQUIRE(run("prune --arch resnet:8:4,8,8 --seed 5 --criterion random --mask layerwise --sparsity .6 --out " + at("pruned") +
              " --masks-out " + at("masks"))
              .status == 0);
  for (std::string const dynamic : {"rigl:every=2,fraction=0.4", "deep_rewiring:alpha=1e-4,temperature=1e-6"}) {
    CAPTURE(dynamic);
    auto const whole = at("whole"), parts = at("parts"), parts_run = parts + ".checkpoint";
    auto const command = "train " + settings + "--epochs 6 --init " + at("pruned") + " --mask " + at("masks") + " --dynamic " +
                         dynamic + " --out ";
    auto const told = run(command + whole);
    REQUIRE(told.status == 0);
    CHECK(support::says(told.complaint, "rigl: share that moves") == dynamic.starts_with("rigl"));
    CHECK(support::says(told.complaint, " weights moved"));
    auto const given = io::safetensors::open(at("masks")), held = io::safetensors::open(whole + ".checkpoint");
    std::size_t moved = 0;
    std::size_t pruned_but_there = 0;
    for (auto const& tensor : given.entries()) {
      if (!tensor.name.starts_with("mask.")) continue;
      auto const before = given.read<std::uint8_t>(tensor.name), after = held.read<std::uint8_t>(tensor.name);
      CHECK(std::ranges::count(before, 1) == std::ranges::count(after, 1));
      auto const weights = held.read<float>(tensor.name.substr(std::string("mask.").size()));
      for (std::size_t i = 0; i < before.size(); ++i) {
        moved += before[i] != after[i];
        pruned_but_there += after[i] == 0 && weights[i] != 0;
      }
    }
    CHECK(moved > 0);
    CHECK(pruned_but_there == 0);
    std::filesystem::remove(parts_run);
    run_until(command + parts, parts_run);
    REQUIRE(std::stoi(io::safetensors::open(parts_run).metadata().at("epoch")) < 6);
    REQUIRE(run(command + parts + " --resume " + parts_run).status == 0);
    CHECK(support::text_of(parts_run) == support::text_of(whole + ".checkpoint"));
  }
  auto const no_masks = run("train " + settings + "--epochs 1 --dynamic rigl --out " + at("no"));
  CHECK(no_masks.status == 2);
  CHECK(support::says(no_masks.complaint, "give --mask"));
  auto const idle = run("train " + settings + "--epochs 1 --mask " + at("masks") + " --dynamic rigl:every=100 --out " + at("no"));
  CHECK(idle.status == 2);
  CHECK(support::says(idle.complaint, "rigl:every=100 moves nothing: its first move is at step 100"));
}

TEST_CASE("regularisers that cannot be are refused in one sentence") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const refusal = [&](std::string const& regulariser) {
    auto const told = run("train " + settings + "--epochs 1 --out " + (folder / "no").string() + " --regulariser " + regulariser);
    CHECK(told.status == 2);
    return told.complaint;
  };
  CHECK(refusal("lasso").find("unknown regulariser") != std::string::npos);
  CHECK(refusal("slimming:strength=1").find("\"strength\" is no option of slimming: choose from lambda, after, over") !=
        std::string::npos);
  CHECK(refusal("slimming:lambda=-1").find("pass 0 or more") != std::string::npos);
  CHECK(refusal("slimming:lambda=inf").find("pass a finite one") != std::string::npos);
  CHECK(refusal("slimming:lambda=.1,lambda=.2").find("gives lambda twice") != std::string::npos);
  CHECK(refusal("sss:momentum=2").find("outside [0, 1)") != std::string::npos);
  CHECK(refusal("tpp:pruned=0.5").find("steps until its filters are zero, and the run has 4") != std::string::npos);
}
