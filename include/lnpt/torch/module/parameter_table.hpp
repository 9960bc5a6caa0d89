#pragma once
/// Which parameter a tensor is a view of.
#include <algorithm>
#include <iterator>
#include <vector>

#include <lnpt/torch/module/layout.hpp>
#include <lnpt/torch/module/memory.hpp>

namespace lnpt::detail {

/// The parameters of a module by the memory they occupy at this moment. Transposes, slices and expansions of a parameter are views of
/// it and share its memory; a copy, or whatever is computed from a parameter, is not a view.
class parameter_table {
 public:
  explicit parameter_table(model_layout const& layout) {
    for (auto const* group : {&layout.parameters, &layout.frozen})
      for (auto const& held : *group)
        if (auto const memory = memory_of(held.value)) ranges_.push_back({memory, &held});
    std::ranges::stable_sort(ranges_, {}, [](range const& each) { return each.memory.begin; });
  }

  /// Null where the tensor is no view of a parameter.
  [[nodiscard]] held_parameter const* find(at::Tensor const& tensor) const {
    auto const address = memory_of(tensor).begin;
    auto const after = std::ranges::upper_bound(ranges_, address, {}, [](range const& each) { return each.memory.begin; });
    if (address == 0 || after == ranges_.begin()) return nullptr;
    auto const& last = *std::prev(after);
    return address < last.memory.end ? last.held : nullptr;
  }

 private:
  struct range {
    memory_range memory;
    held_parameter const* held;
  };

  std::vector<range> ranges_;
};

}  // namespace lnpt::detail
