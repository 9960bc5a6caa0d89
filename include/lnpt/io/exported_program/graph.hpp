#pragma once
/// The graph of an exported program as its JSON writes it: calls of operators on named values.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>

namespace lnpt::io::exported {

using json = nlohmann::ordered_json;

/// No extent of an image and no argument such as a padding is larger: sums and products of two of them fit their types.
inline constexpr std::int64_t max_number = std::int64_t{1} << 30;

/// One extent of a value: a number, or an expression in symbols such as the batch, of which the file knows an example.
struct extent {
  std::int64_t number = 0;
  std::string expression;  ///< empty where the number is all there is

  bool operator==(extent const&) const = default;
};

namespace detail {

/// An integer; json's own conversion takes fractions, too.
[[nodiscard]] inline std::int64_t read_integer(json const& number) {
  if (!number.is_number_integer()) fail(number.dump(), " stands where the graph needs an integer");
  return number.get<std::int64_t>();
}
[[nodiscard]] inline std::vector<std::int64_t> read_integers(json const& numbers) {
  std::vector<std::int64_t> result;
  for (auto const& each : numbers) result.push_back(read_integer(each));
  return result;
}

[[nodiscard]] inline extent read_extent(json const& size) {
  if (auto const number = size.find("as_int"); number != size.end()) return {read_integer(*number), {}};
  auto const& expression = size.at("as_expr");
  extent result{0, expression.at("expr_str").get<std::string>()};
  if (auto const hint = expression.find("hint"); hint != expression.end() && hint->is_object())
    result.number = read_integer(hint->at("as_int"));
  return result;
}

/// A number, or one of the three that JSON has no words for.
[[nodiscard]] inline double read_number(json const& number) {
  if (!number.is_string()) return number.get<double>();
  auto const& text = number.get_ref<std::string const&>();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  fail("\"", text, "\" is no number; PyTorch writes Infinity and -Infinity");
}

}  // namespace detail

/// One call of an operator. Arguments go by the names of PyTorch's schema; those left out have the default that the reader names.
class call {
 public:
  explicit call(json const& node) : node_(node), target_(node.at("target").get_ref<std::string const&>()) {}

  /// The operator, such as `conv2d.default`, without PyTorch's own namespace.
  [[nodiscard]] std::string_view target() const {
    for (std::string_view const known : {"torch.ops.aten.", "torch.ops."})
      if (target_.starts_with(known)) return target_.substr(known.size());
    return target_;
  }

  /// The innermost module that made the call: its name in the network, then its class.
  [[nodiscard]] std::pair<std::string, std::string> module() const {
    auto const stack = metadata("nn_module_stack");
    auto const innermost = stack.substr(stack.rfind(';') + 1);  // key,name,class
    auto const name = innermost.find(',');
    auto const type = innermost.rfind(',');
    if (name == std::string::npos || name == type) return {};
    return {innermost.substr(name + 1, type - name - 1), innermost.substr(innermost.rfind('.') + 1)};
  }

  /// The names of the values that it computes.
  [[nodiscard]] std::vector<std::string> outputs() const {
    std::vector<std::string> result;
    for (auto const& output : node_.at("outputs")) {
      if (auto const one = output.find("as_tensor"); one != output.end()) result.push_back(one->at("name").get<std::string>());
      if (auto const many = output.find("as_tensors"); many != output.end())
        for (auto const& each : *many) result.push_back(each.at("name").get<std::string>());
    }
    return result;
  }

  /// The names of all tensors among its arguments.
  [[nodiscard]] std::vector<std::string> inputs() const {
    std::vector<std::string> result;
    for (auto const& input : node_.at("inputs")) {
      auto const& argument = input.at("arg");
      if (auto const one = argument.find("as_tensor"); one != argument.end())
        result.push_back(one->at("name").get<std::string>());
      if (auto const many = argument.find("as_tensors"); many != argument.end())
        for (auto const& each : *many) result.push_back(each.at("name").get<std::string>());
    }
    return result;
  }

