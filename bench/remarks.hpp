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
       "Tried: a vector of sums for all taps of a depthwise kernel (6.2 ms forward, 11.1 before, 64 channels at 32x32). Left: "
       "its "
       "weight gradient works on patches of one plane."},
      {"forward_backward/*/batch:1",
       "Tried: weights read where they are on maps of few pixels. Left: maps narrower than a vector leave lanes idle, and "
       "weights "
       "are packed for a single use."},
      {"forward_backward/vgg19*",
       "Tried: tiles of 8 outputs by 3 vectors, samples of a pixel side by side (512 channels at 2x2: 42 to 185 GFLOP/s). Left: "
       "those "
       "layers' forward pass runs at 0.7-0.75 of the bare product, for weights are packed anew on every call."},
      {"forward_backward/resnet32*",
       "Tried: convolution without columns (265-295 GFLOP/s on 3x3 with 32 to 128 channels), fused batch norm. Left: strided "
       "layers (150-200 GFLOP/s, scattered stores) and passes over memory that run at the speed of memcpy."},
      {"score/feature_map_synaptic/*",
       "Tried: squares per sample accumulated in registers (1.0-1.1 of the plain weight gradient). Left: 1.4 on 2x2 maps."},
      {"score/synflow_100_rounds/*",
       "Tried: gradients at one exponent, scores in place, weights read where they are. Left: memory: every round reads and "
       "writes "
       "all weights several times."},
      {"libtorch/score/grasp/*", "Tried: double backward through the pass that exists. Left: LibTorch's own second derivatives."},
      {"libtorch/score/feature_map_synaptic/*",
       "Tried: groups of 5 samples in one forward pass. Left: LibTorch's weight gradients per sample on small maps."},
  };
}

}  // namespace bench_table
