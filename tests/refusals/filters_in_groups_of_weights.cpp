// expect: this criterion scores whole filters
#include <lnpt/criterion/bn_scale.hpp>
#include <lnpt/lnpt.hpp>
#include <lnpt/mask/n_of_m.hpp>

#include "support.hpp"

auto f(weights_only& model) { return lnpt::prune<lnpt::bn_scale, lnpt::n_of_m<2, 4>>(model, {}); }
