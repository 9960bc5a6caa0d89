#pragma once
/// The atoms of any module of LibTorch, found by running it.
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/structure/atoms.hpp>
#include <lnpt/structure/union_find.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/structure/channel_tracer.hpp>

namespace lnpt {

namespace detail {

/// Joins what lives or dies together in a module. Elements are the slices of its tensors along every axis, and the reasons for staying.
class module_coupling {
 public:
  module_coupling(torch_network& network, at::Tensor const& example)
      : tracer_(network, example), computed_(computed_by_hooks(network.tree)) {
    list_tensors(network);
    for (auto const& layer : tracer_.layers()) couple_layer(layer);
    for (auto const& layer : tracer_.layers())
      if (layer.what == traced_layer::kind::product && traced_[number_of(layer.weight)].insert(layer.row_axis).second)
        couple_producer(layer);
    couple_input();
    for (std::size_t t = 0; t < tensors_.size(); ++t)
      if (!in_layers_[t]) couple_slices(t);
    name_atoms();
  }

  [[nodiscard]] atom_set take() && { return std::move(set_); }

 private:
  enum reason : std::size_t { entering, returned, opaque, frozen, reason_count };
  static constexpr std::array reasons{"its channels are joined with the network's input", "its channels are returned",
                                      "its channels meet a layer whose axes lnpt does not know, such as a recurrent one",
                                      "its channels meet a frozen parameter"};

  void list_tensors(torch_network& network) {
    auto const add = [&](std::string const& name, at::Tensor const& value, lnpt::role role) {
      if (value.dim() == 0 || !at::isFloatingType(value.scalar_type()) ||
          !numbers_.emplace(value.unsafeGetTensorImpl(), tensors_.size()).second)
        return;
      set_.tensors.push_back({name, {value.sizes().begin(), value.sizes().end()}, role});
      tensors_.push_back(value);
      auto& first = slices_.emplace_back();
      for (auto const size : value.sizes()) first.push_back(sets_.add(static_cast<std::size_t>(size)));
    };
    for (auto const& held : network.layout.parameters) add(held.name, held.value, held.role);
    auto const trained = tensors_.size();
    for (auto const& held : network.layout.frozen) add(held.name, held.value, held.role);
    parameters_ = tensors_.size();
    for (auto const& entry : network.tree)
      for (auto const& buffer : entry.buffers())
        add(joined(entry.path, buffer.name), buffer.value,
            buffer.name == "running_var" ? role::running_variance : role::running_mean);
    reasons_ = sets_.add(reason_count);
    in_layers_.resize(tensors_.size());
    traced_.resize(tensors_.size());
    roles_.resize(tensors_.size());
    for (std::size_t t = 0; t < tensors_.size(); ++t) roles_[t].resize(set_.tensors[t].extents.size(), slice_role::other);
    for (auto t = trained; t < parameters_; ++t)
      for (std::size_t axis = 0; axis < slices_[t].size(); ++axis)
        for (std::size_t i = 0; i < set_.tensors[t].extents[axis]; ++i) sets_.join(slice(t, axis, i), reasons_ + frozen);
  }

  [[nodiscard]] std::size_t slice(std::size_t tensor, std::size_t axis, std::size_t i) const { return slices_[tensor][axis] + i; }
  [[nodiscard]] std::size_t number_of(at::Tensor const& tensor) const { return numbers_.at(tensor.unsafeGetTensorImpl()); }
  [[nodiscard]] static std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }

  /// What a layer keeps together by itself: row and bias of a channel; a channel of every group; everything of a carried channel.
  void couple_layer(traced_layer const& layer) {
    using enum traced_layer::kind;
    if (layer.weight.defined()) in_layers_[number_of(layer.weight)] = 1;
    if (layer.what == opaque) return pin_parameters(layer);
    auto const outputs = count(layer.outputs());
    auto const groups = count(layer.groups);
    if (layer.what == product) {
      auto const t = number_of(layer.weight);
      roles_[t][layer.row_axis] = slice_role::row;
      if (roles_[t][layer.column_axis] != slice_role::row) roles_[t][layer.column_axis] = slice_role::column;
      set_.tensors[t].uses +=
          count(layer.output.numel() * layer.groups / std::max<std::int64_t>(1, layer.outputs() * layer.output.size(0))) / groups;
      for (std::size_t axis = 0; axis < 2 && groups > 1; ++axis) {
        auto const whole = axis == layer.row_axis ? outputs : count(layer.inputs());
        for (std::size_t i = 0; i < set_.tensors[t].extents[axis]; ++i)
          sets_.join(slice(t, axis, i), slice(t, axis, i % (whole / groups)));
      }
    }
    for (std::size_t r = 0; r < outputs; ++r) {
      for (auto const& each : layer.carried) join_carried(each, layer, r);
      if (layer.what == carrier && layer.weight.defined() && r < set_.tensors[number_of(layer.weight)].extents[0])
        sets_.join(slice(number_of(layer.weight), 0, r),
                   channel(layer, layer.row_axis == 0 ? r * count(layer.inputs()) / outputs : r));
    }
  }

