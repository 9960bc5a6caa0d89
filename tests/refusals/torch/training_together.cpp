// expect: train_together trains networks of the library's own engine
#include <lnpt/distributed/train.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/torch.hpp>

auto f(lnpt::torch_model<float>& model, lnpt::alone& ranks, lnpt::io::image_set const& images) {
  return lnpt::train_together(ranks, model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, {});
}
