#pragma once
/// doctest beside LibTorch, whose logging takes CHECK and its kin for macros of its own.
#include <c10/util/Logging.h>
#undef CHECK
#undef CHECK_EQ
#undef CHECK_NE
#undef CHECK_GT
#undef CHECK_LT
#undef CHECK_GE
#undef CHECK_LE
#include <doctest/doctest.h>
