#pragma once
/// What every engine is timed on, by the names that the rows carry.
#include <array>
#include <cstddef>
#include <string>

namespace bench_nets {

inline constexpr std::array networks{"resnet32", "vgg19", "mobilenet"};
/// Those that scores are timed on.
inline constexpr std::array scored_networks{"resnet32", "vgg19"};

/// Networks as PyTorch's users bring them, on images of 96² in 1000 classes.
inline constexpr std::array mobile_networks{"mobilenet_v2", "densenet121", "shufflenet_v2"};
inline constexpr std::size_t mobile_side = 96, mobile_classes = 1000, mobile_batch = 32;

inline constexpr std::size_t batch_size = 100;

struct timed_batch {
  std::size_t samples;
  int passes;
};
inline constexpr std::array batches{timed_batch{batch_size, 2}, timed_batch{8, 8}, timed_batch{1, 40}};

/// The end of a row's name: nothing for the batch of the papers.
inline std::string batch_suffix(std::size_t samples) { return samples == batch_size ? "" : "/batch:" + std::to_string(samples); }

}  // namespace bench_nets
