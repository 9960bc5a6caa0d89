// Modules that become smaller: atoms found by running, against the rules of the library's own layers; removal, certificate, refusals.
#include "doctest.hpp"

#include <torch/nn/functional/instancenorm.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/rnn.h>

#include <functional>
#include <map>
#include <set>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/structure/channel_map.hpp>
#include <lnpt/torch/module_of.hpp>
#include <lnpt/torch/structure/module_shrink.hpp>
#include <lnpt/zoo/resnet.hpp>

#include "../structure/nets.hpp"
#include "assembled.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;
namespace tnn = torch::nn;

namespace {

/// The atoms as a set of texts, "tensor/axis/role: indices", in any order.
std::set<std::string> texts(atom_set const& set) {
  std::set<std::string> all;
  for (auto const& each : set.atoms) {
    std::set<std::string> parts;
    for (auto const& s : each.slices)
      parts.insert(set.tensors[s.tensor].name + '/' + std::to_string(s.axis) + '/' + std::to_string(static_cast<int>(s.role)) +
                   list(s.indices));
    std::string text;
    for (auto const& part : parts) text += part + ' ';
    all.insert(text);
  }
  return all;
}

/// Atoms by their number of rows.
std::map<std::size_t, std::size_t> by_rows(atom_set const& set) {
  std::map<std::size_t, std::size_t> counts;
  for (auto const& each : set.atoms) ++counts[each.rows()];
  return counts;
}

/// Normalisation as after training.
void train(tnn::Module& module) {
  at::NoGradGuard const plain;
  for (auto& b : module.named_buffers()) {
    if (b.key().ends_with("running_mean")) b.value().copy_(at::randn_like(b.value()) * 0.3);
    if (b.key().ends_with("running_var")) b.value().copy_(at::rand_like(b.value()) + 0.5);
  }
}

struct outcome {
  std::size_t groups, removed;
  shrunk_module result;
  std::set<std::string> whole;  ///< tensors left whole
};

/// Removes a fraction of all atoms of a module, and holds the smaller one to the masks on inputs not seen before.
outcome shrink_drawn(std::shared_ptr<assembled> const& module, at::Tensor const& x, double fraction, std::uint64_t seed) {
  train(*module);
  module->eval();
  torch_model<double> model(module);
  auto const set = module_atoms(model, x);
  auto const removed = test::drawn(set, fraction, seed);
  auto const masks = masks_of(set, removed);
  auto const other = x.equal(x.round()) ? x.flip(0) : at::randn_like(x).repeat_interleave(2, 0);
  at::Tensor expected;
  {
    lnpt::detail::storage_guard masked;
    for (auto const& p : module->parameters()) masked.replace(p, p.detach().clone());
    apply(masks, model);
    expected = module->run(other);
  }
  auto result = shrink(model, masks, x);
  CHECK(result.certificate.holds());
  CHECK(distance(module->run(other), expected) < 1e-11);
  outcome found{0, static_cast<std::size_t>(std::ranges::count(removed, 1)), std::move(result), {}};
  for (auto const& each : found.result.left_whole) found.whole.insert(each.name);
  return found;
}

std::size_t parameters_of(tnn::Module const& module) {
  std::size_t count = 0;
  for (auto const& p : module.parameters()) count += static_cast<std::size_t>(p.numel());
  return count;
}

tnn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t groups = 1) {
  return tnn::Conv2d(tnn::Conv2dOptions(in, out, 3).padding(1).groups(groups));
}

}  // namespace

TEST_CASE("a chain's atoms are a row, its bias and norm, and the columns that read it") {
  auto const module = assemble([](assembled& m) {
    auto first = m.add("first", conv(3, 2));
    auto norm = m.add("norm", tnn::BatchNorm2d(2));
    auto head = m.add("head", tnn::Linear(2 * 4, 3));
    return [=](at::Tensor const& x) mutable { return head(at::relu(norm(first(x))).flatten(1)); };
  });
  torch_model<double> model(module);
  auto const x = at::randn({1, 3, 2, 2}, at::kDouble);
  auto const before = at::detail::getDefaultCPUGenerator().get_state();
  auto const set = module_atoms(model, x);
  CHECK(at::detail::getDefaultCPUGenerator().get_state().equal(before));  // the caller's random numbers are not drawn from
  auto const expected = [](std::string const& c, std::string const& columns) {
    return "first.bias/0/2[" + c + "] first.weight/0/0[" + c + "] head.weight/1/1[" + columns + "] norm.bias/0/2[" + c +
           "] norm.running_mean/0/2[" + c + "] norm.running_var/0/2[" + c + "] norm.weight/0/2[" + c + "] ";
  };
  CHECK(texts(set) == std::set<std::string>{expected("0", "0, 1, 2, 3"), expected("1", "4, 5, 6, 7")});
  REQUIRE(set.whole.size() == 1);
  CHECK(set.whole[0].name == "head.weight");
  CHECK(says(set.whole[0].reason, "returned"));
}

