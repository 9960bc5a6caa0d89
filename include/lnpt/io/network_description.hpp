#pragma once
/// Networks of the library's own engine as JSON, and as a safetensors file that carries its own description.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/io/json_fault.hpp>
#include <lnpt/io/layer_forms.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/nn/initial_values.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/structure/shapes.hpp>

namespace lnpt::io {

/// The line of metadata that holds the description.
inline constexpr char const* description_key = "arch";

namespace detail {

inline constexpr std::array<std::pair<role, std::string_view>, 9> role_names{{{role::weight, "weight"},
                                                                              {role::classifier_weight, "classifier_weight"},
                                                                              {role::bias, "bias"},
                                                                              {role::norm_scale, "norm_scale"},
                                                                              {role::norm_shift, "norm_shift"},
                                                                              {role::running_mean, "running_mean"},
                                                                              {role::running_variance, "running_variance"},
                                                                              {role::leaf, "leaf"},
                                                                              {role::constant, "constant"}}};

template <class Views>
[[nodiscard]] nlohmann::ordered_json described_tensors(Views const& views) {
  auto result = nlohmann::ordered_json::array();
  for (auto const& each : views)
    for (auto const& [role, name] : role_names)
      if (role == each.role) result.push_back({{"name", each.name}, {"role", name}, {"shape", shape_of(*each.value)}});
  return result;
}

/// Builds a network from its description, checking what a hand or another program may have written.
template <class Backend>
class description_reader {
 public:
  using json = nlohmann::ordered_json;
  using layer = typename network<Backend>::layer;

  description_reader(json const& from, std::uint64_t seed) : seed_(seed) {
    add_tensors(from.at("parameters"),
                [&](std::string name, role r, auto values) { result_.add_parameter(std::move(name), r, std::move(values)); });
    add_tensors(from.at("buffers"),
                [&](std::string name, role r, auto values) { result_.add_buffer(std::move(name), r, std::move(values)); });
    for (auto const& node : from.at("nodes")) add_node(node);
    std::size_t features = 0;
    field_reader{}(from.at("features"), features);
    if (features >= result_.nodes().size())
      fail("a description names node ", features, " as its features, of ", result_.nodes().size());
    result_.set_features(features);
    field_reader{}(from.at("input"), input_);
    check_shapes();
  }
  [[nodiscard]] std::pair<network<Backend>, shape> take() && { return {std::move(result_), std::move(input_)}; }

 private:
  static constexpr std::uint64_t most_elements = std::min<std::uint64_t>(std::uint64_t{1} << 34, std::size_t{0} - 1);

  template <class Add>
  void add_tensors(json const& from, Add add) {
    for (auto const& each : from) {
      shape extents;
      field_reader{}(each.at("shape"), extents);
      std::uint64_t size = 1;
      for (auto const extent : extents) {
        if (extent == 0 || extent > most_elements / size)
          fail("a description gives ", each.at("name").dump(), " the shape ", list(extents));
        size *= extent;
      }
      auto const wanted = each.at("role").get<std::string>();
      auto const found = std::ranges::find(role_names, wanted, &std::pair<role, std::string_view>::second);
      auto name = each.at("name").get<std::string>();
      if (found == role_names.end())
        fail("a description gives ", name, " the role \"", wanted, "\", which this version does not know");
      if (!names_.insert(name).second) fail("a description names two tensors ", name);
      add(std::move(name), found->first, nn::initial_values<Backend>(found->first, extents, seed_, tensors_++));
    }
  }

  void add_node(json const& from) {
    auto const kind = from.at("layer").get<std::string>();
    auto rules = read_layer(from, kind, std::make_index_sequence<std::variant_size_v<layer>>());
    auto const nodes = result_.nodes().size();
    auto const parameters = result_.parameters().size();
    for (auto const i : nn::inputs_of(rules))
      if (i >= nodes) fail("node ", nodes, " of a description reads node ", i, ", which does not come before it");
    for (auto const p : nn::parameters_of(rules))
      if (p >= parameters) fail("node ", nodes, " of a description owns parameter ", p, " of ", parameters);
    auto const buffers = result_.buffers().size();
    for (auto const b : nn::buffers_of(rules))
      if (b >= buffers) fail("node ", nodes, " of a description reads buffer ", b, " of ", buffers);
    if (auto const* const norm = std::get_if<nn::batch_norm>(&rules); norm && norm->index != norms_++)
      fail("node ", nodes, " of a description is batch norm ", norm->index, ", which is out of order");
    result_.add_node(from.at("name").get<std::string>(), std::move(rules));
  }

