#pragma once
/// Training of LibTorch's modules over several processes.
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <span>

#include <lnpt/distributed/train.hpp>
#include <lnpt/torch/train/train.hpp>

namespace lnpt {

/// `train_together` (distributed/train.hpp) of a module, with LibTorch's options: rank 0 writes the checkpoint, and every rank reads it
/// where it exists, which is to be on all ranks or on none. Batch norm takes the statistics of a rank's own part.
template <communicator R, image_source Images, labelled_images Test, class Guide, class Loss,
          std::same_as<torch_train_options> Options, class... Policies>
train_state train_together(R& ranks, torch_model<float>& student, mask_set const& masks, Images const& images, Test const& test,
                           Guide const& guide, Loss const& loss, Options const& options, train_state const& state = {},
                           train_observer const& observer = {}, Policies&&... policies) {
  together(ranks, [&](agreeing<R>& agreed) {
    std::uint64_t holders = !options.checkpoint.empty() && std::filesystem::exists(options.checkpoint) ? 1 : 0;
    agreed.sum(std::span(&holders, 1));
    if (holders != 0 && holders != agreed.size())
      fail("the checkpoint ", options.checkpoint.string(), " lies with ", holders, " of ", agreed.size(),
           " ranks: put it where every rank reads it, or nowhere to begin anew");
  });
  return detail::train_on_ranks(ranks, student, masks, images, test, guide, loss, options, state, observer, policies...);
}

}  // namespace lnpt
