#pragma once
/// The name and the fields of every layer, as descriptions of networks spell them.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt::io::detail {

/// One kind of layer: its name, a layer to start from, and its fields by name.
template <class Layer, class... Fields>
struct layer_form {
  std::string_view name;
  Layer start;
  std::tuple<std::pair<std::string_view, Fields Layer::*>...> fields;

  /// Calls `use(name, member of layer)` for every field.
  template <class Some, class Use>
  void for_each(Some& layer, Use use) const {
    std::apply([&](auto const&... each) { (use(each.first, layer.*each.second), ...); }, fields);
  }
};

template <class Layer, class Field>
[[nodiscard]] std::pair<std::string_view, Field Layer::*> field(std::string_view name, Field Layer::* member) {
  return {name, member};
}
template <class Layer, class... Fields>
[[nodiscard]] layer_form<Layer, Fields...> form(std::string_view name, Layer start,
                                                std::pair<std::string_view, Fields Layer::*>... fields) {
  return {name, std::move(start), {fields...}};
}

/// The form of each layer. A layer without one does not compile.
template <class Layer>
using kind = std::type_identity<Layer>;

inline auto form_of(kind<nn::input>) { return form("input", nn::input{}); }
template <class G>
auto form_of(kind<nn::conv2d<G>>) {
  using layer = nn::conv2d<G>;
  return form("conv2d", layer{}, field("input", &layer::input), field("weight", &layer::weight), field("bias", &layer::bias),
              field("geometry", &layer::geometry));
}
inline auto form_of(kind<nn::linear>) {
  using layer = nn::linear;
  return form("linear", layer{}, field("input", &layer::input), field("weight", &layer::weight), field("bias", &layer::bias));
}
inline auto form_of(kind<nn::batch_norm>) {
  using layer = nn::batch_norm;
  return form("batch_norm", layer{}, field("input", &layer::input), field("scale", &layer::scale), field("shift", &layer::shift),
              field("mean", &layer::mean), field("variance", &layer::variance), field("index", &layer::index),
              field("rectify", &layer::rectify), field("epsilon", &layer::epsilon), field("momentum", &layer::momentum));
}
inline auto form_of(kind<nn::relu>) { return form("relu", nn::relu{}, field("input", &nn::relu::input)); }
inline auto form_of(kind<nn::activation>) {
  return form("activation", nn::activation{}, field("input", &nn::activation::input),
              field("function", &nn::activation::function));
}
inline auto form_of(kind<nn::prelu>) {
  return form("prelu", nn::prelu{}, field("input", &nn::prelu::input), field("slope", &nn::prelu::slope));
}
template <class Layer>
auto form_of_two(std::string_view name) {
  return form(name, Layer{}, field("first", &Layer::first), field("second", &Layer::second));
}
inline auto form_of(kind<nn::multiply>) { return form_of_two<nn::multiply>("multiply"); }
inline auto form_of(kind<nn::subtract>) { return form_of_two<nn::subtract>("subtract"); }
inline auto form_of(kind<nn::divide>) { return form_of_two<nn::divide>("divide"); }
inline auto form_of(kind<nn::add>) {
  return form("add", nn::add{}, field("first", &nn::add::first), field("second", &nn::add::second),
              field("rectify", &nn::add::rectify));
}
inline auto form_of(kind<nn::leaf>) {
  return form("leaf", nn::leaf{}, field("tensor", &nn::leaf::tensor), field("is_buffer", &nn::leaf::is_buffer),
              field("extents", &nn::leaf::extents));
}
inline auto form_of(kind<nn::affine_constant>) {
  using layer = nn::affine_constant;
  return form("affine_constant", layer{}, field("input", &layer::input), field("factor", &layer::factor),
              field("offset", &layer::offset));
}
inline auto form_of(kind<nn::slice>) {
  return form("slice", nn::slice{}, field("input", &nn::slice::input), field("region", &nn::slice::region));
}
inline auto form_of(kind<nn::pad>) {
  return form("pad", nn::pad{}, field("input", &nn::pad::input), field("before", &nn::pad::before),
              field("after", &nn::pad::after), field("around", &nn::pad::around));
}
inline auto form_of(kind<nn::channel_shuffle>) {
  using layer = nn::channel_shuffle;
  return form("channel_shuffle", layer{}, field("input", &layer::input), field("groups", &layer::groups));
}
inline auto form_of(kind<nn::upsample_nearest>) {
  using layer = nn::upsample_nearest;
  return form("upsample_nearest", layer{0, 1}, field("input", &layer::input), field("factor", &layer::factor));
}
inline auto form_of(kind<nn::unflatten>) {
  return form("unflatten", nn::unflatten{}, field("input", &nn::unflatten::input), field("size", &nn::unflatten::size));
}
template <class W>
auto form_of(kind<nn::max_pool<W>>) {
  using layer = nn::max_pool<W>;
  return form("max_pool", layer{0, W{1, 1}}, field("input", &layer::input), field("window", &layer::window));
}
template <class W>
auto form_of(kind<nn::average_pool<W>>) {
  using layer = nn::average_pool<W>;
  return form("average_pool", layer{0, W{1, 1}}, field("input", &layer::input), field("window", &layer::window));
}
template <class W>
auto form_of(kind<nn::adaptive_average_pool<W>>) {
  using layer = nn::adaptive_average_pool<W>;
  return form("adaptive_average_pool", layer{0, 1}, field("input", &layer::input), field("size", &layer::size));
}
inline auto form_of(kind<nn::global_average_pool>) {
  return form("global_average_pool", nn::global_average_pool{}, field("input", &nn::global_average_pool::input));
}
inline auto form_of(kind<nn::flatten>) { return form("flatten", nn::flatten{}, field("input", &nn::flatten::input)); }
inline auto form_of(kind<nn::concat>) { return form("concat", nn::concat{}, field("images", &nn::concat::images)); }
inline auto form_of(kind<nn::subsample_pad>) {
  using layer = nn::subsample_pad;
  return form("subsample_pad", layer{}, field("input", &layer::input), field("stride", &layer::stride),
              field("channels", &layer::channels), field("before", &layer::before));
}

