#pragma once
/// Which channels of a module are read where, found by running it with marked values and looking.
///
/// No table of operators stands in between: only the places where a weight meets its input are known. A pass without marks records what
/// every layer reads and gives. Each later pass cuts the network there: every layer gives what it gave before, but for the channels of one
/// producer, which are marked. A column of a layer that is not equal, bit for bit, to the pass without marks has read a marked channel.
/// Since what a cut layer computes is overwritten, it computes one sample alone, where its operator is one that takes samples one by one.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/torch/pass/execution.hpp>
#include <lnpt/torch/pass/guard.hpp>
#include <lnpt/torch/pass/norm_watch.hpp>
#include <lnpt/torch/pass/observer.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

namespace lnpt::detail {

/// One layer of a pass: where channels are read, and by what.
struct traced_layer {
  /// What a layer does with channels. A product or convolution makes new ones: the network is cut behind it. A depthwise convolution or a
  /// batch norm carries each on. Of any other layer, such as a recurrent one, lnpt does not know which weight reads which channel.
  enum class kind { product, carrier, opaque };

  kind what;
  std::string name;   ///< of the operator
  at::Tensor weight;  ///< undefined for batch norm
  /// One value per output channel: bias, or scale, shift, mean and variance of a norm. Of an opaque layer, all its parameters.
  std::vector<at::Tensor> carried;
  std::int64_t groups = 1;
  std::size_t row_axis = 0, column_axis = 1;  ///< of the weight
  std::int64_t in_axis = 1, out_axis = 1;     ///< of input and output
  bool bordered = false;                      ///< whether a convolution reads beyond its input, or is transposed
  at::Tensor input = {}, output = {};
  std::optional<std::int64_t> in_samples = std::nullopt, out_samples = std::nullopt;  ///< the axes that count samples, if known

  [[nodiscard]] std::int64_t inputs() const { return input.size(in_axis); }
  [[nodiscard]] std::int64_t outputs() const { return output.size(out_axis); }
};

/// What reads rows of a table, whose columns are the channels that it makes.
inline constexpr std::string_view table_operator = "aten::embedding";

[[nodiscard]] inline std::optional<traced_layer> table_of(operator_call const& call, parameter_table const& parameters) {
  auto const tables = tables_of(call, parameters);
  if (tables.empty()) return std::nullopt;
  traced_layer table{traced_layer::kind::product, std::string(call.name()), tables.front()->value, {}};
  table.row_axis = 1, table.column_axis = 0;
  table.input = call.tensor("indices");
  table.in_axis = table.input.dim() - 1;
  table.out_axis = -1;  // known with the output
  return table;
}

/// Whether an operator normalises each channel by itself, with tensors of one value per channel.
[[nodiscard]] constexpr bool normalises(std::string_view name) { return is_batch_norm(name) || name == "aten::instance_norm"; }

/// The layer that an operator is, without what it reads and gives; empty where the operator is none.
[[nodiscard]] inline std::optional<traced_layer> layer_of(operator_call const& call, parameter_table const& parameters) {
  using enum traced_layer::kind;
  if (normalises(call.name())) {
    traced_layer norm{carrier, std::string(call.name()), {}, {}};
    for (auto const* name : {"weight", "bias", "running_mean", "running_var"})
      if (auto const tensor = call.tensor(name); tensor.defined()) norm.carried.push_back(tensor);
    norm.input = call.tensor("input");
    return norm;
  }
  if (call.name() == table_operator) return table_of(call, parameters);
  auto uses = weight_uses_of(call, parameters);
  if (uses.empty()) return std::nullopt;
  auto const& use = uses.front();
  auto const has_rows = use.form == weight_form::convolution || (use.form != weight_form::other && use.operand.dim() == 2);
  auto const dense = has_rows && (use.is_whole() || use.is_transposed());
  traced_layer layer{dense ? product : opaque, std::string(call.name()), use.parameter->value, {}};
  layer.input = use.input;
  if (!dense) {
    for (auto const& each : uses) layer.carried.push_back(each.parameter->value);
    return layer;
  }
  auto const bias = call.tensor(call.name() == "aten::addmm" ? "self" : "bias");
  if (bias.defined()) layer.carried.push_back(bias);
  layer.row_axis = use.output_axis();
  layer.column_axis = 1 - layer.row_axis;
  if (use.form == weight_form::convolution) {
    layer.groups = use.convolution->groups;
    auto const beyond = [](std::int64_t padding) { return padding != 0; };
    layer.bordered = use.convolution->transposed || std::ranges::any_of(use.convolution->padding, beyond);
    if (layer.groups > 1 && layer.groups == use.input.size(1)) layer.what = carrier;
  } else {
    layer.in_axis = use.input.dim() - 1;
    layer.out_axis = -1;  // known with the output
  }
  return layer;
}

/// What a pass marks: some channels of what a weight makes, of the network's input, or some slices of a tensor.
struct channel_marks {
  at::Tensor producer;       ///< a weight; undefined where something else is marked
  at::Tensor where;          ///< bool [S, C] or, for all samples alike, [1, C]
  double deviation;          ///< of the noise that is added to them; NaN: NaN is put in their place
  at::Generator noise;       ///< of the host, so that the same is drawn for every device
  std::size_t row_axis = 0;  ///< of the weight: one that is used both ways round makes other channels each way
};

/// The values, with the marked channels replaced. `sample_axis` is empty where all samples are marked alike.
[[nodiscard]] inline at::Tensor with_marks(at::Tensor const& values, channel_marks const& marks, std::int64_t channel_axis,
                                           std::optional<std::int64_t> sample_axis) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(values.dim()), 1);
  sizes[static_cast<std::size_t>(channel_axis)] = marks.where.size(1);
  auto where = marks.where;
  if (sample_axis && where.size(0) > 1) {
    sizes[static_cast<std::size_t>(*sample_axis)] = where.size(0);
    if (*sample_axis > channel_axis) where = where.t();
  }
  auto const drawn = [&] {
    return at::randn(values.sizes(), marks.noise, values.options().device(at::kCPU).requires_grad(false)).to(values.device());
  };
  auto const mark = std::isnan(marks.deviation) ? at::full_like(values, marks.deviation) : values + drawn() * marks.deviation;
  return at::where(where.reshape(sizes), mark, values);
}

