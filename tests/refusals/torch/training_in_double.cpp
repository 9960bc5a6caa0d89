// expect: training computes in float, and this model holds another type
#include <lnpt/io/image_set.hpp>
#include <lnpt/torch.hpp>

auto f(lnpt::torch_model<double>& model, lnpt::io::image_set const& images) {
  return lnpt::train(model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, {.epochs = 1});
}
