#pragma once
/// What is compared with what, and the reach it is held to. Remarks on rows that do not meet it are in remarks.hpp.
#include <string>
#include <utility>
#include <vector>

namespace bench_table {

enum class bound {
  at_most,
  at_least,  ///< of a speed-up: the larger, the better
  none,      ///< a rival, shown for comparison
};

struct row {
  std::string subject, unit;
  double reach = 0;
  bound kind = bound::at_most;
  double size = 1;             ///< of the subject in the unit's: the ratio is per element
  std::string elsewhere = "";  ///< the same ratio of published programs
};

struct group {
  std::string title;
  std::vector<row> rows;
};

namespace detail {

inline group passes(std::string const& provider, std::string const& title) {
  group result{title, {}};
  for (std::string const net : {"resnet32", "vgg19", "mobilenet"})
    for (std::string const batch : {"", "/batch:8", "/batch:1"}) {
      auto const name = "forward_backward/" + net + batch;
      result.rows.push_back({provider + name, "libtorch/" + name, net == "resnet32" && batch.empty() ? 0.9 : 1.0});
    }
  return result;
}

/// Reach and published ratios of a criterion.
struct cost {
  std::string criterion;
  double reach;
  std::string elsewhere = "";
};

inline std::vector<row> scores(std::string const& engine, std::vector<cost> const& costs) {
  std::vector<row> rows;
  for (std::string const net : {"resnet32", "vgg19"})
    for (auto const& [criterion, reach, elsewhere] : costs)
      rows.push_back(
          {engine + "score/" + criterion + '/' + net, engine + "forward_backward/" + net, reach, bound::at_most, 1, elsewhere});
  return rows;
}

/// torchvision's networks: a pass in LibTorch's, scores in the engine's own.
inline group mobile() {
  group result{"Networks of torchvision (batch 32, 96²): passes in LibTorch's, scores in the CPU engine's own", {}};
  for (std::string const net : {"mobilenet_v2", "densenet121", "shufflenet_v2"}) {
    auto const pass = "forward_backward/" + net;
    result.rows.push_back({pass, "libtorch/" + pass, 1.1});
    result.rows.push_back({"score/snip/" + net, pass, 1.1});
    result.rows.push_back({"score/feature_map_synaptic/" + net, pass, 2.0});
  }
  return result;
}

inline std::vector<row> flows(std::string const& engine, double reach) {
  std::vector<row> rows;
  for (auto const& [net, published] : {std::pair<std::string, std::string>{"resnet32", "33"}, {"vgg19", "69"}})
    rows.push_back(
        {engine + "score/synflow_100_rounds/" + net, "libtorch/forward_backward/" + net, reach, bound::at_most, 1, published});
  return rows;
}

/// Networks without half of their multiply–adds in their own dense pass; widths rounded, and beside it as the ranking left them.
inline group smaller() {
  group result{"Half of the multiply–adds removed, in the dense network's pass (batch 32, one thread)", {}};
  auto const add = [&](std::string const& net, std::string const& layout, double reach) {
    auto const dense = net + "/dense" + layout;
    result.rows.push_back({net + "/half_rounded" + layout, dense, reach, reach == 0 ? bound::none : bound::at_most});
    result.rows.push_back({net + "/half" + layout, dense, 0, bound::none});
  };
  for (std::string const net : {"resnet56", "vgg16"}) {
    add("forward/" + net, "", 0.60);
    add("libtorch/forward/" + net, "", net == "vgg16" ? 0.60 : 0.70);
    add("libtorch/forward/" + net, "/channels_last", 0);
  }
  return result;
}

/// Products by kept weights, each in the dense product of the same masked weights with which it took turns.
inline group kept_weights() {
  group result{"By kept weights, in the dense pass of the same masked network or layer (percent kept; processor time)", {}};
  auto const add = [&](std::string const& name, std::string const& rival, double reach) {
    result.rows.push_back({"sparse/" + name, "sparse/" + name + '/' + rival, reach});
  };
  auto const falling = [&](std::string const& name, double at_5, double at_2, double at_1) {
    add(name + "/5", "dense", at_5);
    add(name + "/2", "dense", at_2);
    add(name + "/1", "dense", at_1);
  };
  falling("step/resnet32/100", 0.38, 0.30, 0.27);
  falling("step/vgg19/100", 0.30, 0.20, 0.17);
  falling("predict/resnet32/100", 0.32, 0.25, 0.22);
  add("predict/resnet20/1/5", "dense", 0.5);
  add("conv2d/64x16/35", "dense", 1);
  add("linear/4096/1/5", "dense", 0.15);
  add("linear/4096/64/5", "dense", 0.3);
  add("linear/4096/1/5", "csr", 0.8);
  add("linear/4096/64/5", "csr", 0.8);
  for (std::string const net : {"resnet32", "vgg19"}) {
    auto const row = "sparse/memory/" + net + "/100/2";
    result.rows.push_back({row, row + "/dense", 0, bound::none});
  }
  return result;
}

inline group selection() {
  group result{"Selection of 5 % of the scores, in parallel copies of them",
               {{"select/global/20000000", "select/copy/20000000", 2.5}}};
  for (std::string const n : {"100000", "1000000", "10000000", "140000000"})
    result.rows.push_back({"select/global/" + n, "select/copy/" + n, 0, bound::none});
  for (std::string const kind : {"equal", "sorted", "mostly_zero"})
    result.rows.push_back({"select/global_" + kind + "/20000000", "select/copy/20000000", 0, bound::none});
  for (std::string const rival : {"select/radix", "select/nth_element", "libtorch/select/kthvalue"})
    result.rows.push_back({rival + "/20000000", "select/copy/20000000", 0, bound::none});
  return result;
}

}  // namespace detail

/// The whole table.
[[nodiscard]] inline std::vector<group> expectations() {
  using detail::passes, detail::scores, detail::flows;
  std::string const vgg_memory = "libtorch/memory/forward_backward/vgg19";
  std::string const largest = "select/global/140000000";
  return {
      passes("", "The CPU engine's forward and backward pass, in LibTorch's"),
      passes("onednn/", "The same with oneDNN's convolutions"),
      {"Scores, in the CPU engine's own forward and backward passes (batch 100)",
       scores("",
              {{"snip", 1.05, "0.9-1.4"}, {"feature_map_synaptic", 1.8}, {"grasp", 3.1, "5.6-21.5"}, {"hessian_gradient", 3.1}})},
      detail::mobile(),
      {"Loading a .pt2 file into a network, in reads of its bytes", {{"exported/load", "exported/read", 3}}},
      {"SynFlow, 100 rounds with masks, in LibTorch's forward and backward passes", flows("", 4)},
      {"Two threads against one",
       {{"forward_backward/resnet32/threads:1", "forward_backward/resnet32", 1.8, bound::at_least},
        {"forward_backward/vgg19/threads:1", "forward_backward/vgg19", 1.8, bound::at_least}}},
      {"A masked SGD step, in copies of weights, gradients and momentum",
       {{"train_step/resnet32", "memcpy/train_step/resnet32", 1.3}, {"train_step/vgg19", "memcpy/train_step/vgg19", 1.3}}},
      {"A training step with TPP's gradient, in plain steps (batch 100)",
       {{"train/tpp/resnet32", "train/plain/resnet32", 1.15}, {"train/tpp/vgg19", "train/plain/vgg19", 1.15}}},
      {"Interval bounds of VGG-16 in forward passes of one image; HRank of ResNet-56 in a forward pass and the ranks of its maps",
       {{"bounds/vgg16", "forward/vgg16", 3.0}, {"hrank/resnet56", "ranked_maps/resnet56", 1.1}}},
      detail::smaller(),
      detail::kept_weights(),
      {"Peak memory of a pass (VGG-19, batch 100, without model and data), in LibTorch's forward and backward pass",
       {{"memory/forward_backward/vgg19", vgg_memory, 0, bound::none},
        {"memory/score/snip/vgg19", vgg_memory, 1.0},
        {"memory/score/feature_map_synaptic/vgg19", vgg_memory, 1.0},
        {"memory/score/grasp/vgg19", vgg_memory, 2.0}}},
      detail::selection(),
      {"Selection is linear: time per score at 140 million against fewer; memory against the scores' own",
       {{largest, "select/global/100000", 1.3, bound::at_most, 1400},
        {largest, "select/global/1000000", 1.3, bound::at_most, 140},
        {largest, "select/global/10000000", 1.3, bound::at_most, 14},
        {"memory/" + largest, "memory/scores/140000000", 0.1}}},
      {"The LibTorch adapter's scores, in LibTorch's forward and backward passes (batch 100)",
       scores("libtorch/", {{"snip", 1.05, "0.9-1.4"}, {"feature_map_synaptic", 2.3}, {"grasp", 3.8, "5.6-21.5"}})},
      {"The LibTorch adapter's SynFlow, 100 rounds with masks, in LibTorch's forward and backward passes",
       flows("libtorch/", 10)},
      {"Training with masks on LibTorch, augmentation included, in a plain loop over batches at hand",
       {{"libtorch/train_masked/resnet32", "libtorch/train/resnet32", 1.05},
        {"libtorch/train_masked/vgg19", "libtorch/train/vgg19", 1.05}}},
      {"Peak memory of training with masks, in plain LibTorch's",
       {{"libtorch/memory/train_masked/vgg19", "libtorch/memory/train/vgg19", 1.1}}},
  };
}

}  // namespace bench_table
