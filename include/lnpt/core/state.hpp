#pragma once
/// The whole state of a model, as a file holds it.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/shape.hpp>

namespace lnpt {

/// One tensor of a model's state: trained, frozen or counted, of the number type that it has. A model that has more state than
/// `parameters()` and `buffers()` show gives all of it by `state()`, a range of these, which are valid while the model lives.
struct state_entry {
  std::string name;  ///< PyTorch's
  lnpt::shape extents;
  std::string dtype;             ///< as safetensors spells it: "F32", "I64"
  void const* tensor = nullptr;  ///< equal for two names of one tensor
  bool finite = true;            ///< whether NaN and infinity are refused: a buffer may well hold −∞, as masks of attention do
  std::function<std::vector<std::byte>()> bytes;                       ///< the values, row-major
  std::function<void(std::span<double const>)> assign_reals;           ///< null for integers and booleans
  std::function<void(std::span<std::int64_t const>)> assign_integers;  ///< null for real numbers
};

}  // namespace lnpt