  /// The first of them.
  [[nodiscard]] std::string first_tensor() const {
    auto names = inputs();
    if (names.empty()) fail(target(), " reads no tensor");
    return std::move(names.front());
  }
  [[nodiscard]] std::string tensor(std::string_view argument) const {
    if (auto found = optional_tensor(argument)) return *std::move(found);
    fail(target(), " has no tensor ", argument);
  }
  [[nodiscard]] std::optional<std::string> optional_tensor(std::string_view argument) const {
    auto const* const value = find(argument, "as_tensor");
    return value ? std::optional(value->at("name").get<std::string>()) : std::nullopt;
  }
  [[nodiscard]] std::int64_t integer(std::string_view argument, std::int64_t otherwise) const {
    auto const* const value = find(argument, "as_int");
    return value ? detail::read_integer(*value) : refuse_unless_absent(argument, otherwise);
  }
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view argument, std::vector<std::int64_t> otherwise) const {
    if (auto const* const one = find(argument, "as_int")) return {detail::read_integer(*one)};
    auto const* const value = find(argument, "as_ints");
    return value ? detail::read_integers(*value) : refuse_unless_absent(argument, std::move(otherwise));
  }
  [[nodiscard]] double number(std::string_view argument, double otherwise) const {
    if (auto const* const value = find(argument, "as_float")) return detail::read_number(*value);
    auto const* const value = find(argument, "as_int");
    return value ? static_cast<double>(detail::read_integer(*value)) : refuse_unless_absent(argument, otherwise);
  }
  [[nodiscard]] bool flag(std::string_view argument, bool otherwise) const {
    auto const* const value = find(argument, "as_bool");
    return value ? value->get<bool>() : refuse_unless_absent(argument, otherwise);
  }
  [[nodiscard]] std::string text(std::string_view argument, std::string otherwise) const {
    auto const* const value = find(argument, "as_string");
    return value ? value->get<std::string>() : refuse_unless_absent(argument, std::move(otherwise));
  }
  /// The first argument of this kind, by whatever name: operators that call a graph of their own name none.
  [[nodiscard]] json const* first(char const* kind) const {
    for (auto const& input : node_.at("inputs"))
      if (auto const value = input.at("arg").find(kind); value != input.at("arg").end()) return &*value;
    return nullptr;
  }
  /// Whether an argument is there and is not None.
  [[nodiscard]] bool has(std::string_view argument) const {
    auto const* const value = find(argument);
    return value && !value->contains("as_none");
  }

 private:
  [[nodiscard]] std::string metadata(char const* key) const {
    auto const all = node_.find("metadata");
    if (all == node_.end()) return {};
    auto const value = all->find(key);
    return value == all->end() ? std::string() : value->get<std::string>();
  }

  [[nodiscard]] json const* find(std::string_view argument) const {
    for (auto const& input : node_.at("inputs"))
      if (input.at("name").get_ref<std::string const&>() == argument) return &input.at("arg");
    return nullptr;
  }
  [[nodiscard]] json const* find(std::string_view argument, char const* kind) const {
    auto const* const value = find(argument);
    if (!value) return nullptr;
    auto const found = value->find(kind);
    return found == value->end() ? nullptr : &*found;
  }
  template <class T>
  [[nodiscard]] T refuse_unless_absent(std::string_view argument, T otherwise) const {
    if (has(argument)) fail(target(), " has ", argument, " = ", find(argument)->dump(), "; only fixed numbers are read");
    return otherwise;
  }

  json const& node_;
  std::string_view target_;
};

/// A graph: the program's own, or one that an operator such as autocast calls.
class graph {
 public:
  explicit graph(json const& at) : at_(at) {
    for (auto const& [name, value] : at.at("tensor_values").items()) values_.emplace(name, &value);
  }

  [[nodiscard]] std::vector<std::string> inputs() const { return names("inputs"); }
  [[nodiscard]] std::vector<std::string> outputs() const { return names("outputs"); }
  [[nodiscard]] std::vector<call> calls() const {
    std::vector<call> result;
    for (auto const& node : at_.at("nodes")) result.emplace_back(node);
    return result;
  }
  /// The extents of a value, the batch first.
  [[nodiscard]] std::vector<extent> extents(std::string const& value) const {
    std::vector<extent> result;
    auto const found = values_.find(value);
    if (found == values_.end()) fail("the graph says nothing about its value ", value);
    for (auto const& size : found->second->at("sizes")) result.push_back(detail::read_extent(size));
    return result;
  }

 private:
  [[nodiscard]] std::vector<std::string> names(char const* which) const {
    std::vector<std::string> result;
    auto const listed = at_.find(which);
    if (listed == at_.end()) return result;
    for (auto const& each : *listed) {
      auto const tensor = each.find("as_tensor");
      result.push_back(tensor == each.end() ? std::string() : tensor->at("name").get<std::string>());
    }
    return result;
  }

  json const& at_;
  std::unordered_map<std::string, json const*> values_;
};

}  // namespace lnpt::io::exported