TEST_CASE("both routes find the same atoms: a ResNet whose shortcuts are slices and zeros") {
  auto network =
      zoo::resnet<cpu::backend<double>>({.depth = 14, .widths = {4, 8, 16}, .shortcut = zoo::shortcut::zero_padded}, 3);
  auto const own = channel_map_of(network, {3, 8, 8}).set;
  auto const module = std::make_shared<graph_module>(network, at::kCPU);
  torch_model<double> model(module, [module](at::Tensor const& x) { return module->forward(x).first; });
  auto const traced = module_atoms(model, at::randn({2, 3, 8, 8}, at::kDouble));
  CHECK(texts(traced) == texts(own));
  CHECK(by_rows(traced) == by_rows(own));
}

TEST_CASE("what is coupled goes together and equals its mask: joins, shuffles, groups, ties, bare parameters") {
  at::manual_seed(2);
  auto const x = at::randn({3, 4, 6, 6}, at::kDouble);
  auto const cases = std::map<std::string, std::shared_ptr<assembled>>{
      {"residual and concat", assemble([](assembled& m) {
         auto a = m.add("a", conv(4, 8)), b = m.add("b", conv(8, 8)), c = m.add("c", conv(16, 6));
         auto head = m.add("head", tnn::Linear(6, 3));
         return [=](at::Tensor const& in) mutable {
           auto const y = at::relu(a(in));
           auto const z = at::relu(y + b(y));
           return head(at::relu(c(at::cat({z, y.flip(1)}, 1))).mean({2, 3}));
         };
       })},
      {"channel shuffle of grouped convolutions", assemble([](assembled& m) {
         auto a = m.add("a", conv(4, 8)), b = m.add("b", conv(8, 8, 2)), c = m.add("c", conv(8, 6));
         auto head = m.add("head", tnn::Linear(6, 3));
         return [=](at::Tensor const& in) mutable {
           auto y = at::relu(b(at::relu(a(in))));
           y = y.view({y.size(0), 2, y.size(1) / 2, y.size(2), y.size(3)}).transpose(1, 2).flatten(1, 2);
           return head(at::relu(c(y)).mean({2, 3}));
         };
       })},
      {"depthwise, squeeze and excitation", assemble([](assembled& m) {
         auto a = m.add("a", conv(4, 8)), d = m.add("d", conv(8, 8, 8)), s = m.add("s", tnn::Conv2d(8, 2, 1)),
              e = m.add("e", tnn::Conv2d(2, 8, 1));
         auto norm = m.add("norm", tnn::BatchNorm2d(8));
         auto head = m.add("head", tnn::Linear(8, 3));
         return [=](at::Tensor const& in) mutable {
           auto const y = at::relu(norm(d(at::relu(a(in)))));
           return head((y * at::sigmoid(e(at::relu(s(y.mean({2, 3}, true)))))).mean({2, 3}));
         };
       })},
      {"tied weights, a scale and a transposed convolution", assemble([](assembled& m) {
         auto a = m.add("a", conv(4, 6)), t = m.add("t", conv(6, 6));
         auto up = m.add("up", tnn::ConvTranspose2d(tnn::ConvTranspose2dOptions(6, 5, 2).stride(2)));
         auto const scale = m.parameter("scale", {6, 1, 1});
         auto head = m.add("head", tnn::Linear(5, 3));
         return [=](at::Tensor const& in) mutable {
           auto const y = t(at::relu(t(at::relu(a(in)))));
           return head(at::relu(up(scale * at::relu(y))).mean({2, 3}));
         };
       })},
      {"channels last, gated", assemble([](assembled& m) {
         auto a = m.add("a", conv(4, 8)), g = m.add("g", conv(8, 10));
         auto head = m.add("head", tnn::Linear(5 * 36, 3));
         return
             [=](at::Tensor const& in) mutable { return head(at::glu(g(at::relu(a(in))), 1).permute({0, 2, 3, 1}).flatten(1)); };
       })},
      {"group norm and instance norm", assemble([](assembled& m) {
         auto a = m.add("a", conv(4, 12)), b = m.add("b", conv(12, 8));
         auto groups = m.add("groups", tnn::GroupNorm(6, 12));
         auto each = m.add("each", tnn::InstanceNorm2d(tnn::InstanceNorm2dOptions(8).affine(true)));
         auto head = m.add("head", tnn::Linear(8, 3));
         return [=](at::Tensor const& in) mutable { return head(at::relu(each(b(at::relu(groups(a(in)))))).mean({2, 3})); };
       })},
  };
  for (auto const& [name, module] : cases) {
    CAPTURE(name);
    auto const before = parameters_of(*module);
    auto const kept = module->parameters();
    auto const found = shrink_drawn(module, x, 0.5, 4);
    CHECK(found.removed > 0);
    CHECK(found.whole == std::set<std::string>{"head.weight"});
    CHECK(parameters_of(*module) < before);
    for (std::size_t i = 0; i < kept.size(); ++i) CHECK(kept[i].is_same(module->parameters()[i]));
  }
}

