// expect: a teacher runs its model, whose passes are no const members
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only const& trained) { return lnpt::teacher(trained); }
