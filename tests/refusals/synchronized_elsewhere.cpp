// expect: batch norm over several processes takes statistics that lie in host memory
#include <lnpt/distributed/train.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/lnpt.hpp>

#include "../../examples/host_engine.hpp"

auto f(lnpt::alone& ranks, host::perceptron& model, lnpt::io::image_set const& images) {
  return lnpt::train_together(ranks, model, lnpt::mask_set{}, images, images, lnpt::no_guide{}, lnpt::cross_entropy{}, {}, {}, {},
                              lnpt::synchronized_batch_norm{});
}
