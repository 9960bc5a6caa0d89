// expect: a teacher refers to its model, and this one is a temporary
#include <lnpt/lnpt.hpp>

#include "support.hpp"

features_only trained();

auto f() { return lnpt::teacher(trained()); }
