// Scripts that Python saved, of small networks that make structured pruning hard: what is coupled, what stays, and equality to the mask.
#include "doctest.hpp"

#include <torch/csrc/jit/serialization/import.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include <lnpt/torch/module/script.hpp>
#include <lnpt/torch/structure/module_shrink.hpp>

#include "../skip.hpp"
#include "../structure/nets.hpp"
#include "support.hpp"

using namespace lnpt;
using namespace torch_support;

namespace {

/// What may become of a case.
struct expectation {
  std::string name;
  std::map<std::size_t, std::size_t> atoms;  ///< rows → how many atoms have so many
  std::set<std::string> pinned = {};         ///< tensors that stay in any case, beside the fc.weight that most have
  std::set<std::string> failing = {};        ///< tensors whose removal fails its trial
};

std::vector<expectation> const& expectations() {
  static std::vector<expectation> const all{
      {"attention_heads", {{1, 32}, {12, 4}}, {"proj.weight", "m2.weight"}, {"qkv.weight"}},  // whole heads; the residual meets x
      {"batchnorm_after_concat", {{1, 23}}},
      {"buffer_scale", {{1, 14}}},
      {"channel_shuffle", {{1, 8}, {4, 8}, {16, 1}}},
      {"chunk_half", {{1, 26}}, {}, {"a.0.weight"}},
      {"concat_then_residual", {{1, 15}, {2, 16}}},
      {"concat_twice_same", {{1, 17}}},
      {"constant_slices", {{1, 18}}, {}, {"a.0.weight"}},
      {"conv_transpose", {{1, 34}}, {"out.weight"}},
      {"depthwise_se", {{1, 6}, {2, 32}}},
      {"detached_branch", {{1, 8}, {2, 6}}},
      {"embedding_table", {{1, 14}}},
      {"flatten_channels_last", {{1, 34}}},
      {"flatten_hard_view", {{1, 34}}, {}, {"b.0.weight"}},
      {"flatten_spatial", {{1, 34}}},
      {"functional_conv", {{1, 14}}},
      {"grouped_conv", {{1, 6}, {4, 10}}},
      {"gru_bidirectional", {{1, 8}}, {"i.weight"}},
      {"inplace_ops", {{1, 6}, {2, 8}}},
      {"layer_norm_channels", {{1, 6}, {8, 1}}},
      {"lstm_between", {{1, 8}}, {"i.weight"}},
      {"mean_over_channels", {{1, 6}, {9, 1}}},
      {"one_output_channel", {{1, 15}}},
      {"option_a", {{1, 34}, {2, 8}}, {}, {"b2.weight"}},  // how many channels the shortcut pads with stands in the code
      {"parameter_scale", {{1, 6}, {2, 8}}},
      {"plain_chain", {{1, 20}}},
      {"residual_strided", {{1, 34}, {2, 16}}},
      {"residual_with_input", {{1, 18}}, {"b.weight"}},
      {"returned_feature", {{1, 8}}, {"b.0.weight"}},
      {"shared_twice", {{1, 6}, {2, 8}}},
      {"shared_two_inputs", {{1, 10}, {2, 8}}},
      {"sigmoid_border", {{1, 14}}},
      {"split_sizes", {{1, 12}, {2, 6}}, {}, {"a.0.weight"}},
      {"two_heads", {{1, 14}}, {"fd.weight"}},
      {"unused_layer", {{1, 14}}, {"z.weight"}},
      {"weight_norm", {}, {"a.weight_g", "a.weight_v", "b.weight_g", "b.weight_v"}},
  };
  return all;
}

std::vector<at::Tensor> flat(at::IValue const& value) {
  if (value.isTensor()) return {value.toTensor().clone()};
  std::vector<at::Tensor> all;
  for (auto const& each : value.toTupleRef().elements())
    for (auto const& t : flat(each)) all.push_back(t);
  return all;
}

bool equal(std::vector<at::Tensor> const& found, std::vector<at::Tensor> const& expected) {
  auto const close = [](at::Tensor const& a, at::Tensor const& b) { return a.sizes() == b.sizes() && distance(a, b) <= 1e-12; };
  return std::equal(found.begin(), found.end(), expected.begin(), expected.end(), close);
}

/// A network that save_cases.py wrote.
struct script_case {
  std::filesystem::path folder;
  std::string name;

