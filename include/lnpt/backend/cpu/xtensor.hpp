#pragma once
/// xtensor's arrays and functions, wherever its version keeps their headers: in folders since 0.26, in one place before.
#include <cstddef>

#if __has_include(<xtensor/containers/xarray.hpp>)

#include <xtensor/containers/xarray.hpp>
#include <xtensor/core/xmath.hpp>

#else

#include <xtensor/xstorage.hpp>

// Two partial specialisations of xtensor 0.24 are ambiguous to clang from 19 on; a full one decides. It has to come first.
template <>
struct xt::rebind_container<std::ptrdiff_t, xt::svector<std::size_t>> {
  using type = xt::svector<std::ptrdiff_t>;
};

#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>

#endif
