#pragma once
/// NaN and infinite scores, which cannot be ranked.
#include <cstddef>
#include <string>
#include <string_view>

#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>

namespace lnpt::detail {

/// Which parameters have scores that are NaN or infinite, and how many.
class non_finite_scores {
 public:
  void add(std::string_view name, std::size_t count, std::size_t size) {
    if (count == 0) return;
    if (++parameters_ > named) return;
    if (!text_.empty()) text_ += ", ";
    text_ += std::to_string(count) + " of " + std::to_string(size) + " in " + std::string(name);
  }
  /// Throws if there are any.
  void refuse() const {
    auto const more = parameters_ > named ? " and in " + std::to_string(parameters_ - named) + " more parameters" : std::string();
    if (parameters_ != 0)
      fail("scores are NaN or infinite (", text_, more,
           "), so nothing was masked: score finite weights and inputs, or in double");
  }

 private:
  static constexpr std::size_t named = 3;  // one sentence is not a list of all layers
  std::size_t parameters_ = 0;
  std::string text_;
};

}  // namespace lnpt::detail