inline constexpr std::array<std::pair<activation_kind, std::string_view>, 11> activation_names{
    {{activation_kind::hardtanh, "hardtanh"},
     {activation_kind::leaky_relu, "leaky_relu"},
     {activation_kind::elu, "elu"},
     {activation_kind::silu, "silu"},
     {activation_kind::sigmoid, "sigmoid"},
     {activation_kind::hardswish, "hardswish"},
     {activation_kind::hardsigmoid, "hardsigmoid"},
     {activation_kind::gelu, "gelu"},
     {activation_kind::gelu_by_tanh, "gelu_by_tanh"},
     {activation_kind::tanh, "tanh"},
     {activation_kind::reciprocal, "reciprocal"}}};

/// Fields as JSON: numbers as they are, pairs and margins as lists, a missing bias or end as null.
struct field_writer {
  using json = nlohmann::ordered_json;

  template <class Plain>
  [[nodiscard]] json operator()(Plain const& value) const {
    return value;
  }
  [[nodiscard]] json operator()(std::optional<std::size_t> const& value) const { return value ? json(*value) : json(); }
  [[nodiscard]] json operator()(per_axis const& p) const { return {p.h, p.w}; }
  [[nodiscard]] json operator()(margins const& m) const { return {m.top, m.left, m.bottom, m.right}; }
  [[nodiscard]] json operator()(index_range const& r) const {
    return {r.start, r.stop == index_range::to_the_end ? json() : json(r.stop), r.step};
  }
  [[nodiscard]] json operator()(image_region const& r) const {
    return {(*this)(r.channels), (*this)(r.rows), (*this)(r.columns)};
  }
  [[nodiscard]] json operator()(activation_function const& f) const {
    for (auto const& [kind, name] : activation_names)
      if (kind == f.kind) return {name, bound(f.first), bound(f.second)};
    fail("an activation without a name cannot be described");
  }
  /// JSON has no infinity, which is where a clamp with one end has the other.
  [[nodiscard]] static json bound(double value) {
    if (std::isfinite(value)) return value;
    return value > 0 ? "inf" : "-inf";
  }
  template <class Geometry>
    requires requires(Geometry g) { g.groups; }
  [[nodiscard]] json operator()(Geometry const& g) const {
    return {{"kernel", (*this)(g.kernel)},
            {"stride", (*this)(g.stride)},
            {"padding", (*this)(g.padding)},
            {"dilation", (*this)(g.dilation)},
            {"groups", g.groups}};
  }
  template <class Window>
    requires requires(Window w) { w.ceil_mode; }
  [[nodiscard]] json operator()(Window const& w) const {
    return {{"kernel", (*this)(w.kernel)},
            {"stride", (*this)(w.stride)},
            {"padding", (*this)(w.padding)},
            {"ceil_mode", w.ceil_mode},
            {"count_include_pad", w.count_include_pad}};
  }
};