  [[nodiscard]] torch::jit::Module load() const { return torch::jit::load((folder / (name + ".pt")).string()); }
  [[nodiscard]] at::Tensor input() const {
    return torch::jit::load((folder / (name + ".input.pt")).string()).forward({at::zeros({1})}).toTensor();
  }
};

/// What stayed for another reason than that some channel of a layer has to. A layer of which all inputs are dead collapses too, and the
/// constants that its biases then say stay where a padded convolution reads them, although no channel of its own was to go.
std::set<std::string> names_of(std::vector<whole_tensor> const& whole) {
  std::set<std::string> names, collapsed;
  for (auto const& each : whole)
    if (says(each.reason, "layer collapse")) collapsed.insert(each.name);
  for (auto const& each : whole)
    if (!collapsed.contains(each.name) || !(says(each.reason, "layer collapse") || says(each.reason, "still says a constant")))
      names.insert(each.name);
  return names;
}

std::map<std::size_t, std::size_t> by_rows(atom_set const& set) {
  std::map<std::size_t, std::size_t> counts;
  for (auto const& each : set.atoms) ++counts[each.rows()];
  return counts;
}

/// Whether every parameter lost exactly the slices of the removed atoms.
bool all_gone(atom_set const& set, std::vector<char> const& removed, torch::jit::Module const& smaller) {
  auto const kept = kept_without(set, removed);
  for (auto const& p : smaller.named_parameters())
    if (auto const found = kept.find(p.name); found != kept.end())
      for (auto const& [axis, indices] : found->second)
        if (static_cast<std::size_t>(p.value.size(static_cast<std::int64_t>(axis))) != indices.size()) return false;
  return true;
}

/// Shrinks by the mask of some atoms, and holds the script and its saved copy to the masked one on inputs not seen before.
void shrink_and_compare(script_case const& each, expectation const& expected, atom_set const& set,
                        std::vector<char> const& removed) {
  auto const x = each.input();
  auto const fresh = at::isFloatingType(x.scalar_type()) ? at::randn_like(x).repeat_interleave(2, 0) : x.flip(0);
  auto const masks = masks_of(set, removed);
  auto masked = each.load();
  auto module = each.load();
  torch_model<double> reference(masked);
  torch_model<double> model(module);
  apply(masks, reference);
  auto const right = flat(masked.forward({fresh}));

  auto const result = shrink(model, masks, x);
  CHECK(result.certificate.relative() <= 1e-12);
  CHECK(equal(flat(module.forward({fresh})), right));
  std::stringstream file;
  module.save(file);
  CHECK(equal(flat(torch::jit::load(file).forward({fresh})), right));

  std::string reasons;
  for (auto const& whole : result.left_whole) reasons += whole.name + ": " + whole.reason + "; ";
  CAPTURE(reasons);
  auto allowed = expected.pinned;
  if (std::ranges::count(set.tensors, "fc.weight", &sliced_tensor::name) != 0) allowed.insert("fc.weight");
  auto named = names_of(result.left_whole);
  CHECK(std::ranges::includes(named, allowed));
  allowed.insert(expected.failing.begin(), expected.failing.end());
  CHECK(std::ranges::includes(allowed, named));
  auto const put_back = std::ranges::any_of(expected.failing, [&](auto const& name) { return named.contains(name); });
  CHECK(all_gone(set, removed, module) == !put_back);
}

/// The further networks among the scripts: only equality is asked of them.
std::vector<std::string> further_cases(std::filesystem::path const& folder) {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(folder))
    if (auto const name = entry.path().filename().string(); name.starts_with("more_") && !name.ends_with(".input.pt"))
      names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

/// What became of a further case.
struct further_outcome {
  std::string refusal;                ///< empty where it was not refused
  std::size_t before = 0, after = 0;  ///< parameters
  double certificate = 0;
  std::vector<whole_tensor> left_whole;

  [[nodiscard]] std::string text() const {
    if (!refusal.empty()) return "refused: " + refusal;
    std::ostringstream out;
    out << before << " -> " << after << " parameters, certificate " << certificate;
    for (auto const& each : left_whole) out << "; " << each.name << ": " << each.reason;
    return out.str();
  }
};

std::size_t parameters_of(torch::jit::Module const& module) {
  std::size_t numbers = 0;
  for (auto const& p : module.parameters()) numbers += static_cast<std::size_t>(p.numel());
  return numbers;
}

/// Whole atoms masked, or their rows alone, so that biases and norms still speak, or the columns that read them alone.
enum class masked_side { all, rows, columns };

mask_set masks_of_side(atom_set set, std::vector<char> const& removed, masked_side side) {
  auto const role = side == masked_side::rows ? slice_role::row : slice_role::column;
  for (auto& each : set.atoms)
    if (side != masked_side::all) std::erase_if(each.slices, [&](tensor_slices const& s) { return s.role != role; });
  return masks_of(set, removed);
}

/// Inputs of other batch sizes, and some far larger than any before.
std::vector<at::Tensor> unseen_inputs(at::Tensor const& like) {
  if (!at::isFloatingType(like.scalar_type())) return {like.flip(1), like.repeat_interleave(2, 0).flip(0)};
  auto const drawn = at::randn_like(like).repeat_interleave(4, 0);
  return {drawn.narrow(0, 0, 1), drawn.narrow(0, 0, 4), drawn * 30};
}

/// Shrinks or refuses; whatever is returned equals the mask on inputs and batch sizes that were not seen before.
further_outcome shrink_further(script_case const& each, double fraction, std::uint64_t seed, masked_side side) {
  auto const x = each.input();
  auto masked = each.load();
  auto module = each.load();
  further_outcome outcome;
  outcome.before = parameters_of(module);
  torch_model<double> reference(masked);
  torch_model<double> model(module);
  try {
    auto const set = module_atoms(model, x);
    auto const masks = masks_of_side(set, test::drawn(set, fraction, seed), side);
    apply(masks, reference);
    auto result = shrink(model, masks, x);
    CHECK(result.certificate.relative() <= 1e-12);
    for (auto const& fresh : unseen_inputs(x)) CHECK(equal(flat(module.forward({fresh})), flat(masked.forward({fresh}))));
    outcome.certificate = result.certificate.relative();
    outcome.left_whole = std::move(result.left_whole);
  } catch (error const& reason) {
    outcome.refusal = reason.what();
    CHECK(parameters_of(module) == outcome.before);
  }
  outcome.after = parameters_of(module);
  return outcome;
}

/// How many seeds to draw masks by; more than one, and three fractions, are for a run by hand, which prints what became of each.
std::uint64_t seeds() {
  auto const* const text = std::getenv("LNPT_SEEDS");
  return text ? std::stoull(text) : 1;
}

}  // namespace

