// expect: masks come first, then the model they are applied to
#include <lnpt/lnpt.hpp>

#include "support.hpp"

void f(weights_only& model, lnpt::mask_set const& masks) { lnpt::apply(model, masks); }