/// The same backwards. JSON of another kind throws what nlohmann throws.
struct field_reader {
  using json = nlohmann::ordered_json;

  template <class Plain>
  void operator()(json const& from, Plain& value) const {
    from.get_to(value);
  }
  void operator()(json const& from, std::size_t& value) const {
    if (!from.is_number_integer() || (!from.is_number_unsigned() && from.get<std::int64_t>() < 0))
      fail("a description holds ", from.dump(), " where a number from 0 on belongs");
    from.get_to(value);
  }
  void operator()(json const& from, std::optional<std::size_t>& value) const {
    if (from.is_null()) return value.reset();
    (*this)(from, value.emplace());
  }
  void operator()(json const& from, std::vector<std::size_t>& values) const {
    values.clear();
    for (auto const& each : from) (*this)(each, values.emplace_back());
  }
  void operator()(json const& from, per_axis& p) const { numbers(from, p.h, p.w); }
  void operator()(json const& from, margins& m) const { numbers(from, m.top, m.left, m.bottom, m.right); }
  void operator()(json const& from, index_range& r) const {
    (*this)(from.at(0), r.start);
    if (!from.at(1).is_null()) (*this)(from.at(1), r.stop);
    (*this)(from.at(2), r.step);
  }
  void operator()(json const& from, image_region& r) const { numbers(from, r.channels, r.rows, r.columns); }
  void operator()(json const& from, activation_function& f) const {
    auto const wanted = from.at(0).get<std::string>();
    for (auto const& [kind, name] : activation_names)
      if (name == wanted) {
        f.kind = kind;
        f.first = bound(from.at(1));
        f.second = bound(from.at(2));
        return;
      }
    fail("a description names the activation \"", wanted, "\", which this version does not know");
  }
  [[nodiscard]] static double bound(json const& from) {
    constexpr auto infinity = std::numeric_limits<double>::infinity();
    if (from == "inf") return infinity;
    return from == "-inf" ? -infinity : from.get<double>();
  }
  template <class Geometry>
    requires requires(Geometry g) { g.groups; }
  void operator()(json const& from, Geometry& g) const {
    (*this)(from.at("kernel"), g.kernel);
    (*this)(from.at("stride"), g.stride);
    (*this)(from.at("padding"), g.padding);
    (*this)(from.at("dilation"), g.dilation);
    (*this)(from.at("groups"), g.groups);
  }
  template <class Window>
    requires requires(Window w) { w.ceil_mode; }
  void operator()(json const& from, Window& w) const {
    (*this)(from.at("kernel"), w.kernel);
    (*this)(from.at("stride"), w.stride);
    (*this)(from.at("padding"), w.padding);
    (*this)(from.at("ceil_mode"), w.ceil_mode);
    (*this)(from.at("count_include_pad"), w.count_include_pad);
  }

 private:
  template <class... Values>
  void numbers(json const& from, Values&... values) const {
    std::size_t i = 0;
    ((*this)(from.at(i++), values), ...);
  }
};

}  // namespace lnpt::io::detail
