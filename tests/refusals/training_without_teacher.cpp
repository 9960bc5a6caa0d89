// expect: this loss compares against a teacher, and there is none
#include <lnpt/io/image_set.hpp>
#include <lnpt/lnpt.hpp>
#include <lnpt/train/train.hpp>

auto f(lnpt::network<lnpt::cpu::backend<float>>& model, lnpt::io::image_set const& images) {
  return lnpt::train(model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::pseudo_label{}, {});
}