TEST_CASE("what cannot go is left whole and named") {
  at::manual_seed(3);
  auto const x = at::randn({3, 4, 6, 6}, at::kDouble);
  auto const whole = [&](std::function<std::function<at::Tensor(at::Tensor const&)>(assembled&)> const& build) {
    return shrink_drawn(assemble(build), x, 0.9, 5).whole;
  };
  CHECK(whole([](assembled& m) {  // how many channels a group has stands in the code
          auto a = m.add("a", conv(4, 8)), b = m.add("b", conv(8, 8));
          auto head = m.add("head", tnn::Linear(8, 3));
          return [=](at::Tensor const& in) mutable { return head(at::relu(b(at::relu(at::group_norm(a(in), 4)))).mean({2, 3})); };
        })
            .contains("a.weight"));
  CHECK(whole([](assembled& m) {  // the number of channels stands in the code
          auto a = m.add("a", conv(4, 8)), b = m.add("b", conv(8, 8));
          auto head = m.add("head", tnn::Linear(8, 3));
          return
              [=](at::Tensor const& in) mutable { return head(at::relu(b(at::relu(a(in)).view({-1, 8, 6, 6}))).mean({2, 3})); };
        })
            .contains("a.weight"));
  CHECK(whole([](assembled& m) {  // added to the input
          auto a = m.add("a", conv(4, 4)), b = m.add("b", conv(4, 8));
          auto head = m.add("head", tnn::Linear(8, 3));
          return [=](at::Tensor const& in) mutable { return head(at::relu(b(in + a(in))).mean({2, 3})); };
        })
            .contains("a.weight"));
  CHECK(whole([](assembled& m) {  // read by a recurrent layer
          auto a = m.add("a", conv(4, 8)), b = m.add("b", conv(8, 8));
          auto gru = m.add("gru", tnn::GRU(tnn::GRUOptions(8, 5).batch_first(true)));
          auto head = m.add("head", tnn::Linear(5, 3));
          return [=](at::Tensor const& in) mutable {
            auto const rows = at::relu(b(at::relu(a(in)))).mean(3).transpose(1, 2);
            return head(std::get<0>(gru(rows)).mean(1));
          };
        })
            .contains("b.weight"));
}

TEST_CASE("a difference is found in the layer that makes it, where all behind it is silent on the inputs at hand") {
  auto const module = assemble([](assembled& m) {
    auto a = m.add("a", conv(4, 8)), b = m.add("b", conv(8, 6));
    auto head = m.add("head", tnn::Linear(6, 3));
    return [=](at::Tensor const& in) mutable {
      auto const y = at::relu(a(in));
      return head(at::relu(b(y / static_cast<double>(y.size(1))) - 100).mean({2, 3}));  // the width is in the arithmetic
    };
  });
  auto const found = shrink_drawn(module, at::randn({3, 4, 6, 6}, at::kDouble), 0.5, 4);
  CHECK(module->named_parameters()["a.weight"].size(0) == 8);
  CHECK(std::ranges::any_of(found.result.left_whole, [](whole_tensor const& each) {
    return each.name == "a.weight" && says(each.reason, "what b.weight reads differs by");
  }));
}

