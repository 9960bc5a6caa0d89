#pragma once
/// What was tried on rows that do not meet their reach, and what the profile says is left. NOTES.md has the figures.
#include <string>
#include <string_view>
#include <vector>

namespace bench_table {

struct remark {
  std::string subject;  ///< as in the table; a trailing * stands for any end
  std::string text;
};

[[nodiscard]] inline std::vector<remark> remarks() {
  return {
      {"forward_backward/mobilenet*",
       "Tried: a vector of sums for all taps of a depthwise kernel; copies into patches worked out once for all channels, and "
       "weight gradients over many samples at a time (40.4 to 33.2 ms at batch 8, 387 to 320 at 100). Left, by profile: packing "
       "the weights of 1x1 convolutions, 6 %, depthwise, 10 %, and 20 tasks a layer of a few microseconds."},
      {"forward_backward/*/batch:8",
       "Tried: weights packed by transposition in registers (124 to 116 ms on VGG-19). "
       "Left, by profile: packing weights that 32 to 512 pixels use, 10 %, copies of patches, 8 %; oneDNN's own layouts have "
       "neither."},
      {"forward_backward/vgg19*",
       "Tried: tiles of 8 outputs by 3 vectors, samples of a pixel side by side (512 channels at 2x2: 42 to 185 GFLOP/s). "
       "Left: those layers' forward pass runs at 0.7-0.75 of the bare product."},
      {"forward_backward/resnet32",
       "Tried: convolution without columns (265-295 GFLOP/s on 3x3 with 32 to 128 channels). "
       "Left: a third of the time is passes of batch norm, ReLU and sums, which run at the speed of memory."},
      {"onednn/forward_backward/resnet32*",
       "Left: oneDNN's convolutions are level with LibTorch's, which are the same; the rest is as for the embedded engine."},
      {"score/feature_map_synaptic/*",
       "Tried: squares per sample accumulated in registers (1.0-1.1 of the plain weight gradient). Left: 1.4 on 2x2 maps."},
      {"score/grasp/*",
       "Tried: tangents alone, from tapes; what is one sweep away is computed again, which costs 3 % here and saves 40 % of the "
       "memory. Left, by profile: three quarters are convolutions, 12 % sweeps of batch norm and ReLU, 8 % copies of patches."},
      {"score/hessian_gradient/*", "As for grasp."},
      {"score/synflow_100_rounds/*",
       "Tried: weights read once, where they are (17 to 4.4 s on VGG-19), no copy of |w|, scores in place of the gradient, "
       "twelve rows of weights at once, no look at signs (4.7 to 4.0). Left: memory; every round reads the weights four times, "
       "and writes weights, gradients and scores."},
      {"memory/*",
       "Tried: outputs of batch norm computed again, a heap that joins freed neighbours (446 to 224 MiB for snip). "
       "Left: the reverse tape of Hessian-vector products stays whole until they end."},
      {"sparse/step/*",
       "Tried: planes of the output's gradient read once for both gradients, whole samples moved at once, entries of an output "
       "side by side. Left: at 2 % two fifths of a step are copies of planes, a third batch norm, ReLU and sums."},
      {"sparse/predict/*",
       "As for a step, half of whose time a prediction takes; the rest is copies of planes, batch norm, ReLU and sums."},
      {"sparse/linear/4096/1/*",
       "Tried: 16-bit columns, strands in registers, gathers. Left: the traffic of weights and indices."},
      {"select/global/*", "Left: 56 MB of scores and more no longer come from the last cache."},
      {"libtorch/score/snip/*",
       "Tried: a graph that is freed as it goes (VGG-19: 1.11 to 1.00-1.07). Left: one forward and backward pass and two sweeps "
       "over the weights."},
      {"libtorch/score/grasp/*",
       "Tried: exact derivatives in the place of LibTorch's second derivatives of convolution and batch norm; a graph that is "
       "freed as it goes. Left, by profile: page faults of fresh memory, 17 %, and sweeps of batch norm."},
      {"libtorch/score/feature_map_synaptic/*",
       "Tried: one gradient per sample by grouped convolution (9 on VGG-19), then the CPU engine's kernel. "
       "Left: images turned to that engine's layout."},
  };
}

}  // namespace bench_table
