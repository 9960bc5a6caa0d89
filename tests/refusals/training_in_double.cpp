// expect: training computes in float, and this model holds another type
#include <lnpt/io/image_set.hpp>
#include <lnpt/lnpt.hpp>
#include <lnpt/train/train.hpp>

auto f(lnpt::network<lnpt::cpu::backend<double>>& model, lnpt::io::image_set const& images) {
  return lnpt::train(model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, {});
}
