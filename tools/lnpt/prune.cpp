// lnpt prune: masks and masked weights.
#include <fmt/format.h>

#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/mask/apply.hpp>

#include "loading.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

struct prune_options : scoring_options {
  std::string mask = "global";
  std::size_t at_least = 0;
  std::string unreached = "keep";
  std::string rank;
};

/// Masked weights and buffers, as F64 where `twice` and else as F32, and the masks as U8 under `mask.` + parameter name.
template <class T>
void save_pruned(cpu_network<T>& network, lnpt::mask_set const& masks, bool twice, prune_options const& o) {
  if (names_exported(o.arch) && o.weights.empty()) return save_pruned_program(o.arch, masks, o.out);
  if (names_exported(o.out))
    refuse(o.out, " is written from a .pt2 file with its own weights: give --model and leave --weights out");
  lnpt::io::safetensors::writer writer;
  auto const add = [&](auto const& each) {
    auto const values = lnpt::values_of(*each.value);
    if (twice)
      writer.add(each.name, lnpt::shape_of(*each.value), std::vector<double>(values.begin(), values.end()));
    else
      writer.add(each.name, lnpt::shape_of(*each.value), std::vector<float>(values.begin(), values.end()));
  };
  for (auto const& p : network.parameters()) add(p);
  for (auto const& b : network.buffers()) add(b);
  lnpt::io::add_masks(writer, masks);
  writer.metadata("arch", o.arch);
  writer.save(o.out);
}

/// Whether the file holds double weights, which are then written as such.
bool holds_double(prune_options const& o) {
  if (o.weights.empty()) return false;
  auto const file = lnpt::io::safetensors::open(o.weights);
  for (auto const& tensor : file.entries())
    if (tensor.name.starts_with(o.weights_prefix) && tensor.name.ends_with(".weight"))
      return tensor.dtype == lnpt::io::dtype::f64;
  return false;
}

nlohmann::ordered_json as_json(lnpt::prune_report const& report) {
  nlohmann::ordered_json all{{"layers", nlohmann::json::array()}};
  for (auto const& layer : report.layers)
    all["layers"].push_back({{"name", layer.name}, {"total", layer.total}, {"kept", layer.kept}, {"reached", layer.reached}});
  all["sparsity_scored"] = report.sparsity_scored;
  all["sparsity_prunable"] = report.sparsity_prunable;
  all["emptied"] = report.emptied;
  all["unreached"] = report.unreached;
  all["dense"] = report.dense;
  all["decided_by_position"] = report.decided_by_position;
  all["warnings"] = report.warnings;
  all["seconds"] = report.seconds;
  return all;
}

void print_names(char const* what, std::vector<std::string> const& names) {
  if (!names.empty()) fmt::print("{}: {}\n", what, fmt::join(names, ", "));
}

void print_report(lnpt::prune_report const& report) {
  text_table table({"layer", "weights", "kept", "kept %"});
  for (auto const& layer : report.layers)
    table.add({layer.name, std::to_string(layer.total), std::to_string(layer.kept),
               fmt::format("{:.2f}",
                           layer.total == 0 ? 0.0 : 100.0 * static_cast<double>(layer.kept) / static_cast<double>(layer.total))});
  table.print();
  fmt::print("sparsity {:.4f} of the scored weights, {:.4f} of all prunable weights, in {:.2f} s\n", report.sparsity_scored,
             report.sparsity_prunable, report.seconds);
  print_names("emptied", report.emptied);
  print_names("not reached by the loss", report.unreached);
  print_names("left dense", report.dense);
  for (auto const& warning : report.warnings) fmt::print("warning: {}\n", warning);
}

template <class T>
void prune_as(prune_options const& o, pruning_spec const& spec) {
  auto const engine = open_scoring_engine<T>(o.engine, o.threads);
  auto [student, data] = load_case<T>(o, spec.criterion, *engine);
  auto const [masks, report] = engine->prune(student, data, spec);
  lnpt::apply(masks, student);
  save_pruned(student, masks, holds_double(o), o);
  if (o.json)
    fmt::print("{}\n", as_json(report).dump(2));
  else
    print_report(report);
}

void describe(CLI::App& command, prune_options& o) {
  o.describe(command);
  command.add_option("--mask", o.mask, "What is removed: global (single weights, one ranking), layerwise, channels or 2:4")
      ->capture_default_str();
  command.add_option("--at-least", o.at_least, "Weights that every layer keeps")->capture_default_str();
  command.add_option("--unreached", o.unreached, "Weights without scores: keep (outside the ratio), keep_in_budget or magnitude")
      ->capture_default_str();
  command.add_option("--rank", o.rank, "Which scores stay: highest (default) or lowest");
  command
      .add_option(
          "--out", o.out,
          "File for the masked weights and the masks, safetensors; of a .pt2 network, the same with .pt2, or its state_dict")
      ->required();
}

void run(prune_options const& o) {
  pruning_spec spec{.criterion = o.asked_criterion(), .at_least = o.at_least, .seed = o.seed};
  if (!o.rank.empty()) set_option(spec.criterion, "rank", o.rank);
  spec.mask = parse_choice("mask", mask_names, o.mask);
  spec.unreached = parse_choice("treatment of unreached weights", unreached_names, o.unreached);
  constexpr double two_of_four = 0.5;
  if (spec.mask == mask_kind::two_of_four && o.has_sparsity() && o.sparsity != two_of_four)
    refuse("2:4 removes half of the weights, not ", o.sparsity, ": leave --sparsity out");
  if (spec.mask != mask_kind::two_of_four && !o.has_sparsity())
    refuse("how much to remove is missing: give --sparsity, such as .95");
  spec.sparsity = o.has_sparsity() ? o.sparsity : two_of_four;
  in_precision(o.precision, [&](auto t) { prune_as<decltype(t)>(o, spec); });
}

}  // namespace

void add_prune(CLI::App& app) {
  add_command<prune_options>(
      app,
      {"prune", "Prune a network by a criterion; writes masked weights and masks",
       "The output loads as a state_dict; pruned weights are exactly 0 and mask.NAME holds 1 where weight NAME is kept.\n\n"
       "  lnpt prune --arch vgg:19:64 --weights vgg.safetensors --data batch.safetensors --criterion snip --sparsity .95 \\\n"
       "    --out pruned.safetensors\n"
       "  lnpt prune --model net.pt2 --data batch.safetensors --criterion snip --sparsity .9 --out pruned.pt2\n"
       "  lnpt prune --arch resnet:20:16,32,64 --criterion synflow --sparsity .99 --out pruned.safetensors\n"
       "  lnpt prune --arch resnet:20:16,32,64 --weights r.safetensors --criterion magnitude --mask 2:4 --out "
       "pruned.safetensors"},
      describe, run);
}

}  // namespace cli
