// expect: finite differences of gradients need double precision
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(lnpt::network<lnpt::cpu::backend<float>>& model) { return lnpt::finite_difference_hvp(model); }
