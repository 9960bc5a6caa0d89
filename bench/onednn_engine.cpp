/// The same passes as the CPU engine's, with oneDNN's convolutions.
#include <lnpt/onednn.hpp>

#include "rows.hpp"

namespace {

bool const registered = [] {
  bench_nets::register_passes<lnpt::onednn::backend<float>>("onednn/");
  return true;
}();

}  // namespace