  void pin_parameters(traced_layer const& layer) {
    for (auto const& each : layer.carried) {
      auto const t = number_of(each);
      in_layers_[t] = 1;
      for (std::size_t axis = 0; axis < slices_[t].size(); ++axis)
        for (std::size_t i = 0; i < set_.tensors[t].extents[axis]; ++i)
          sets_.join(slice(t, axis, i), reasons_ + module_coupling::opaque);
    }
  }

  /// The element of a channel that a layer makes or carries on.
  [[nodiscard]] std::size_t channel(traced_layer const& layer, std::size_t c) {
    if (layer.what == traced_layer::kind::product)
      return slice(number_of(layer.weight), layer.row_axis, c % set_.tensors[number_of(layer.weight)].extents[layer.row_axis]);
    auto& first = carried_[&layer];
    if (first == 0) first = sets_.add(count(layer.inputs())) + 1;
    return first - 1 + c;
  }

  void join_carried(at::Tensor const& tensor, traced_layer const& layer, std::size_t r) {
    auto const c = layer.what == traced_layer::kind::carrier ? r * count(layer.inputs()) / count(layer.outputs()) : r;
    auto const found = numbers_.find(tensor.unsafeGetTensorImpl());
    if (found == numbers_.end() || tensor.dim() != 1) {
      sets_.join(channel(layer, c), reasons_ + opaque);  // a computed bias
      return;
    }
    in_layers_[found->second] = 1;
    sets_.join(slice(found->second, 0, r), channel(layer, c));
  }

  /// The element of column `k` of a layer: of a weight's column, or of the channel that is carried on.
  [[nodiscard]] std::size_t column(traced_layer const& layer, std::size_t k) {
    if (layer.what == traced_layer::kind::opaque) return reasons_ + opaque;
    if (layer.what == traced_layer::kind::carrier) return channel(layer, k);
    auto const t = number_of(layer.weight);
    return slice(t, layer.column_axis, k % set_.tensors[t].extents[layer.column_axis]);
  }

  [[nodiscard]] static at::Tensor on_host(at::Tensor const& t) { return t.to(at::kCPU).contiguous(); }

  /// Calls `meet(c, element)` for every column that reads channel c.
  template <class Meet>
  void for_each_reader(channel_relation const& relation, Meet meet) {
    for (std::size_t i = 0; i < relation.read.size(); ++i) {
      if (!relation.read[i].defined()) continue;
      at::Tensor const pairs = on_host(relation.read[i].nonzero());
      auto const* const at = pairs.data_ptr<std::int64_t>();
      for (std::int64_t n = 0; n < pairs.size(0); ++n) meet(count(at[2 * n + 1]), column(tracer_.layers()[i], count(at[2 * n])));
    }
    at::Tensor const reached = on_host(relation.returned);
    for (std::int64_t c = 0; c < reached.numel(); ++c)
      if (reached.data_ptr<bool>()[c]) meet(count(c), reasons_ + returned);
  }

  void couple_producer(traced_layer const& layer) {
    for_each_reader(tracer_.of_producer(layer),
                    [&](std::size_t c, std::size_t element) { sets_.join(channel(layer, c), element); });
  }

  void couple_input() {
    for_each_reader(tracer_.of_input(), [&](std::size_t, std::size_t element) {
      if (element != reasons_ + returned) sets_.join(element, reasons_ + entering);
    });
  }

  /// A parameter or buffer that no layer holds: a slice of it goes with an atom that alone reads what the slice says.
  void couple_slices(std::size_t t) {
    for (std::size_t axis = 0; axis < slices_[t].size(); ++axis) {
      auto const extent = set_.tensors[t].extents[axis];
      if (extent < 2) continue;
      std::vector<std::vector<std::size_t>> met(extent);
      for_each_reader(tracer_.of_slices(tensors_[t], static_cast<std::int64_t>(axis)),
                      [&](std::size_t i, std::size_t element) { met[i].push_back(element); });
      for (std::size_t i = 0; i < extent; ++i) {
        if (met[i].empty()) continue;
        auto const first = sets_.find(met[i].front());
        if (std::ranges::all_of(met[i], [&](std::size_t each) { return sets_.find(each) == first; }))
          sets_.join(slice(t, axis, i), first);
      }
    }
  }

