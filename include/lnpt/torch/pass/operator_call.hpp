#pragma once
/// One call of an operator, as LibTorch's dispatcher shows it to an observer.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lnpt::detail {

/// What an observer is handed. RecordFunction::inputs() would do, but where NDEBUG is not defined that function checks a flag which
/// LibTorch's own release build never sets. So this reads the member, by the one way the language leaves open: access is not checked
/// in an explicit instantiation.
[[nodiscard]] inline c10::ArrayRef<at::IValue const> observed_inputs(at::RecordFunction const& call);
template <auto Inputs>
struct observed_member {
  friend c10::ArrayRef<at::IValue const> observed_inputs(at::RecordFunction const& call) { return call.*Inputs; }
};
template struct observed_member<&at::RecordFunction::inputs_>;

/// The last `count` of `values`.
[[nodiscard]] inline c10::ArrayRef<at::IValue const> last_of(c10::ArrayRef<at::IValue const> values, std::size_t count) {
  return count < values.size() ? values.slice(values.size() - count) : values;
}

/// The arguments and results of a call, by position and by the names of the operator's schema.
///
/// A call from C++ shows an observer the arguments alone. A call from a script shows the interpreter's whole stack, on which the
/// operator's own arguments, and afterwards its results, are the last ones.
class operator_call {
 public:
  explicit operator_call(at::RecordFunction const& call) : call_(call), schema_(schema_of(call)) {}

  [[nodiscard]] std::string_view name() const { return call_.name(); }

  [[nodiscard]] c10::ArrayRef<at::IValue const> arguments() const {
    auto const seen = observed_inputs(call_);
    return schema_ ? last_of(seen, schema_->schema().arguments().size()) : seen;
  }

  /// Empty where the call threw.
  [[nodiscard]] c10::ArrayRef<at::IValue const> results() const {
    c10::ArrayRef<at::IValue const> const seen(call_.outputs().data(), call_.outputs().size());
    return schema_ ? last_of(seen, schema_->schema().returns().size()) : seen;
  }

  /// The argument of this name; null where the operator has none.
  [[nodiscard]] at::IValue const* find(std::string const& argument) const {
    if (!schema_) return nullptr;
    auto const all = arguments();
    auto const index = schema_->schema().argumentIndexWithName(argument);
    return index && static_cast<std::size_t>(*index) < all.size() ? &all[static_cast<std::size_t>(*index)] : nullptr;
  }

  /// The tensor of this name; undefined where there is none.
  [[nodiscard]] at::Tensor tensor(std::string const& argument) const {
    auto const* const value = find(argument);
    return value && value->isTensor() ? value->toTensor() : at::Tensor();
  }

  /// The tensor, or all tensors of the list, of this name.
  [[nodiscard]] std::vector<at::Tensor> tensors(std::string const& argument) const {
    auto const* const value = find(argument);
    if (value && value->isTensorList()) return value->toTensorVector();
    auto one = tensor(argument);
    return one.defined() ? std::vector<at::Tensor>{std::move(one)} : std::vector<at::Tensor>{};
  }

  /// Whether a flag of this name is set.
  [[nodiscard]] bool flag(std::string const& argument) const {
    auto const* const value = find(argument);
    return value && value->isBool() && value->toBool();
  }

  /// The number of this name.
  [[nodiscard]] std::optional<double> number(std::string const& argument) const {
    auto const* const value = find(argument);
    return value && value->isScalar() ? std::optional(value->toScalar().toDouble()) : std::nullopt;
  }

 private:
  using schema_handle =
      decltype(c10::Dispatcher::singleton().findSchema(std::declval<c10::OperatorName const&>()));  // an optional

  [[nodiscard]] static schema_handle schema_of(at::RecordFunction const& call) {
    auto const name = call.operator_name();
    return name ? c10::Dispatcher::singleton().findSchema(*name) : schema_handle{};
  }

  at::RecordFunction const& call_;
  schema_handle schema_;
};

}  // namespace lnpt::detail
