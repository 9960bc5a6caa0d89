#pragma once
/// What training takes beside model, data, guide and loss, and where a run stands.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/execution.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/train/hooks.hpp>

namespace lnpt {

/// Leaves to the engine how often the loss is looked at, which waits for the device: every step on the CPU engine, every 50th on
/// LibTorch.
inline constexpr std::size_t as_engine_likes = std::numeric_limits<std::size_t>::max();

/// Settings of every engine. Defaults: LNPT where the paper says, GraSP's published settings elsewhere.
struct train_options {
  std::size_t epochs = 160;
  std::size_t batch = 128;  ///< a last partial batch is dropped
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool augment = true;  ///< random crop with padding 4, horizontal flip
  std::uint64_t seed = 0;
  lnpt::execution execution = lnpt::execution::automatic;  ///< of masked parameters; does not change what a checkpoint holds
  std::size_t loss_every = as_engine_likes;                ///< steps between looks at the loss; 0: at the end of an epoch alone
};

/// Where a training run stands: with the model, all that resuming needs.
struct train_state {
  std::size_t epoch = 0;  ///< epochs done
  double last_accuracy = 0;
  double best_accuracy = 0;
  double last_loss = 0;                          ///< the mean of the last epoch's losses that were looked at
  std::vector<cpu::array<float>> velocity = {};  ///< empty: at rest
  mask_set masks = {};                           ///< those that hooks set; empty: those that training was given
  hook_state hooks = {};                         ///< what the hooks carry
};

/// Told of every step and, with the state to save, of every epoch. Both are optional.
struct train_observer {
  std::function<void(std::size_t epoch, std::size_t step, std::size_t steps)> on_step = nullptr;
  std::function<void(train_state const&)> on_epoch = nullptr;
};

}  // namespace lnpt
