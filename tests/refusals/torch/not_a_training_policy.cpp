// expect: a further argument of train is no learning-rate schedule, optimizer of LibTorch or hook
#include <lnpt/io/image_set.hpp>
#include <lnpt/torch.hpp>

auto f(lnpt::torch_model<float>& model, lnpt::io::image_set const& images) {
  return lnpt::train(model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, lnpt::train_options{},
                     lnpt::train_state{}, lnpt::train_observer{}, 0.1);
}
