// expect: n_of_m<N, M> keeps N of every M weights
#include <lnpt/lnpt.hpp>

#include "support.hpp"

lnpt::n_of_m<4, 2> const strategy;