TEST_CASE("a table that is the classifier too makes channels one way and reads them the other") {
  auto const module = assemble([](assembled& m) {
    auto words = m.add("words", tnn::Embedding(11, 8));
    auto up = m.add("up", tnn::Linear(8, 12)), down = m.add("down", tnn::Linear(12, 8));
    return [=](at::Tensor const& in) mutable {
      auto const y = words(in);
      return at::linear((y + down(at::relu(up(y)))).mean(1), words->weight);
    };
  });
  auto const sentences = at::arange(14, at::kLong).remainder(11).view({2, 7});
  torch_model<double> model(module);
  auto const set = module_atoms(model, sentences);
  CHECK(by_rows(set) == std::map<std::size_t, std::size_t>{{1, 12}, {2, 8}});
  auto const found = shrink_drawn(module, sentences, 0.5, 4);
  CHECK(found.whole == std::set<std::string>{"words.weight"});  // a row for each word is returned
  CHECK(module->named_parameters()["words.weight"].size(1) < 8);
  CHECK(module->named_parameters()["words.weight"].size(0) == 11);
}

TEST_CASE("atoms that were found once serve every module that is built alike, and no other") {
  auto const build = [] {
    auto const module = assemble([](assembled& m) {
      auto first = m.add("first", conv(3, 8)), second = m.add("second", conv(8, 8));
      auto norm = m.add("norm", tnn::BatchNorm2d(8));
      auto head = m.add("head", tnn::Linear(8 * 4, 3));
      return [=](at::Tensor const& x) mutable {
        auto const y = at::relu(norm(first(x)));
        return head(at::relu(y + second(y)).flatten(1));
      };
    });
    module->eval();
    return module;
  };
  auto const x = at::randn({2, 3, 2, 2}, at::kDouble);
  torch_model<double> searched(build());
  auto atoms = module_atoms(searched, x);
  for (double const fraction : {.3, .7}) {
    auto const masks = masks_of(atoms, test::drawn(atoms, fraction, 1));
    auto const mine = build(), other = build();
    torch_model<double> once(mine), anew(other);
    auto const result = shrink(once, masks, atoms, x);
    CHECK(result.kept == shrink(anew, masks, x).kept);
    CHECK(!result.kept.empty());
    CHECK(result.certificate.holds());
    CHECK(same(snapshot(*mine), snapshot(*other)));
    auto const before = snapshot(*mine);
    CHECK(says(words_of([&] { (void)shrink(once, result.masks, atoms, x); }),
               "the atoms have slices of first.weight [8, 3, 3, 3]"));
    CHECK(same(snapshot(*mine), before));
  }

  // Atoms that are wrong about the module cannot make it wrong: columns of two channels changed places.
  auto const masks = masks_of(atoms, {1, 0, 0, 0, 0, 0, 0, 0});
  auto const columns = [&](atom& each) -> tensor_slices& {
    return *std::ranges::find_if(each.slices, [&](auto const& s) { return atoms.tensors[s.tensor].name == "head.weight"; });
  };
  std::swap(columns(atoms.atoms[0]), columns(atoms.atoms[1]));
  auto const module = build();
  torch_model<double> model(module);
  apply(masks, model);
  auto const expected = module->run(x);
  auto const result = shrink(model, masks, atoms, x);
  CHECK(result.kept.empty());
  CHECK(std::ranges::any_of(result.left_whole, [](auto const& each) { return each.name == "first.weight"; }));
  CHECK(distance(module->run(x), expected) < 1e-12);
}

TEST_CASE("a parameter of several matrices is left whole: which of its axes are rows depends on what it meets") {
  auto const module = assemble([](assembled& m) {
    auto first = m.add("first", tnn::Linear(4, 6)), head = m.add("head", tnn::Linear(5, 3));
    auto const each = m.parameter("each", {2, 6, 5});
    return [=](at::Tensor const& x) mutable {
      return head(at::matmul(at::relu(first(x)).unsqueeze(1).unsqueeze(1), each).sum({1, 2}));
    };
  });
  torch_model<double> model(module);
  auto const set = module_atoms(model, at::randn({3, 4}, at::kDouble));
  CHECK(set.atoms.empty());
  CHECK(std::ranges::any_of(set.whole, [](whole_tensor const& w) { return w.name == "first.weight"; }));
}