/// Which channels differ from those of the pass without marks, [S, C] or [1, C]. NaN differs from everything.
[[nodiscard]] inline at::Tensor changed_channels(at::Tensor const& found, at::Tensor const& expected, std::int64_t channel_axis,
                                                 std::optional<std::int64_t> sample_axis) {
  auto const changed = found.ne(expected);
  if (!sample_axis) return changed.movedim(channel_axis, 0).reshape({changed.size(channel_axis), -1}).any(1).unsqueeze(0);
  auto const front = changed.movedim({*sample_axis, channel_axis}, {0, 1});
  return front.reshape({front.size(0), front.size(1), -1}).any(2);
}

/// Watches a pass. Without `clean` it records the layers; with it, it cuts the network behind each and marks what it is told.
class channel_tap : public operator_observer {
 public:
  channel_tap(model_layout const& layout, std::vector<traced_layer> const* clean, channel_marks const* marks, bool by_sample)
      : parameters_(layout), clean_(clean), marks_(marks), by_sample_(by_sample) {}

  [[nodiscard]] std::vector<traced_layer>& layers() { return layers_; }
  /// For each layer, the channels it read that differ.
  [[nodiscard]] std::vector<at::Tensor> const& changed() const { return changed_; }
  /// Whether the pass took other layers than the one without marks.
  [[nodiscard]] bool strayed() const { return strayed_ || (clean_ && at_ != clean_->size()); }

 private:
  struct running : at::ObserverContext {
    std::optional<traced_layer> layer;
    std::size_t at = 0;
    std::optional<storage_guard> one_sample;  ///< while the operator runs, all that it reads
  };

  [[nodiscard]] std::unique_ptr<at::ObserverContext> start(at::RecordFunction const& record) override {
    std::string_view const name = record.name();
    if (!normalises(name) && name != table_operator && !multiplies(name)) return nullptr;
    auto context = std::make_unique<running>();
    if (depth_++ == 0) context->layer = layer_of(operator_call(record), parameters_);
    if (!context->layer || strayed_) return context;
    auto& layer = *context->layer;
    context->at = at_++;
    at::NoGradGuard const plain;
    if (clean_) {
      read(context->at, layer);
      if (!strayed_ && takes_samples_one_by_one((*clean_)[context->at]))
        context->one_sample.emplace().replace(layer.input, layer.input.narrow(0, 0, 1));
    } else if (layer.input.defined()) {
      layer.input = layer.input.clone();  // before anything is changed in place
    }
    return context;
  }

  /// Whether a layer is cut, and what it makes of the first entry of its input's first axis is the first entry of all that it makes.
  [[nodiscard]] static bool takes_samples_one_by_one(traced_layer const& was) {
    auto const in_order = was.name.ends_with("convolution") || (was.name == "aten::linear" && was.input.dim() > 1);
    return was.what == traced_layer::kind::product && in_order && was.input.size(0) > 1;
  }

  void read(std::size_t at, traced_layer const& layer) {
    if (at >= clean_->size() || !(*clean_)[at].weight.is_same(layer.weight) ||
        (layer.input.defined() && !layer.input.sizes().equals((*clean_)[at].input.sizes()))) {
      strayed_ = true;
      return;
    }
    auto const& was = (*clean_)[at];
    changed_.push_back(layer.input.defined()
                           ? changed_channels(layer.input, was.input, std::min(was.in_axis, layer.input.dim() - 1),
                                              by_sample_ ? was.in_samples : std::nullopt)
                           : at::zeros({1, 1}, at::kBool));
  }

  void end(at::RecordFunction const& record, at::ObserverContext& context) override {
    --depth_;
    auto& done = static_cast<running&>(context);
    auto const alone = done.one_sample.has_value();
    done.one_sample.reset();
    auto const results = operator_call(record).results();
    if (!done.layer || strayed_ || results.empty() || !results[0].isTensor()) return;
    auto output = results[0].toTensor();
    at::NoGradGuard const plain;
    if (!clean_) {
      auto& layer = *done.layer;
      if (layer.out_axis < 0) layer.out_axis += output.dim();
      layer.output = output.clone();
      layers_.push_back(std::move(layer));
      return;
    }
    auto const& was = (*clean_)[done.at];
    if (!output.sizes().slice(alone).equals(was.output.sizes().slice(alone))) {
      strayed_ = true;
    } else if (was.what == traced_layer::kind::product) {
      if (alone) output.set_data(at::empty_like(was.output));
      auto const marked =
          marks_ && marks_->producer.defined() && marks_->producer.is_same(was.weight) && marks_->row_axis == was.row_axis;
      output.copy_(marked ? with_marks(was.output, *marks_, was.out_axis, was.out_samples) : was.output);
    }
  }

  parameter_table parameters_;
  std::vector<traced_layer> const* clean_;
  channel_marks const* marks_;
  bool by_sample_;
  std::vector<traced_layer> layers_;
  std::vector<at::Tensor> changed_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool strayed_ = false;
};

}  // namespace lnpt::detail