  void name_atoms() {
    std::map<std::size_t, atom> found;
    for (std::size_t t = 0; t < slices_.size(); ++t)
      for (std::size_t axis = 0; axis < slices_[t].size(); ++axis)
        for (std::size_t i = 0; i < set_.tensors[t].extents[axis]; ++i)
          add_slice(found[sets_.find(slice(t, axis, i))], t, axis, i);
    std::map<std::size_t, std::string> why;
    for (std::size_t r = 0; r < reason_count; ++r) why.emplace(sets_.find(reasons_ + r), reasons[r]);
    for (auto& [root, each] : found) {
      auto const has = [&](slice_role role) { return std::ranges::count(each.slices, role, &tensor_slices::role) != 0; };
      if (auto const pinned = why.find(root); pinned != why.end())
        explain(each, pinned->second);
      else if (!has(slice_role::column))
        explain(each, "nothing reads its channels");
      else if (has(slice_role::row))
        set_.atoms.push_back(std::move(each));
    }
    name_unseen();
    std::ranges::sort(set_.atoms, {}, [](atom const& each) {
      auto const& first = each.slices.front();
      return std::pair(first.tensor, std::pair(first.axis, first.indices.front()));
    });
  }

  /// Parameters that no layer was seen to multiply by: a weight is computed of them, or they took no part.
  void name_unseen() {
    std::vector<char> seen = in_layers_;
    for (auto const& each : set_.atoms)
      for (auto const& slices : each.slices) seen[slices.tensor] = 1;
    for (std::size_t t = 0; t < parameters_; ++t) {
      auto const& name = set_.tensors[t].name;
      if (seen[t] || set_.tensors[t].extents.size() < 2) continue;
      auto const computed = std::ranges::find(computed_, name, &computed_parameter::name);
      set_.whole.push_back({name, computed != computed_.end()
                                      ? computed->text()
                                      : "no layer is seen to multiply by it: a weight is computed of it, or it never ran"});
    }
  }

  void add_slice(atom& to, std::size_t tensor, std::size_t axis, std::size_t i) const {
    if (to.slices.empty() || to.slices.back().tensor != tensor || to.slices.back().axis != axis)
      to.slices.push_back({tensor, axis, roles_[tensor][axis], {}});
    to.slices.back().indices.push_back(i);
  }

  void explain(atom const& pinned, std::string const& why) {
    for (auto const& each : pinned.slices) {
      auto const& name = set_.tensors[each.tensor].name;
      auto const known = [&](whole_tensor const& w) { return w.name == name && w.reason == why; };
      if (each.role == slice_role::row && std::ranges::none_of(set_.whole, known)) set_.whole.push_back({name, why});
    }
  }

  channel_tracer tracer_;
  std::vector<computed_parameter> computed_;
  atom_set set_;
  union_find sets_;
  std::vector<at::Tensor> tensors_;
  std::unordered_map<void const*, std::size_t> numbers_;  ///< tensor → its place in `tensors_`
  std::vector<std::vector<std::size_t>> slices_;          ///< tensor, axis → its first element
  std::vector<std::vector<slice_role>> roles_;            ///< tensor, axis
  std::vector<char> in_layers_;                           ///< whether layers hold a tensor
  std::vector<std::set<std::size_t>> traced_;  ///< the axes of a weight whose rows were traced: two where it is used both ways
  std::unordered_map<traced_layer const*, std::size_t> carried_;
  std::size_t reasons_ = 0, parameters_ = 0;
};

}  // namespace detail

/// The atoms of a module, for inputs such as `example` (a batch of one sample or more): no operator needs to be known but those that a
/// weight meets its input in.
///
/// Never removed: what is returned, what nothing is seen to read, what is joined with the input, what meets a frozen parameter or a
/// layer whose axes are not known. Costs three passes for each weight, of 2⌈log₂C⌉ samples. Throws `lnpt::error` where two passes on the
/// same input differ, or take different layers.
template <std::floating_point Scalar>
[[nodiscard]] atom_set module_atoms(torch_model<Scalar>& model, at::Tensor const& example) {
  return model.on_network(
      example, [&](detail::torch_network& network) { return detail::module_coupling(network, example.detach()).take(); });
}

}  // namespace lnpt