TEST_CASE("a constant that a mask leaves behind goes into the bias of an unpadded reader, and never into that of a padded one") {
  for (std::int64_t const side : {4, 8, 32})
    for (auto const& [padding, constant_channel] : {std::pair(0, false), std::pair(1, false), std::pair(1, true)}) {
      CAPTURE(side);
      CAPTURE(padding);
      CAPTURE(constant_channel);
      auto const module = assemble([padding = padding](assembled& m) {
        auto a = m.add("a", conv(4, 8));
        auto b = m.add("b", tnn::Conv2d(tnn::Conv2dOptions(8, 6, 3).padding(padding)));
        auto c = m.add("c", tnn::Linear(6, 5)), head = m.add("head", tnn::Linear(5, 3));
        return [=](at::Tensor const& in) mutable { return head(at::relu(c(at::relu(b(at::relu(a(in)))).mean({2, 3})))); };
      });
      auto named = module->named_parameters();
      named["a.bias"].detach().fill_(0.5);
      named["b.bias"].detach().fill_(0.5);
      torch_model<double> model(module);
      mask rows("a.weight", {8, 4, 3, 3}, true), more("b.weight", {6, 8, 3, 3}, true);
      for (std::size_t i = 0; i < 4 * 36; ++i) rows.set(i, false);  // the weights of four channels, not their biases
      for (std::size_t i = 0; i < 2 * 72; ++i) more.set(i, false);
      mask_set masks;
      masks.add(rows), masks.add(more);
      auto const fresh = at::randn({5, 4, side, side}, at::kDouble);
      at::Tensor expected;
      {
        lnpt::detail::storage_guard masked;
        for (auto const& p : module->parameters()) masked.replace(p, p.detach().clone());
        apply(masks, model);
        expected = module->run(fresh);
      }
      auto const result =
          shrink(model, masks, at::randn({3, 4, side, side}, at::kDouble), {.constant_channel = constant_channel});
      CHECK(distance(module->run(fresh), expected) <= 1e-12);
      CHECK(named["a.weight"].size(0) == (padding == 0 ? 4 : constant_channel ? 5 : 8));
      CHECK(named["b.weight"].size(0) == 4);  // a linear layer takes up what they say
      CHECK((padding != 0) == std::ranges::any_of(result.left_whole, [](auto const& each) {
              return each.name == "a.weight" && says(each.reason, "constant");
            }));
    }
}

TEST_CASE("modules that cannot be traced are refused and left as they were") {
  at::manual_seed(4);
  auto const x = at::randn({3, 4}, at::kDouble);
  auto const refusal = [&](std::function<at::Tensor(at::Tensor const&, tnn::Linear&)> const& between) {
    auto const module = assemble([&](assembled& m) {
      auto a = m.add("a", tnn::Linear(4, 8)), b = m.add("b", tnn::Linear(8, 3));
      return [=](at::Tensor const& in) mutable { return b(between(at::relu(a(in)), a)); };
    });
    torch_model<double> model(module);
    auto const before = snapshot(*module);
    mask_set masks;
    masks.add(mask("a.weight", {8, 4}, true));
    auto const words = words_of([&] { (void)shrink(model, masks, x); });
    CHECK(same(snapshot(*module), before));
    return words;
  };
  CHECK(says(refusal([](at::Tensor const& y, tnn::Linear&) { return at::dropout(y, 0.5, true); }), "differ"));
  CHECK(says(refusal([](at::Tensor const& y, tnn::Linear& a) { return y.isnan().any().item<bool>() ? a(y.narrow(1, 0, 4)) : y; }),
             "take different paths"));

  auto const module = assemble([](assembled& m) {
    auto a = m.add("a", tnn::Linear(4, 3));
    return [=](at::Tensor const& in) mutable { return a(in); };
  });
  torch_model<double> model(module);
  mask_set masks;
  masks.add(mask("a.weight", {4, 3}, true));
  CHECK(says(words_of([&] { (void)shrink(model, masks, x); }), "the mask of a.weight [4, 3] fits no parameter"));
}
