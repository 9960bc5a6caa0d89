// expect: a further argument of train is no learning-rate schedule, optimiser or hook
#include <lnpt/io/image_set.hpp>
#include <lnpt/lnpt.hpp>

struct listener {
  void on_step() {}
};
auto f(lnpt::network<lnpt::cpu::backend<float>>& model, lnpt::io::image_set const& images) {
  return lnpt::train(model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, {}, {}, {}, listener{});
}