TEST_CASE("scripts of Python become smaller and equal their masks, or name what stays") {
  auto const* const text = std::getenv("LNPT_TORCH_CASES");
  std::filesystem::path const folder = text ? text : "torch_cases";
  if (!std::filesystem::exists(folder / "plain_chain.pt"))
    return skip("no scripts in " + folder.string() + ": tests/torch/save_cases.py writes them, with a Python that has torch");
  for (auto const& expected : expectations()) {
    CAPTURE(expected.name);
    script_case const each{folder, expected.name};
    auto module = each.load();
    torch_model<double> model(module);
    auto const set = module_atoms(model, each.input());
    CHECK(by_rows(set) == expected.atoms);
    for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
      for (auto const fraction : seeds() > 1 ? std::vector{.25, .5, .75} : std::vector{.5}) {
        CAPTURE(seed);
        CAPTURE(fraction);
        shrink_and_compare(each, expected, set, test::drawn(set, fraction, seed));
      }
  }
}

TEST_CASE("scripts of which nothing is known shrink rightly, or what stays is named") {
  auto const* const text = std::getenv("LNPT_TORCH_CASES");
  std::filesystem::path const folder = text ? text : "torch_cases";
  if (!std::filesystem::exists(folder / "more_unet.pt"))
    return skip("no scripts in " + folder.string() + ": tests/torch/save_cases.py writes them, with a Python that has torch");
  std::set<std::string> refused, smaller;
  for (auto const& name : further_cases(folder))
    for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
      for (auto const fraction : seeds() > 1 ? std::vector{.25, .5, .75} : std::vector{.5})
        for (auto const side : {masked_side::all, masked_side::rows, masked_side::columns}) {
          CAPTURE(name);
          CAPTURE(seed);
          CAPTURE(fraction);
          CAPTURE(side);
          auto const outcome = shrink_further({folder, name}, fraction, seed, side);
          if (seeds() > 1)
            std::cout << name << ' ' << fraction << ' ' << seed << ' ' << static_cast<int>(side) << ": " << outcome.text()
                      << '\n';
          auto const gone = outcome.before - outcome.after;
          CHECK((!outcome.refusal.empty() || gone > 0 || !outcome.left_whole.empty()));
          if (!outcome.refusal.empty()) refused.insert(name);
          if (gone > 0) smaller.insert(name);
        }
  CHECK(refused == std::set<std::string>{"more_batch_dependent", "more_dropout_left_on", "more_three_results"});
  CHECK(smaller.size() >= 40);
}

TEST_CASE("channels that only a second result misses stay whole") {
  auto const* const text = std::getenv("LNPT_TORCH_CASES");
  script_case const each{text ? text : "torch_cases", "more_second_result"};
  if (!std::filesystem::exists(each.folder / "more_second_result.pt"))
    return skip("no scripts in " + each.folder.string() +
                ": tests/torch/save_cases.py writes them, with a Python that has torch");
  auto const x = each.input();
  auto masked = each.load();
  auto module = each.load();
  torch_model<double> reference(masked), model(module);
  auto const set = module_atoms(model, x);
  mask_set masks;  // what reads the channels is not masked
  for (auto const& all : masks_of(set, test::drawn(set, .5, 1)))
    if (all.name().starts_with("a.")) masks.add(all);
  apply(masks, reference);
  auto const result = shrink(model, masks, x);
  CHECK(names_of(result.left_whole).contains("a.0.weight"));
  auto const fresh = at::randn_like(x);
  CHECK(equal(flat(module.forward({fresh})), flat(masked.forward({fresh}))));
}
