// expect: batch norm over several processes takes statistics that lie in host memory
#include <lnpt/distributed/train.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/torch.hpp>

auto f(lnpt::torch_model<float>& model, lnpt::alone& ranks, lnpt::io::image_set const& images) {
  return lnpt::train_together(ranks, model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, {}, {}, {},
                              lnpt::synchronized_batch_norm{});
}