  template <std::size_t... I>
  [[nodiscard]] static layer read_layer(json const& from, std::string const& kind_name, std::index_sequence<I...>) {
    std::optional<layer> result;
    auto const try_kind = [&](auto const& form) {
      if (form.name != kind_name || kind_name == "input") return;
      auto rules = form.start;
      form.for_each(rules, [&](std::string_view name, auto& member) {
        if (name == "momentum" && !from.contains(name)) return;  // older descriptions have none
        field_reader{}(from.at(std::string(name)), member);
      });
      result = std::move(rules);
    };
    (try_kind(form_of(kind<std::variant_alternative_t<I, layer>>{})), ...);
    if (!result) fail("a description holds a layer \"", kind_name, "\", which this version does not know");
    return std::move(*result);
  }

  /// Runs one input of zeros: layers whose shapes do not fit say so.
  void check_shapes() {
    if (result_.nodes().size() < 2 || (input_.size() != 1 && input_.size() != 3))
      fail("a description needs layers, and an input [C, H, W] or [F]");
    auto extents = input_;
    extents.insert(extents.begin(), 1);
    (void)result_.predict(Backend::constant(extents, 0, typename Backend::context{}));
  }

  network<Backend> result_;
  shape input_;
  std::set<std::string> names_;
  std::uint64_t seed_;
  std::uint64_t tensors_ = 0;
  std::size_t norms_ = 0;
};

}  // namespace detail

/// Layers, their connections and the shapes of all tensors of a network for inputs [C, H, W] or [F]; no values.
template <class Network>
[[nodiscard]] nlohmann::ordered_json describe(Network& network, shape const& input) {
  nlohmann::ordered_json result{{"lnpt_network", 1}, {"input", input}, {"features", network.features_node()}};
  result["parameters"] = detail::described_tensors(network.parameters());
  result["buffers"] = detail::described_tensors(network.buffers());
  result["nodes"] = nlohmann::ordered_json::array();
  for (std::size_t i = 1; i < network.nodes().size(); ++i) {
    auto const& node = network.nodes()[i];
    nlohmann::ordered_json fields{{"name", node.name}};
    std::visit(
        [&]<class Layer>(Layer const& rules) {
          auto const form = detail::form_of(detail::kind<Layer>{});
          fields["layer"] = form.name;
          form.for_each(rules, [&](std::string_view name, auto const& member) {
            fields[std::string(name)] = detail::field_writer{}(member);
          });
        },
        node.rules);
    result["nodes"].push_back(std::move(fields));
  }
  return result;
}

/// The network of a description, its weights drawn from `seed` as a builder draws them, and the shape of its inputs. Throws
/// `lnpt::error` where the description is not one, or its shapes do not fit together.
template <class Backend>
[[nodiscard]] std::pair<network<Backend>, shape> build_network(nlohmann::ordered_json const& description,
                                                               std::uint64_t seed = 0) {
  try {
    if (description.at("lnpt_network") != 1)
      fail("this description is of version ", description.at("lnpt_network").dump(), ": this version of lnpt reads 1");
    return detail::description_reader<Backend>(description, seed).take();
  } catch (nlohmann::json::exception const& reason) {
    fail("this is no description of a network, since it ", json_fault(reason),
         ": pass what describe() or `lnpt prune --shrink` wrote");
  }
}

/// The description in a text. Throws `lnpt::error` where that is no JSON.
[[nodiscard]] inline nlohmann::ordered_json parse_description(std::string_view text) {
  auto result = nlohmann::ordered_json::parse(text, nullptr, false);
  if (result.is_discarded()) fail("this is no description of a network: it is not JSON");
  return result;
}

/// Writes the network and its masks, with its description among the metadata, so that the file alone brings it back.
template <class Network>
void save_network(Network& network, shape const& input, std::filesystem::path const& path, mask_set const& masks = {}) {
  safetensors::writer writer;
  add_state_dict(writer, network, masks);
  writer.metadata(description_key, describe(network, input).dump());
  writer.save(path);
}

/// The network of such a file, and the shape of its inputs.
template <class Backend>
[[nodiscard]] std::pair<network<Backend>, shape> load_network(std::filesystem::path const& path) {
  auto const file = safetensors::open(path);
  auto const found = file.metadata().find(description_key);
  if (found == file.metadata().end() || !found->second.starts_with('{'))
    fail(file.name(), " holds no description of its network: pass a file that save_network or `lnpt prune --shrink` wrote");
  auto result = build_network<Backend>(parse_description(found->second));
  load_state_dict(result.first, file);
  return result;
}

}  // namespace lnpt::io
