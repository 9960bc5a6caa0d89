#pragma once
/// Biases that a smaller network has and its exported program had not: they take up what masked channels still said.
#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/exported_program/draft.hpp>
#include <lnpt/io/exported_program/graph.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/smaller/sizes.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt::io::exported {

/// A bias for a layer that had none.
struct new_bias {
  std::string name;           ///< in the state_dict
  std::size_t parameter = 0;  ///< of the smaller network
  std::size_t call = 0;       ///< of the graph
  std::size_t tensor = 0;     ///< the program's, of the layer's weights
};

template <class Backend>
[[nodiscard]] std::vector<new_bias> new_biases(program const& source, draft<Backend> const& before, network<Backend>& smaller) {
  std::vector<new_bias> all;
  for (std::size_t i = 1; i < before.nodes().size(); ++i)
    std::visit(
        [&](auto const& rules) {
          if constexpr (requires { rules.bias; })
            if (rules.bias && *rules.bias >= before.parameters().size())
              all.push_back({smaller.parameters()[*rules.bias].name, *rules.bias, before.nodes()[i].call,
                             before.parameters()[rules.weight]});
        },
        smaller.nodes()[i].rules);
  auto const calls = source.graph().calls();
  for (auto const& each : all) {
    if (each.call < calls.size() && !calls[each.call].optional_tensor("weight"))
      detail::refuse_to_follow(source, calls[each.call].target(), " has no place for the bias ", each.name,
                               ", which takes up what masked channels say");
    if (std::ranges::find(source.tensors(), each.name, &stored_tensor::name) != source.tensors().end() ||
        std::ranges::count(all, each.name, &new_bias::name) > 1)
      detail::refuse_to_follow(source, "the name ", each.name, " of a bias that takes up what masked channels say is taken");
  }
  return all;
}

namespace detail {

/// What the graph calls a new parameter: names of values have no dots, and none is given twice.
[[nodiscard]] inline std::string value_name(std::string const& parameter, json const& values) {
  auto name = "p_" + parameter;
  std::ranges::replace(name, '.', '_');
  while (values.contains(name)) name += '_';
  return name;
}

/// Sizes and strides of a vector, for what is noted otherwise as of its weights.
[[nodiscard]] inline json vector_like(json about, std::size_t size) {
  about["sizes"] = json::array({{{"as_int", size}}});
  about["strides"] = json::array({{{"as_int", 1}}});
  about["storage_offset"] = {{"as_int", 0}};
  return about;
}

/// Inserts an element behind the first that `is_before` holds for.
template <class Before>
void insert_behind(json& list, Before is_before, json element) {
  auto const place = std::ranges::find_if(list, is_before);
  list.insert(place == list.end() ? place : place + 1, std::move(element));
}

}  // namespace detail

/// Adds a parameter of the graph behind the weights of its layer, and hands it to the call.
inline void add_new_bias(json& graph_module, new_bias const& bias, std::size_t size) {
  auto& graph = graph_module.at("graph");
  auto& node = graph.at("nodes").at(bias.call);
  auto const weight = call(node).tensor("weight");
  auto const value = detail::value_name(bias.name, graph.at("tensor_values"));
  json const reference{{"name", value}};
  graph.at("tensor_values")[value] = detail::vector_like(graph.at("tensor_values").at(weight), size);
  detail::insert_behind(graph.at("inputs"),
                        [&](json const& each) { return each.contains("as_tensor") && each.at("as_tensor").at("name") == weight; },
                        {{"as_tensor", reference}});
  detail::insert_behind(
      graph_module.at("signature").at("input_specs"),
      [&](json const& each) { return each.contains("parameter") && each.at("parameter").at("arg").at("name") == weight; },
      {{"parameter", {{"arg", reference}, {"parameter_name", bias.name}}}});
  auto& arguments = node.at("inputs");
  std::erase_if(arguments.get_ref<json::array_t&>(), [](json const& each) { return each.at("name") == "bias"; });
  auto argument = *std::ranges::find_if(arguments, [](json const& each) { return each.at("name") == "weight"; });
  argument["name"] = "bias";
  argument["arg"] = {{"as_tensor", reference}};
  detail::insert_behind(arguments, [](json const& each) { return each.at("name") == "weight"; }, std::move(argument));
}

/// Describes a new parameter among the tensors of the state_dict; the entry that holds it.
[[nodiscard]] inline std::string describe_new_bias(json& configuration, program const& source, new_bias const& bias,
                                                   std::size_t size) {
  auto& all = configuration.at("config");
  auto about = all.at(source.tensors()[bias.tensor].name);
  auto const folder = std::string(program::weights_entry).substr(0, std::string(program::weights_entry).rfind('/') + 1);
  auto number = all.size();
  auto const path = [&] { return "weight_" + std::to_string(number); };
  auto const is_taken = [&] {
    return source.archive().find(source.root() + folder + path()) != nullptr ||
           std::ranges::any_of(all, [&](json const& each) { return each.at("path_name") == path(); });
  };
  while (is_taken()) ++number;
  about["path_name"] = path();
  about["tensor_meta"] = detail::vector_like(about.at("tensor_meta"), size);
  all[bias.name] = about;
  return source.root() + folder + path();
}

}  // namespace lnpt::io::exported
