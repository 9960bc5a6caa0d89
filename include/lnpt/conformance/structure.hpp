#pragma once
/// What every other check relies on: names, counts and shapes.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <lnpt/conformance/examination.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt::conformance {

namespace detail {

/// Names and shapes of all parameters and buffers, as text.
template <prunable Model>
[[nodiscard]] std::vector<std::string> table_of(Model& model) {
  std::vector<std::string> table;
  for (auto const& p : model.parameters()) table.push_back(p.name + " " + list(shape_of(*p.value)));
  for (auto const& b : buffers_of(model)) table.push_back(b.name + " " + list(shape_of(*b.value)));
  return table;
}

template <class Model>
void examine_names(Model& model, findings& found) {
  std::set<std::string> names;
  std::size_t prunable_parameters = 0;
  auto const examine = [&](auto const& p) {
    if (p.name.empty()) found.add("names", "a parameter or buffer has no name");
    if (!names.insert(p.name).second) found.add("names", p.name, " names two parameters or buffers: masks and files go by name");
  };
  for (auto const& p : model.parameters()) {
    examine(p);
    if (!is_prunable(p.role)) continue;
    ++prunable_parameters;
    if (auto const axes = shape_of(*p.value).size(); p.output_axis >= axes && p.output_axis != unknown_axis)
      found.add("shapes", p.name, " has ", axes, " axes and its output_axis is ", p.output_axis);
  }
  for (auto const& b : buffers_of(model)) examine(b);
  if (prunable_parameters == 0) found.add("names", "no parameter has the role of a weight, so there is nothing to prune");
  if (table_of(model) != table_of(model)) found.add("names", "parameters() gives other names or shapes the second time");
}

/// One entry per parameter, each in the parameter's shape.
template <class Model>
void examine_gradient_shapes(Model& model, std::string_view source, gradients<tensor_of<Model>> const& g, findings& found) {
  try {
    static_cast<void>(lnpt::detail::checked_gradients(model, source, g));
  } catch (error const& e) {
    found.add("shapes", e.what());
  }
}

template <class T>
void examine_rows(std::string_view what, T const& t, std::size_t samples, findings& found) {
  auto const extents = shape_of(t);
  if (extents.size() != 2 || extents[0] != samples)
    found.add("shapes", what, " is ", list(extents), " for ", samples, " samples: give [samples, width]");
}

}  // namespace detail

/// Names that are unique and stable, one gradient per parameter in its shape, one row of output and features per sample.
template <differentiable Model>
void examine_structure(Model& model, labelled_batch<tensor_of<Model>> const& batch, findings& found) {
  using T = tensor_of<Model>;
  detail::examine_names(model, found);
  auto const samples = sample_count(batch);
  normalization const norm{norm_mode::eval};
  auto trace = model.forward(batch.input, norm);
  detail::examine_rows("output()", trace.output(), samples, found);
  if constexpr (has_features<Model>) detail::examine_rows("features()", trace.features(), samples, found);
  cotangents<T> const slope{trace.output(), std::nullopt};
  for (auto const which : {which_gradients::all, which_gradients::prunable})
    detail::examine_gradient_shapes(model, "backward()", model.backward(trace, slope, which), found);
  if constexpr (squares_per_sample<Model>)
    detail::examine_gradient_shapes(model, "sample_squared_gradients()", model.sample_squared_gradients(trace, slope), found);
  if constexpr (has_synaptic_flow<Model>) {
    auto one = shape_of(batch.input);
    one.at(0) = 1;
    detail::examine_gradient_shapes(model, "synaptic_flow()", model.synaptic_flow(one), found);
  }
}

}  // namespace lnpt::conformance
