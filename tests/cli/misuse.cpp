// Exit codes and sentences: 2 where the command line asks for what cannot be, 1 where a file or the work fails.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
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
  auto const images = (folder / "images.safetensors").string(), channels_last = (folder / "last.safetensors").string(),
             resnet = (folder / "resnet.safetensors").string(), wide = (folder / "wide.safetensors").string(),
             torch_save = folder.write("model.pt", {'P', 'K', 3, 4, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0}).string();
  lnpt::io::safetensors::writer first, last;
  first.add("input", {2, 3, 8, 8}, std::vector<float>(2 * 3 * 8 * 8, 0.5f));
  first.save(images);
  last.add("input", {2, 8, 8, 3}, std::vector<float>(2 * 3 * 8 * 8, 0.5f));
  last.save(channels_last);
  auto const fresh = std::string("prune --arch resnet:8:4,8,8 --criterion magnitude --sparsity 0 --out ");
  REQUIRE(run(fresh + resnet).status == 0);
  REQUIRE(run(fresh + wide + " --classes 100").status == 0);
  lnpt::io::safetensors::writer no_numbers;
  no_numbers.add("input", {2, 3, 8, 8}, std::vector<float>(2 * 3 * 8 * 8, std::nanf("")));
  auto const nan = (folder / "nan.safetensors").string();
  no_numbers.save(nan);
  lnpt::io::safetensors::writer alone;
  alone.add("input", {1, 3, 8, 8}, std::vector<float>(3 * 8 * 8, 0.5F));
  auto const one = (folder / "one.safetensors").string();
  alone.save(one);
  auto const mlp = "--arch mlp:4,6,3 --data " + batch;
  auto const robust = "robustness --arch resnet:8:4,8,8 --weights " + resnet + " --data " + images;
  auto const out = " --out " + (folder / "out").string();
  for (auto const& [arguments, status, sentence] : std::vector<refusal>{
           {"", 2, "subcommand"},
           {"prnue", 2, "prnue"},
           {"score", 2, "what to score is missing"},
           {"prune " + mlp + " --sparcity=.5", 2, "prune has no flag --sparcity: did you mean --sparsity?"},
           {"study pretraining --epohcs 3", 2, "study pretraining has no flag --epohcs: did you mean --epochs?"},
           {"score --frobnicate", 2, "score has no flag --frobnicate; see lnpt score --help"},
           {"compare --seeds=-1" + out, 2, "give a number above 0"},
           {"compare --epochs 99999999999999999999" + out, 2, "give a number of 0 to 18446744073709551615"},
           {"prune " + mlp + " --criterion random --sparsity .5 --masks-out \"\"" + out, 2, "says nothing: leave the flag out"},
           {"prune " + mlp + " --criterion random --sparsity .5 --out /dev/null", 2, "a device or a pipe"},
           {"prune " + mlp + " --at-least=-1" + out, 2, "-1 is out of range: give a number of 0 or more"},
           {"prune " + mlp + " --criterion hrank --mask channels --sparsity .5" + out, 2,
            "hrank looks at the feature maps of convolutions"},
           {"prune " + mlp + " --criterion bn_scale --mask channels --sparsity .5" + out, 2,
            "bn_scale reads the scales of batch norms"},
           {"prune " + mlp + " --criterion hrank --sparsity .5" + out, 2,
            "hrank scores whole filters, so that --mask global would choose among their weights by place alone: add --mask "
            "channels"},
           {"prune " + mlp + " --criterion filter_norm:measure=l2 --mask 2:4" + out, 2, "add --mask channels"},
           {"compare --criteria random,nisp --sparsities .5" + out, 2, "nisp scores whole filters"},
           {"compare --criteria snip:channel-score=mean --sparsities .5" + out, 2, "has a channel score"},
           {"prune " + mlp + " --criterion magnitude --channel-score mean --sparsity .5" + out, 2, "add --mask channels"},
           {"prune " + mlp + " --criterion filter_norm --channel-score mean --mask channels --sparsity .5" + out, 2,
            "leave the channel score out"},
           {"score " + mlp + " --criterion magnitude --channel-score mean", 2, "leave it out"},
           {"score " + mlp + " --criterion nisp --rounds 2 --sparsity .5", 2, "rounds of scoring prune single weights"},
           {"score --arch alexnet", 2, "mlp:12,16,10,5"},
           {"score --arch resnet:21:16,32,64 --criterion magnitude", 2, "6n + 2"},
           {"score --arch mlp:4,6,3", 2, "--data"},
           {"score --arch missing.json --criterion magnitude", 1, "there is no file missing.json"},
           {"train --arch mlp:4,6,3 --data missing/images.st --out x", 1, "there is no file missing/images.st"},
           {"train --arch mlp:4,6,3 --data synthetic", 2, "where to write is missing"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5", 2, "where to write is missing"},
           {"prune --arch resnet:8:4,8,8 --criterion synflow --sparsity 1" + out, 2,
            "round 1 of 100 would remove every weight, so that the next had nothing to score"},
           {"prune --arch resnet:8:4,8,8 --criterion magnitude --mask channels --budget flops:.9999 --round" + out, 2,
            "a multiple of "},
           {"prune " + mlp + " --criterion magnitude --mask channels --budget parameters:.3 --shrink --recalibrate" + out, 2,
            "the network has none: leave it out"},
           {"score --arch resnet:8:4,8,8 --criterion nisp --data " + one, 1, "and there is one sample: pass two at least"},
           {"score " + mlp + " --criterion best", 2, "feature_map_synaptic, lnpt, snip"},
           {"score " + mlp + " --criterion snip", 2, "reads labels"},
           {"score " + mlp, 2, "where no --criterion is named, teacher_guided scores on --data with a --teacher"},
           {"score " + mlp + " --criterion lnpt", 2, "--teacher"},
           {"score " + mlp + " --criterion lnpt:loss=total", 2, "choose one of its terms"},
           {"score " + mlp + " --criterion snip --layer-floor 2", 2, "outside [0, 1]"},
           {"score " + mlp + " --criterion magnitude --sparsity .5 --rounds 5000000000", 2,
            "5000000000 is too large for a number of rounds"},
           {"compare --data synthetic --seeds 1000000000" + out, 2, "--seeds counts them, and --seed names the first"},
           {"inspect resnet:8:4,8,8 --input 0,3,3", 2, "--input says 0,3,3: give extents of 1 to 65536"},
           {"score " + mlp + " --criterion snip --curvature gauss_newton", 2, "no curvature"},
           {"score " + mlp + " --criterion magnitude --loss pseudo_label", 2, "no loss"},
           {"score " + mlp + " --criterion synflow --rounds 3", 2, "--sparsity"},
           {"score " + mlp + " --criterion magnitude --batch-norm eval", 2, "reads no data, which batch norm would normalise"},
           {"score " + mlp + " --criterion magnitude --precision half", 2, "double, float"},
           {"score " + mlp + " --criterion magnitude --weights missing.safetensors", 1, "missing.safetensors"},
           {"score --arch mlp:4,6,3 --data missing.safetensors --criterion magnitude", 1, "missing.safetensors"},
           {"score --arch mlp:5,6,3 --data " + batch + " --criterion magnitude", 2, "begin it with that number"},
           {"prune " + mlp + " --criterion magnitude" + out, 2, "--sparsity"},
           {"prune " + mlp + " --criterion magnitude --sparsity 1.5" + out, 2, "--sparsity"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --mask diagonal" + out, 2, "global, layerwise"},
           {"prune " + mlp + " --criterion magnitude --sparsity .9 --mask 2:4" + out, 2, "2:4"},
           {"prune " + mlp + " --criterion magnitude --layer-floor .2 --sparsity .5 --mask layerwise" + out, 2,
            "knows no such floor"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --out /nonexistent/folder/out", 2,
            "there is no folder /nonexistent/folder"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5" + out + " --masks-out " + (folder / "./out").string(), 2,
            "of which one would be lost"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --out " + batch, 2, "--out and --data are both"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5" + out + " --onnx " + (folder / "out").string(), 2,
            "--out and --onnx are both"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5" + out + " --onnx " + batch, 2, "--onnx and --data are both"},
           {"prune --arch resnet:8:4,8,8 --criterion magnitude --sparsity .5 --weights " + resnet + out + " --onnx " + resnet, 2,
            "--onnx and --weights are both"},
           {"prune --arch resnet:8:4,8,8 --criterion magnitude --mask channels --sparsity .5 --shrink --out " +
                (folder / "small.json").string(),
            2, "--out and the description of the smaller network are both"},
           {"score " + mlp + " --criterion magnitude --out " + batch, 2, "--out and --data are both"},
           {"score " + mlp + " --criterion magnitude --out nowhere/scores.safetensors", 2, "there is no folder"},
           {"train --arch mlp:4,6,3 --data synthetic --out x --checkpoint nowhere/x", 2, "there is no folder"},
           {"train --arch mlp:4,6,3 --data synthetic --out x --checkpoint ./x", 2, "--out and --checkpoint are both"},
           {"prune --criterion magnitude --sparsity .5" + out, 2, "give --arch and mostly --weights, --model"},
           {"prune --checkpoint " + resnet + " --criterion snip --sparsity .5" + out, 2, "snip needs a network"},
           {"prune --checkpoint " + resnet + " --mask channels --sparsity .5" + out, 2, "global, layerwise, rows"},
           {"prune --checkpoint " + resnet + " --arch mlp:4,3 --sparsity .5" + out, 2, "--arch is for pruning a network"},
           {"prune --checkpoint " + resnet + " --mask 2:4 --sparsity .9" + out, 2, "2:4 keeps 0.5 of the weights"},
           {"prune --checkpoint " + resnet + out, 2, "--sparsity, such as .5"},
           {"prune --checkpoint " + resnet + " --sparsity .5 --shrink" + out, 2, "--shrink is for pruning a network"},
           {"prune --checkpoint " + resnet + " --sparsity .5 --rank lowest" + out, 2, "--rank is for pruning a network"},
           {"score --checkpoint " + resnet + " --rounds 3", 2, "--rounds is for scoring a network"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --include a" + out, 2, "--include is for files without"},
           {"train --arch mlp:4,6,3 --data synthetic --out x --init " + resnet + " --checkpoint " + resnet, 2,
            "--checkpoint and --init are both"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --density .5" + out, 2, "say the same"},
           {"train --arch mlp:4,6,3 --data photos --out x", 2, "cifar10:FOLDER"},
           {"train --arch resnet:8:4,8,8 --data cifar10:/nonexistent --out x", 1, "/nonexistent"},
           {"train --arch resnet:8:4,8,8 --data synthetic --epochs 0 --out x", 2, "0 is out of range: give a number above 0"},
           {"train --arch resnet:8:4,8,8 --data synthetic --lr fast --out x", 2, "lr"},
           {"train --arch resnet:8:4,8,8 --data " + batch + " --out x", 1, "images to train on are bytes"},
           {"score " + mlp + " --criterion magnitude --weights " + torch_save, 1, "zip archive, as torch.save"},
           {"score " + mlp + " --criterion magnitude --rename linear --weights " + resnet, 2, "is no renaming"},
           {"score --arch resnet:8:4,8,8 --criterion magnitude --weights " + resnet + " --data " + channels_last, 1,
            "this is [height, width, channels]"},
           {"score --arch resnet:8:4,8,8 --weights " + resnet + " --teacher " + wide +
                " --criterion snip --loss pseudo_label --data " + images,
            2, "compares classes: choose a loss that compares features"},
           {"score --arch resnet:8:4,8,8 --criterion magnitude --rename linaer=fc --weights " + resnet, 2, "renames nothing"},
           {"score " + mlp + " --criterion magnitude --rename linear=fc", 2, "no such file is named"},
           {"score --arch mlp:4,6,3 --criterion magnitude --input 3,8,8", 2, "inputs of mlp:4,6,3 have the shape [4]"},
           {"score --arch resnet:8:4,8,8 --criterion magnitude --data " + channels_last, 2, "this is [height, width, channels]"},
           {"score --arch resnet:8:4,8,8 --criterion magnitude --input 32,32,3", 2, "give [channels, height, width]"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --out " + folder.path().string(), 2, "name a file in it"},
           {"train --arch resnet:8:4,8,8 --data synthetic --out " + folder.path().string(), 2, "name a file in it"},
           {"evaluate --arch mlp:4,6,3 --weights " + torch_save + " --data " + batch, 1, "holds no labels"},
           {"evaluate --arch resnet:8:4,8,8 --weights " + resnet + " --data synthetic --mean 1,2", 2,
            "2 numbers for images of 3"},
           {"evaluate --arch resnet:8:4,8,8 --weights " + resnet + " --data synthetic --std 0", 2, "not above 0"},
           {"compare --criteria snip:speed=fast" + out, 2, "speed"},
           {"compare --criteria snip:rounds" + out, 2, "key=value"},
           {"compare --data synthetic --seed 18446744073709551615 --seeds 3" + out, 2, "leaves no numbers for 3 seeds"},
           {"compare --sparsities .9,2" + out, 2, "outside [0, 1)"},
           {"inspect missing.safetensors", 1, "missing.safetensors"},
           {"inspect missing.json", 1, "there is no file missing.json"},
           {"--json", 2, "lnpt: lnpt has no flag --json; see lnpt --help"},
           // Flags that would do nothing.
           {"evaluate --arch mlp:4,6,3 --weights x --data " + batch + " --test-limit 1", 2,
            "--test-limit is for images of bytes"},
           {"score " + mlp + " --criterion magnitude --mean 0", 2, "--mean is for images of bytes"},
           {"score " + mlp + " --criterion magnitude --samples 3", 2, "all that " + batch + " holds is scored on"},
           {"robustness --arch mlp:4,6,3 --weights x --data " + batch + " --std 2", 2, "--std is for images of bytes"},
           {"score --arch mlp:4,6,3 --criterion magnitude --train-limit 3", 2, "--train-limit requires --data"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --test-limit 3" + out, 2,
            "--test-limit is for images of bytes"},
           {"score " + mlp + " --criterion magnitude --sparsity .5", 2, "magnitude scores once: leave it out, or give --rounds"},
           {"score " + mlp + " --criterion magnitude --schedule linear", 2, "magnitude scores once"},
           {"prune " + mlp + " --criterion magnitude --sparsity .5 --keep-batch-norm" + out, 2, "requires --onnx"},
           {"score --arch resnet:8:4,8,8 --criterion magnitude --weights-prefix a.", 2, "--weights-prefix requires --weights"},
           {"score --arch resnet:8:4,8,8 --criterion magnitude --ignore-extra", 2, "no such file is named: leave it out"},
           {"train --arch mlp:4,6,3 --data synthetic --alpha 2 --out x", 2, "--alpha is of what a teacher says"},
           {"train --arch mlp:4,6,3 --data synthetic --teacher-arch mlp:4,3 --out x", 2, "of a teacher, and there is none"},
           {"train --arch mlp:4,6,3 --data synthetic --init-prefix a. --out x", 2, "--init-prefix requires --init"},
           {"train --arch mlp:4,6,3 --data synthetic --regulariser slimming --regulariser slimming:lambda=1 --out x", 2,
            "--regulariser names slimming twice"},
           {"compare --keep-weights --data synthetic --train-limit 64 --test-limit 20" + out, 2,
            "has none: leave it out, or name"},
           {"compare --criteria snip,SNIP" + out, 2, "--criteria names snip twice"},
           {"compare --sparsities .5,0.5" + out, 2, "--sparsities names 0.5 twice"},
           {"compare --criteria snip:rounds=2:rounds=3" + out, 2, "\"snip:rounds=2:rounds=3\" gives rounds twice"},
           {"compare --criteria eagle_eye:candidates=5:candidates=6 --start teacher --budgets flops:.5" + out, 2,
            "gives candidates twice"},
           {"compare --criteria snip:schedule=linear" + out, 2, "snip:schedule=linear scores once"},
           {"score " + mlp + " --criterion snip:loss=pseudo_label --loss cross_entropy", 2, "both give the loss"},
           {"prune " + mlp + " --criterion random:rank=lowest --rank highest --sparsity .5" + out, 2, "both give the rank"},
           {"prune --checkpoint " + resnet + " --criterion magnitude:rank=lowest --sparsity .5" + out, 2, "write magnitude"},
           // What the numbers of a network or its data do is a failure, what was typed of them is not.
           {"prune --arch resnet:8:4,8,8 --weights " + resnet + " --data " + nan +
                " --method eagle_eye --budget flops:.5 --tolerance .4" + out,
            1, "values of the network's outputs are NaN or infinite"},
           {"prune --arch mlp:4,6,3 --method merge --target .5 --box 1,0" + out, 2, "holds no input"},
           {"train --arch resnet:8:4,8,8 --data synthetic --momentum 1 --out x", 2, "give a number of 0 or more and below 1"},
           {"train --arch resnet:8:4,8,8 --data synthetic --lr inf --out x", 2, "\"inf\" is no number"},
           {"train --arch resnet:8:4,8,8 --data synthetic --train-limit 64 --batch 32 --out x --resume " + resnet, 1,
            "is no checkpoint: its metadata lack \"epoch\""},
           {robust + " --epsilons=-1", 2, "a distance of -1 is none"},
           {robust + " --box 1,0", 2, "pass the lower bound first"},
           {robust + " --reference x.pt2", 2,
            "--reference names a state_dict, and x.pt2 is a whole network: name it with --reference-model"},
           {robust + " --reference-arch resnet:8:4,4,4", 2,
            "the weights of resnet:8:4,4,4 are missing: name them with --reference"},
           {"compare --data synthetic --train-limit 64 --test-limit 20 --batch 128 --arch mlp:3072,4,10 --criteria random" + out,
            1, "a batch of 128 cannot be drawn from 64 images"},
           {"study trainability --data synthetic --train-limit 64 --test-limit 20 --arch resnet:8:4,4,8:a" + out, 1,
            "a batch of 128 cannot be drawn from 64 images"},
           {"study pretraining --data synthetic --train-limit 64 --test-limit 20 --arch mlp:3072,4,4" + out, 2,
            "tells 4 classes apart, and the halves of synthetic have 5 and 5: name a network of 5 or more"},
           // Folders that cannot be.
           {"compare --data synthetic --train-limit 64 --test-limit 20 --out " + batch, 2, "is a file: name another folder"},
           {"compare --data synthetic --train-limit 64 --test-limit 20 --out " + batch + "/run", 2, "is a file: name another"},
           {"study merging --data synthetic --train-limit 64 --test-limit 20 --out " + batch, 2,
            "is a file: name another folder"},
           {"inspect mlp:4,6,3 --batch 4", 2, "--batch requires --time"},
           {"report missing --figure cost" + out + ".html", 2, "--figure is for a figure alone"},
           {"study pretraining --data synthetic --alpha 2" + out, 2, "study pretraining has no flag --alpha"},
           {"train --arch mlp:3072,8,10 --data synthetic --train-limit 64 --batch 32 --regulariser slimming" + out, 2,
            "slimming acts on the scales of batch norm, and the model has none"},
           {"train --arch resnet:8:4,8,12 --data synthetic --train-limit 64 --batch 32 --teacher-arch resnet:8:4,8,8 --teacher " +
                resnet + out,
            2, "the student's feature map has 12 numbers and the teacher's 8, so that --alpha cannot weigh their distance"},
           // What was typed is misuse wherever it is found out.
           {"prune --checkpoint " + resnet + " --mask 0:4" + out, 2, "0 < N < M"},
           {"prune --checkpoint " + resnet + " --sparsity .5 --include no*thing" + out, 2, "no tensor is called"},
           {"train --arch resnet:8:4,8,8 --data synthetic --train-limit 64 --batch 32 --regulariser tpp:pruned=2" + out, 2,
            "of the filters cannot go"}}) {
    CAPTURE(arguments);
    auto const done = run(arguments);
    CHECK(done.status == status);
    CHECK(done.complaint.find(sentence) != std::string::npos);
    CHECK(std::ranges::count(done.complaint, '\n') == 1);
    CHECK(done.output.empty());
  }
}

TEST_CASE("help teaches by examples, and offers what the command has a use for") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  for (std::string const command : {"score", "prune", "teach", "train", "evaluate", "robustness", "compare", "report", "inspect",
                                    "study pretraining", "study trainability", "study merging"}) {
    CAPTURE(command);
    auto const help = run(command + " --help");
    CHECK(help.status == 0);
    CHECK(support::says(help.output, "  lnpt " + command + ' '));
    auto const draws = command != "evaluate" && command != "robustness" && command != "report" && command != "inspect";
    CHECK(support::says(help.output, "--seed UINT") == draws);
    for (std::string const flag : {"--threads", "--json"}) CHECK(support::says(help.output, flag) == (command != "report"));
  }
  CHECK(support::says(run("study --help").output, "lnpt study pretraining --help"));
}

TEST_CASE("an output replaces files of its own kind, and no other") {
  if (!cli_test::present()) return skip("LNPT_CLI does not name the command line");
  support::temporary_folder const folder;
  auto const mine = [&](std::string const& name) {
    std::ofstream(folder / name) << "what I noted";
    return (folder / name).string();
  };
  auto const prune = std::string("prune --arch mlp:4,6,3 --criterion magnitude --sparsity .5 --out ");
  auto const free = (folder / "free.safetensors").string();
  auto const channels =
      std::string("prune --arch resnet:8:4,8,8 --criterion magnitude --mask channels --budget channels:.5 --shrink --out ");
  auto const train =
      std::string("train --arch mlp:3072,4,10 --data synthetic --train-limit 64 --test-limit 20 --batch 32 --epochs 1 --out ");
  mine("net.json");
  mine("w.checkpoint");
  for (auto const& [arguments, sentence] : std::vector<std::pair<std::string, std::string>>{
           {prune + mine("notes.txt"), "that is not a safetensors file and would be lost"},
           {prune + free + " --masks-out " + mine("masks"), "that is not a safetensors file"},
           {prune + free + " --packed " + mine("packed"), "that is not a safetensors file"},
           {prune + free + " --onnx " + mine("net.onnx"), "that is not an ONNX file of lnpt"},
           {prune + free + " --ratios " + mine("figure.svg"), "that is not a figure of lnpt"},
           {channels + (folder / "net.safetensors").string(), "the description of the smaller network is "},
           {train + (folder / "w").string(), "that is not a checkpoint of training"}}) {
    CAPTURE(arguments);
    auto const done = run(arguments);
    CHECK(done.status == 2);
    CHECK(support::says(done.complaint, sentence));
  }
  for (auto const* const name : {"notes.txt", "masks", "packed", "net.onnx", "figure.svg", "net.json", "w.checkpoint"})
    CHECK(support::text_of(folder / name) == "what I noted");
  CHECK_FALSE(std::filesystem::exists(free));
  auto const all = prune + free + " --masks-out " + free + ".masks --onnx " + free + ".onnx --ratios " + free + ".svg";
  for (int twice = 0; twice < 2; ++twice) CHECK(run(all).status == 0);
  for (int twice = 0; twice < 2; ++twice) CHECK(run(channels + (folder / "small.safetensors").string()).status == 0);
}
