// expect: this model is const, and masks change its weights
#include <lnpt/lnpt.hpp>

#include "support.hpp"

void f(weights_only const& model, lnpt::mask_set const& masks) { lnpt::apply(masks, model); }
