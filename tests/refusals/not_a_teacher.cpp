// expect: this is not a model that can be a teacher
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(weights_only& trained) { return lnpt::teacher(trained); }
