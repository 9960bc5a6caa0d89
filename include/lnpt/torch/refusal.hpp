#pragma once
/// Turns what LibTorch throws into an lnpt::error.
#include <c10/util/Exception.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

#include <lnpt/core/error.hpp>

namespace lnpt::detail {

/// The operator of "derivative for aten::name is not implemented"; empty where the words are others.
[[nodiscard]] inline std::string_view operator_without_derivative(std::string_view words) {
  constexpr std::string_view before = "derivative for ", after = " is not implemented";
  auto const begin = words.find(before), end = words.find(after);
  if (begin == words.npos || end == words.npos || end < begin) return {};
  auto name = words.substr(begin + before.size(), end - begin - before.size());
  while (!name.empty() && name.front() == '\'') name.remove_prefix(1);
  while (!name.empty() && name.back() == '\'') name.remove_suffix(1);
  return name;
}

/// Throws the sentence for LibTorch's `words`, of which the first line is the reason. `doing`: what was tried, "run the module on …".
[[noreturn]] inline void fail_in_torch(std::string const& doing, std::string_view words) {
  words = words.substr(0, words.find('\n'));
  if (auto const name = operator_without_derivative(words); !name.empty())
    fail("LibTorch has no derivative of ", name, ", which was needed to ", doing,
         ": replace the layer that calls it, or choose a criterion of first derivatives such as snip");
  fail("LibTorch could not ", doing, " (", words, "): pass what the module takes, in its scalar type and on its device");
}

/// Calls `f`; a c10::Error becomes an lnpt::error, and so does a plain std::runtime_error, which LibTorch 1.13 throws where a view has no
/// such shape. Other exceptions, such as a callable's own, pass.
template <class Describe, class F>
std::invoke_result_t<F> in_torch(Describe const& doing, F f) {
  auto const refuse = [&](char const* words) {
    if constexpr (std::is_invocable_v<Describe const&>)
      fail_in_torch(doing(), words);
    else
      fail_in_torch(doing, words);
  };
  try {
    return f();
  } catch (c10::Error const& reason) {
    refuse(reason.what_without_backtrace());
    throw;
  } catch (std::runtime_error const& reason) {
    if (typeid(reason) == typeid(std::runtime_error)) refuse(reason.what());
    throw;
  }
}

}  // namespace lnpt::detail
