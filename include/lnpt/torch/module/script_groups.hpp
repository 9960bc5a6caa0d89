#pragma once
/// The groups of depthwise convolutions and group norms in the code of a script, which have to follow the channels that are left.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// The depthwise convolutions and group norms of a script, as it was compiled: a number of groups is a constant of its code, and equal
/// layers share one class and so one constant.
///
/// `follow` gives the script another forward method: the same code with all calls inlined, where every such layer has a constant of its
/// own. Saved files hold that code. The method before stays as it was, for whoever takes it back.
class script_groups {
 public:
  explicit script_groups(torch::jit::Module module) : module_(std::move(module)) {
    auto const method = module_.find_method("forward");
    if (!method) return;
    inlined_ = method->graph()->copy();
    inline_calls();
    for_each_call(*inlined_->block(), [this](torch::jit::Node& call, std::size_t groups) { note(call, groups); });
  }

  /// Sets the groups by the tensors that the script holds now. Returns what takes that back.
  [[nodiscard]] std::function<void()> follow() {
    auto changed = false;
    for (auto const& each : grouped_) changed = changed || (each && each->groups() != each->written);
    if (!changed) return [] {};
    auto const graph = inlined_->copy();
    std::size_t at = 0;
    for_each_call(*graph->block(), [&](torch::jit::Node& call, std::size_t groups) {
      if (auto const& each = grouped_[at++]) {
        torch::jit::WithInsertPoint const here(&call);
        call.replaceInput(groups, graph->insertConstant(each->groups()));
      }
    });
    return install(graph);
  }

 private:
  struct grouped {
    at::Tensor weight;
    std::int64_t written;        ///< groups in the code
    std::int64_t rows_of_group;  ///< of the weight

    [[nodiscard]] std::int64_t groups() const { return weight.size(0) / rows_of_group; }
  };

  /// One pass may leave the calls inside of what it put in place of a call.
  void inline_calls() {
    constexpr int deepest = 64;
    for (int depth = 0; depth < deepest && calls(*inlined_->block()); ++depth) torch::jit::Inline(*inlined_);
    torch::jit::EliminateDeadCode(inlined_);
  }

  [[nodiscard]] static bool calls(torch::jit::Block& block) {
    return std::ranges::any_of(block.nodes(), [](torch::jit::Node* node) {
      return node->kind() == torch::jit::prim::CallMethod || node->kind() == torch::jit::prim::CallFunction ||
             std::ranges::any_of(node->blocks(), [](torch::jit::Block* inner) { return calls(*inner); });
    });
  }

  /// Calls `visit(call, place of its groups)` for every call of a convolution or group norm.
  template <class Visit>
  static void for_each_call(torch::jit::Block& block, Visit const& visit) {
    for (auto* const node : block.nodes()) {
      for (auto* const inner : node->blocks()) for_each_call(*inner, visit);
      auto const* const schema = node->maybeSchema();
      if (schema == nullptr || !schema->argumentIndexWithName("weight")) continue;
      for (auto const* const name : {"groups", "num_groups"})
        if (auto const groups = schema->argumentIndexWithName(name)) visit(*node, static_cast<std::size_t>(*groups));
    }
  }

  void note(torch::jit::Node& call, std::size_t groups) {
    auto& found = grouped_.emplace_back();
    auto const written = torch::jit::toIValue(call.input(groups));
    auto const place = call.maybeSchema()->argumentIndexWithName("weight");
    auto const weight = attribute(*call.input(static_cast<std::size_t>(*place)));
    if (!written || !written->isInt() || !weight || !weight->isTensor()) return;
    auto const number = written->toInt();
    auto const& tensor = weight->toTensor();
    auto const follows = tensor.dim() == 1 || (tensor.dim() > 1 && (tensor.size(1) == 1 || tensor.size(0) == number));
    if (number > 1 && follows && tensor.size(0) % number == 0) found = grouped{tensor, number, tensor.size(0) / number};
  }

  /// What a chain of attributes of the script, such as self.body.weight, holds.
  [[nodiscard]] std::optional<at::IValue> attribute(torch::jit::Value const& value) const {
    auto const* const node = value.node();
    if (&value == inlined_->inputs().at(0)) return module_._ivalue();
    if (node->kind() != torch::jit::prim::GetAttr) return std::nullopt;
    auto const of = attribute(*node->input());
    if (!of || !of->isObject()) return std::nullopt;
    return of->toObject()->getAttr(node->s(torch::jit::attr::name));
  }

  [[nodiscard]] std::function<void()> install(std::shared_ptr<torch::jit::Graph> const& graph) const {
    auto const type = module_.type();
    auto& before = type->getMethod("forward");
    auto* const function =
        module_._ivalue()->compilation_unit()->create_function(before.qualname(), graph, /*shouldMangle=*/true);
    function->setSchema(before.getSchema());
    type->unsafeRemoveMethod("forward");
    type->addMethod(function);
    return [type, &before] {
      type->unsafeRemoveMethod("forward");
      type->addMethod(&before);
    };
  }

  torch::jit::Module module_;
  std::shared_ptr<torch::jit::Graph> inlined_;
  std::vector<std::optional<grouped>> grouped_;  ///< one for each such call, empty where the groups do not follow
};

/// The numbers in the code of a script, as module_entry::sizes wants them.
[[nodiscard]] inline size_follower script_sizes(torch::jit::Module const& module) {
  return [groups = std::make_shared<script_groups>(module)] { return groups->follow(); };
}

}  // namespace lnpt::detail
