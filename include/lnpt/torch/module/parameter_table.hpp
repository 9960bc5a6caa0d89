#pragma once
/// Which parameter a tensor is a view of.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <lnpt/torch/module/layout.hpp>

namespace lnpt::detail {

/// The parameters of a module by the memory they occupy at this moment. Transposes, slices and expansions of a parameter are views of
/// it and share its memory; a copy, or whatever is computed from a parameter, is not a view.
class parameter_table {
 public:
  explicit parameter_table(model_layout const& layout) {
    for (auto const* group : {&layout.parameters, &layout.frozen})
      for (auto const& held : *group)
        if (auto const begin = first_byte(held.value)) ranges_.push_back({begin, begin + extent_of(held.value), &held});
    std::ranges::stable_sort(ranges_, {}, &range::begin);
  }

  /// Null where the tensor is no view of a parameter.
  [[nodiscard]] held_parameter const* find(at::Tensor const& tensor) const {
    auto const address = first_byte(tensor);
    if (address == 0) return nullptr;
    auto const after = std::ranges::upper_bound(ranges_, address, {}, &range::begin);
    if (after == ranges_.begin()) return nullptr;
    auto const& last = *std::prev(after);
    return address < last.end ? last.held : nullptr;
  }

 private:
  struct range {
    std::uintptr_t begin, end;
    held_parameter const* held;
  };

  /// 0 where the tensor has no memory of its own.
  [[nodiscard]] static std::uintptr_t first_byte(at::Tensor const& tensor) {
    if (!tensor.defined() || !tensor.has_storage() || tensor.numel() == 0) return 0;
    return reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  }

  /// Bytes from the first value to behind the last.
  [[nodiscard]] static std::uintptr_t extent_of(at::Tensor const& tensor) {
    std::int64_t last = 0;
    for (std::int64_t axis = 0; axis < tensor.dim(); ++axis) last += (tensor.size(axis) - 1) * tensor.stride(axis);
    return static_cast<std::uintptr_t>(last + 1) * tensor.element_size();
  }

  std::vector<range> ranges_;
};

}  // namespace lnpt::detail
