#pragma once
/// TorchScript modules, such as Python saves with torch.jit.script(model).save(path).
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/torch/module/memory.hpp>
#include <lnpt/torch/module/script_groups.hpp>
#include <lnpt/torch/module/source.hpp>
#include <lnpt/torch/refusal.hpp>

namespace lnpt::detail {

[[nodiscard]] inline std::string script_type(torch::jit::Module const& module) {
  auto const name = module.type()->name();
  return name ? own_class(name->qualifiedName()) : std::string();
}

[[nodiscard]] inline module_entry script_entry(std::string path, torch::jit::Module module) {
  module_entry entry{std::move(path), script_type(module), {}, nullptr, nullptr, nullptr};
  for (auto const& p : module.named_parameters(/*recurse=*/false)) entry.parameters.push_back({p.name, p.value});
  entry.buffers = [module] {
    std::vector<named_tensor> buffers;
    for (auto const& b : module.named_buffers(/*recurse=*/false)) buffers.push_back({b.name, b.value});
    return buffers;
  };
  entry.put_back = [module](named_tensor const& buffer) mutable { module.setattr(buffer.name, buffer.value); };
  entry.training = [module] { return module.hasattr("training") && module.attr("training").toBool(); };
  entry.train = [module](bool on) mutable {
    if (module.hasattr("training")) module.setattr("training", on);
  };
  return entry;
}

template <>
struct torch_source<torch::jit::Module> {
  /// The optimising executor moves tensors out of the graph that autograd sees.
  struct call_guard {
    torch::jit::GraphOptimizerEnabledGuard plain{false};
  };

  [[nodiscard]] static module_tree tree(torch::jit::Module const& module) {
    tie_twins(module);
    module_tree tree;
    for (auto const& each : module.named_modules()) tree.push_back(script_entry(each.name, each.value));
    tree.front().sizes = [module] { return script_sizes(module); };
    return tree;
  }

  [[nodiscard]] static torch_callable callable(torch::jit::Module const& module) {
    return [held = torch::jit::Module(module)](at::Tensor const& x) mutable {
      auto const returned = run(held, x);
      if (returned.isTensor()) return torch_prediction{returned.toTensor(), {}};
      if (returned.isTuple() && returned.toTupleRef().elements().size() == 2) {
        auto const& elements = returned.toTupleRef().elements();
        if (elements[0].isTensor() && elements[1].isTensor())
          return torch_prediction{elements[0].toTensor(), elements[1].toTensor()};
      }
      fail("the script returns a ", returned.tagKind(), ": let its forward return the logits, or (logits, features)");
    };
  }

 private:
  /// A weight that layers share may come from a file as two tensors in one memory. The script gets the first of them in both places, so
  /// that it is one weight with one gradient.
  static void tie_twins(torch::jit::Module const& module) {
    std::unordered_map<std::uintptr_t, at::Tensor> firsts;
    for (auto const& each : module.named_modules())
      for (auto const& p : each.value.named_parameters(/*recurse=*/false)) {
        auto const& first = firsts.try_emplace(memory_of(p.value).begin, p.value).first->second;
        if (p.value.is_same(first) || !are_twins(p.value, first) || p.value.requires_grad() != first.requires_grad()) continue;
        auto of = each.value;
        of.setattr(p.name, first);
      }
  }

  /// The interpreter wraps what an operator threw into a trace of the script, whose last line is the reason.
  [[nodiscard]] static at::IValue run(torch::jit::Module& module, at::Tensor const& x) {
    try {
      return module.forward({x});
    } catch (c10::Error const&) {
      throw;
    } catch (std::runtime_error const& reason) {
      std::string_view words = reason.what();
      words = words.substr(0, words.find_last_not_of('\n') + 1);
      fail_in_torch("run this script", words.substr(words.rfind('\n') + 1));
    }
  }
};

}  // namespace lnpt::detail
