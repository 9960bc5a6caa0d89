// lnpt prune: masks and masked weights.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/onnx.hpp>
#include <lnpt/io/packed.hpp>
#include <lnpt/io/pruned_copy.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/structure/dead_paths.hpp>
#include <lnpt/structure/effective.hpp>

#include "collapse.hpp"
#include "found_masks.hpp"
#include "loading.hpp"
#include "merging.hpp"
#include "output_files.hpp"
#include "packed_weights.hpp"
#include "progress.hpp"
#include "prune_checkpoint.hpp"
#include "prune_report.hpp"
#include "ratio_plot.hpp"
#include "searching.hpp"
#include "shrinking.hpp"
#include "trainability.hpp"
#include "typed_flags.hpp"
#include "written_state.hpp"

namespace cli {

namespace {

struct prune_options : scoring_options {
  std::string mask = "global";
  std::size_t at_least = 0;
  std::string unreached = "keep";
  std::string rank;
  std::string masks, masks_out, packed;
  double density = -1;  ///< below 0: not given
  bool spend_on_live = false;
  checkpoint_options checkpoint;
  shrink_choice channels;
  std::string method = "score";
  merge_choice merging;
  search_choice search;
  std::size_t trainability = 0;  ///< samples; 0: not asked for
};

constexpr std::string_view merging_flags[]{"--target", "--box", "--merge-step", "--merge-mode", "--impact-norm", "--annealing"};
constexpr std::string_view search_flags[]{"--candidates", "--tolerance", "--most", "--judge"};

enum class method_kind { score, merge, eagle_eye };
constexpr spelling<method_kind> method_names[]{
    {"score", method_kind::score}, {"merge", method_kind::merge}, {"eagle_eye", method_kind::eagle_eye}};

/// Masked weights under exactly the names of the state dict: those of the weights file, as it stores them, or a fresh or packed network's
/// as F32.
template <class T>
void save_pruned(cpu_network<T>& network, lnpt::mask_set const& masks, prune_options const& o) {
  if (names_exported(o.arch) && o.weights.empty()) return save_pruned_program(o.arch, masks, o.out);
  if (names_exported(o.out)) return save_program_of(o.arch, network, o.out);
  lnpt::io::safetensors::writer writer;
  if (o.weights.empty() || is_packed(lnpt::io::safetensors::open(o.weights)))
    add_state<float>(writer, network, {});  // fresh weights and packed ones are those that a float holds
  else
    lnpt::io::add_pruned_copy(writer, lnpt::io::safetensors::open(o.weights), masks, o.weights_names());
  writer.metadata("arch", o.arch);
  writer.save(o.out);
}

/// The masks alone, U8 under `mask.` + the name of the weight in files that are written.
void save_masks(lnpt::mask_set const& masks, prune_options const& o, written_names const& names) {
  if (o.masks_out.empty()) return;
  std::map<std::string, lnpt::shape> extents;
  auto const& shapes = o.channels.shrink ? o.out : o.arch;  // of a smaller network those of the file that holds it
  if (names_exported(shapes)) extents = exported_extents(shapes);
  lnpt::io::safetensors::writer writer;
  for (auto const& each : masks) {
    auto const shaped = extents.find(each.name());
    lnpt::io::add_mask(writer, names(each.name()), each, shaped == extents.end() ? each.extents() : shaped->second);
  }
  writer.metadata("arch", o.arch);
  writer.save(o.masks_out);
}

/// The kept weights alone, as F32, with what a command needs to build the network again.
template <class T>
void save_packed(cpu_network<T>& network, lnpt::mask_set const& masks, prune_options const& o, lnpt::shape const& sample) {
  if (o.packed.empty()) return;
  lnpt::io::save_packed<float>(o.packed, network, masks,
                               {{"arch", o.arch}, {"input", fmt::format("{}", fmt::join(sample, ","))}});
}

/// The .pt2 file of the network, if it is one.
exported_model exported_source(prune_options const& o) {
  auto const network = o.student_network();
  auto const* const exported = std::get_if<exported_model>(&network.form);
  return exported == nullptr ? exported_model{} : *exported;
}

/// The share of the weights that masks keep.
lnpt::density kept_share(lnpt::mask_set const& masks) {
  std::size_t kept = 0;
  std::size_t total = 0;
  for (auto const& each : masks) {
    kept += each.count();
    total += each.size();
  }
  return lnpt::density{total == 0 ? 1.0 : static_cast<double>(kept) / static_cast<double>(total)};
}

/// A sparsity, and how long it took to find.
struct found_sparsity {
  double value = 0;
  double seconds = 0;
};

/// The sparsity at which the weights on paths are as many as were asked for. Scores about twenty times.
template <class T>
found_sparsity sparsity_of_live_weights(scoring_engine<T>& engine, cpu_network<T>& network,
                                        scoring_data<lnpt::cpu::array<T>> const& data, pruning_spec spec,
                                        lnpt::channel_map const& map) {
  constexpr std::size_t most_scorings = 22;
  count_progress along("looking for the density");
  std::size_t done = 0;
  found_sparsity found;
  auto const masks_at = [&](lnpt::density keep) {
    along(done, most_scorings);
    ++done;
    spec.sparsity = 1 - keep.value();
    auto pruned = engine.prune(network, data, spec);
    found.seconds += pruned.report.seconds;
    return std::move(pruned.masks);
  };
  auto const most = spec.start.empty() ? lnpt::density{1} : kept_share(spec.start);
  found.value = 1 - lnpt::density_of_live_weights(map, lnpt::density{1 - spec.sparsity}, masks_at, most).value();
  return found;
}

template <class T>
void prune_as(prune_options const& o, pruning_spec spec) {
  auto const engine = open_scoring_engine<T>(o.engine, o.threads);
  auto [student, data] = load_case<T>(o, spec.criterion, *engine);
  auto const start = find_masks(student, {o.masks, o.weights, o.weights_prefix, o.arch, o.names});
  if (start) spec.start = start->masks;
  trainability_change passes{trainability_of(student, data, o.trainability), std::nullopt};
  auto const map = lnpt::channel_map_of(student, data.sample);
  if (o.channels.coupled()) spec.atoms = &map.set;
  auto [masks, report] = [&] {
    found_sparsity searched;
    if (o.spend_on_live) {
      searched = sparsity_of_live_weights(*engine, student, data, spec, map);
      spec.sparsity = searched.value;
    }
    round_progress along(spec.criterion.text);
    spec.progress = std::ref(along);
    auto pruned = engine->prune(student, data, spec);
    pruned.report.seconds += searched.seconds;
    if (start && !start->fit.warning().empty()) pruned.report.warnings.push_back(start->fit.warning());
    if (takes_channels(spec.mask)) std::ranges::move(narrow_layers(pruned.masks), std::back_inserter(pruned.report.warnings));
    if (auto words = collapse_in_words(map, pruned.masks); !words.empty()) pruned.report.warnings.push_back(std::move(words));
    return pruned;
  }();
  written_names const names(o.weights, o.weights_names());  // before --out takes the place of --weights
  auto const on_paths = o.spend_on_live ? lnpt::dead_paths_of(map, masks).effective() : std::size_t{0};
  lnpt::apply(masks, student);
  passes.after = trainability_of(student, data, o.trainability);
  std::optional<shrink_summary> summary;
  if (o.channels.shrink)
    summary = shrink_and_save(student, masks, data, o.channels, {o.weights, o.weights_names(), o.out, exported_source(o)});
  else if (!o.out.empty())
    save_pruned(student, masks, o);
  save_masks(masks, o, names);
  save_packed(student, masks, o, data.sample);
  if (!o.channels.onnx.empty())
    lnpt::io::save_onnx(student, data.sample, o.channels.onnx, {.fold_batch_norm = !o.channels.keep_batch_norm});
  if (!o.channels.ratios.empty()) plot_ratios(ratios_of(report), o.channels.ratios);
  auto json = as_json(report);
  o.note_unread(spec.criterion, o.channels.shrink || o.trainability != 0);
  if (summary) json["shrunk"] = as_json(*summary);
  if (o.spend_on_live) json["on_paths"] = on_paths;
  if (passes.after) json["trainability"] = as_json(passes);
  json["weights"] = o.weights_used();
  if (start) json["start"] = start->text();
  if (o.json) return fmt::print("{}\n", json.dump(2));
  print_report(report);
  if (o.spend_on_live) fmt::print("on paths from the input to the output: {} weights\n", on_paths);
  if (summary) print(*summary);
  if (passes.after) print(passes);
  if (start) fmt::print("started from {}\n", start->text());
  fmt::print("weights: {}\n", o.weights_used());
}

/// Makes the network smaller by `make(network, data)`, which needs no masks, and writes it. `reads`: a criterion that needs what it needs.
template <class T, class Make>
void make_smaller(prune_options const& o, criterion_spec const& reads, Make make) {
  auto const engine = open_scoring_engine<T>(o.engine, o.threads);
  auto asked = o;
  asked.criterion = reads.text;  // not the default, which compares with a teacher
  auto [network, data] = load_case<T>(asked, reads, *engine);
  auto before = network;
  trainability_change passes{trainability_of(network, data, o.trainability), std::nullopt};
  auto const summary = make(network, data);
  passes.after = trainability_of(network, data, o.trainability);
  if (names_exported(o.out))
    save_smaller_program(exported_source(o), network, o.out);
  else
    save_smaller(network, before, data.sample, {}, {o.weights, o.weights_names(), o.out, exported_source(o)});
  if (!o.channels.onnx.empty())
    lnpt::io::save_onnx(network, data.sample, o.channels.onnx, {.fold_batch_norm = !o.channels.keep_batch_norm});
  auto json = as_json(summary);
  if (passes.after) json["trainability"] = as_json(passes);
  json["weights"] = o.weights_used();
  if (o.json) return fmt::print("{}\n", json.dump(2));
  print(summary);
  if (passes.after) print(passes);
  fmt::print("weights: {}\n", o.weights_used());
}

/// Merging and searching. Refuses flags that they have no use for.
void run_without_scores(prune_options const& o, method_kind method) {
  constexpr std::string_view useful[]{
      "--arch",         "--classes", "--weights",     "--weights-prefix", "--features", "--data",         "--samples",
      "--mean",         "--std",     "--train-limit", "--test-limit",     "--rename",   "--ignore-extra", "--input",
      "--precision",    "--engine",  "--device",      "--method",         "--budget",   "--onnx",         "--keep-batch-norm",
      "--trainability", "--out",     "--seed",        "--threads",        "--json"};
  o.typed.refuse_all_but({useful, merging_flags, search_flags},
                         " is for weights that are scored: leave it out, or --method " + o.method);
  if (o.engine.name != "cpu") refuse("--method ", o.method, " works on the CPU engine: leave --engine ", o.engine.name, " out");
  in_precision(o.engine, [&](auto t) {
    using scalar = decltype(t);
    if (method == method_kind::merge) {
      if (o.channels.coupled()) refuse("--budget is for channels: --target says how many units are merged");
      make_smaller<scalar>(o, parse_criterion("magnitude"),
                           [&](auto& network, auto const& data) { return merge(network, data.sample, o.merging, o.seed); });
    } else {
      auto reads = parse_criterion(o.search.reads_labels() ? "snip" : "hrank");
      reads.text = o.method;  // which is what refusals name
      make_smaller<scalar>(
          o, reads, [&](auto& network, auto const& data) { return search(network, data, o.search, o.channels.budget, o.seed); });
    }
  });
}

void describe(CLI::App& command, prune_options& o) {
  o.describe(command);
  o.checkpoint.describe(command);
  command.add_option("--density", o.density, "Fraction of the weights to keep, instead of --sparsity")->check(fraction());
  command
      .add_option("--mask", o.mask,
                  "What is removed: global (single weights, one ranking), layerwise, channels, channels_per_layer or 2:4")
      ->capture_default_str();
  command.add_option("--at-least", o.at_least, "Weights that every layer keeps")->capture_default_str();
  command.add_option("--unreached", o.unreached, "Weights without scores: keep (outside the ratio), keep_in_budget or magnitude")
      ->capture_default_str();
  command.add_flag("--spend-on-live", o.spend_on_live,
                   "Keep more weights, until those on paths from the input to the output are as many as --sparsity leaves");
  command.add_option("--rank", o.rank, "Which scores stay: highest (default) or lowest");
  command.add_option(
      "--masks", o.masks,
      "Start from these masks, which --masks-out wrote; default: from the exact zeros of the weights, if there are any");
  o.channels.describe(command);
  command
      .add_option("--method", o.method,
                  "score: weights go by the scores of --criterion; merge: hidden units take up one another, pair by pair and "
                  "without data; eagle_eye: the best of many random shapes under --budget flops:F")
      ->capture_default_str();
  o.merging.describe(command);
  o.search.describe(command);
  command.add_option("--trainability", o.trainability,
                     "Say for so many images of --data how the singular values of the Jacobian of outputs by inputs changed");
  command.add_option("--masks-out", o.masks_out,
                     "File for the masks, safetensors: U8, 1 where the weight is kept, under mask.NAME");
  command.add_option(
      "--packed", o.packed,
      "File for the kept weights alone, 5 bytes each, for devices: evaluate, inspect, train, teach and prune read it as weights");
  command.add_option("--out", o.out,
                     "File for the masked weights, safetensors: exactly the names and dtypes of --weights, or of the network's "
                     "state_dict; of a .pt2 network, the same with .pt2, or its state_dict; with --shrink and --method merge "
                     "F32, or F64 where --weights is");
}

/// Prunes stored weights, and refuses flags that only a network has a use for.
void run_checkpoint(prune_options const& o, double density) {
  constexpr std::string_view useful[]{"--checkpoint", "--criterion", "--mask",    "--sparsity", "--density", "--out",
                                      "--include",    "--exclude",   "--replace", "--seed",     "--threads", "--json"};
  o.typed.refuse_all_but({useful}, " is for pruning a network: leave it out, or give --arch instead of --checkpoint");
  prune_checkpoint(o.checkpoint, {checkpoint_criterion(o.criterion), o.mask, density, o.seed, o.out, o.json});
}

/// Refuses outputs that would replace one another or what is read. Weights and masks may be pruned in place: --out may be --weights or
/// --model, and --masks-out may be --masks.
void require_outputs_distinct(prune_options const& o) {
  auto const describes = (o.method != "score" || o.channels.shrink) && !names_exported(o.out);
  auto const description = describes ? std::filesystem::path(o.out).replace_extension(".json").string() : std::string();
  std::vector<named_file> const outputs{{"--out", o.out},
                                        {"--masks-out", o.masks_out},
                                        {"--packed", o.packed},
                                        {"--onnx", o.channels.onnx, file_kind::onnx},
                                        {"--ratios", o.channels.ratios, file_kind::plot},
                                        {"the description of the smaller network", description, file_kind::description}};
  auto const arch = std::filesystem::exists(o.arch) ? o.arch : std::string();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<named_file> others(outputs.begin() + static_cast<std::ptrdiff_t>(i) + 1, outputs.end());
    others.insert(others.end(), {{"--teacher", o.teacher}, {"--teacher-arch", o.teacher_arch}, {"--data", o.images.data}});
    if (outputs[i].path != o.out) others.insert(others.end(), {{"--weights", o.weights}, {"--arch", arch}});
    if (outputs[i].path != o.masks_out) others.push_back({"--masks", o.masks});
    require_output(outputs[i], others);
  }
}

void run_scored(prune_options const& o, pruning_spec const& spec) {
  in_precision(o.engine, [&](auto t) { prune_as<decltype(t)>(o, spec); });
}

/// Refuses a command that writes nothing, or not what needs a file of its own.
void require_an_output(prune_options const& o, method_kind method) {
  if (!o.out.empty()) return;
  if (o.checkpoint.asked() || o.channels.shrink || method != method_kind::score)
    refuse("where to write is missing: name a file with --out");
  if (o.masks_out.empty() && o.packed.empty() && o.channels.onnx.empty())
    refuse(
        "where to write is missing: name a file for the masked weights with --out, for the kept ones alone with --packed, or for "
        "the "
        "masks with --masks-out");
}

void run(prune_options const& typed_options) {
  auto o = typed_options;
  if (o.has_sparsity() && o.density >= 0) refuse("--sparsity and --density say the same: give one of them");
  auto const method = parse_choice("method", method_names, o.method);
  if (method != method_kind::merge) o.typed.refuse(merging_flags, " is for --method merge: choose that, or leave it out");
  if (method != method_kind::eagle_eye) o.typed.refuse(search_flags, " is for --method eagle_eye: choose that, or leave it out");
  require_an_output(o, method);
  if (o.checkpoint.asked()) return run_checkpoint(o, o.has_sparsity() ? 1 - o.sparsity : o.density);
  constexpr std::string_view of_files[]{"--include", "--exclude", "--replace"};
  o.typed.refuse(of_files, " is for files without an architecture: name those with --checkpoint, or leave it out");
  if (o.arch.empty())
    refuse(
        "what to prune is missing: give --arch and mostly --weights, --model for a .pt2 file, or --checkpoint for files of any "
        "model");
  require_outputs_distinct(o);
  if (!o.channels.ratios.empty()) require_plot(o.channels.ratios);
  if (lnpt::io::has_ending(o.out, ".onnx"))
    refuse(o.out, " is written beside the weights: name it with --onnx, and --out small.safetensors");
  if (names_exported(o.out) && !names_exported(o.arch))
    refuse(o.out, " is written from a .pt2 network: name one with --model, or write --out to .safetensors");
  if (method != method_kind::score) return run_without_scores(o, method);
  if (o.density >= 0) o.sparsity = 1 - o.density;
  pruning_spec spec{.criterion = o.asked_criterion(), .at_least = o.at_least, .seed = o.seed};
  set_by_flag(spec.criterion, "rank", o.rank);
  spec.mask = parse_choice("mask", mask_names, o.mask);
  spec.unreached = parse_choice("treatment of unreached weights", unreached_names, o.unreached);
  if (o.channels.shrink && !o.packed.empty())
    refuse("--packed leaves pruned weights out of a file and --shrink out of the network: leave one of them out");
  if (o.spend_on_live && spec.mask != mask_kind::global && spec.mask != mask_kind::layerwise)
    refuse("--spend-on-live is for masks of single weights: give --mask global or layerwise, not ", o.mask);
  if (spec.criterion.scores_filters() && !takes_channels(spec.mask))
    refuse(spec.criterion.text, " scores whole filters, so that --mask ", o.mask,
           " would choose among their weights by place alone: add --mask channels, or choose a criterion of single weights");
  if (spec.criterion.per_channel && !takes_channels(spec.mask))
    refuse("a channel score is of whole channels, and --mask ", o.mask, " takes single weights: add --mask channels");
  if (o.channels.coupled() && o.has_sparsity()) refuse("--budget and --sparsity both say how much to remove: leave one out");
  o.channels.apply_to(spec);
  if (o.channels.coupled()) return run_scored(o, spec);
  constexpr double two_of_four = 0.5;
  if (spec.mask == mask_kind::two_of_four && o.has_sparsity() && o.sparsity != two_of_four)
    refuse("2:4 removes half of the weights, not ", o.sparsity, ": leave --sparsity out");
  if (spec.mask != mask_kind::two_of_four && !o.has_sparsity())
    refuse("how much to remove is missing: give --sparsity, such as .95, or with --mask channels --budget, such as flops:0.65");
  spec.sparsity = o.has_sparsity() ? o.sparsity : two_of_four;
  run_scored(o, spec);
}

}  // namespace

void add_prune(CLI::App& app) {
  add_command<prune_options>(
      app,
      {"prune", "Prune a network by a criterion; writes masked weights and masks",
       "The output loads as a state_dict, strictly; pruned weights are exactly 0.\n\n"
       "  lnpt prune --arch vgg:19:64 --weights vgg.safetensors --data batch.safetensors --criterion snip --sparsity .95 \\\n"
       "    --out pruned.safetensors --masks-out masks.safetensors\n"
       "  lnpt prune --model net.pt2 --data batch.safetensors --criterion snip --sparsity .9 --out pruned.pt2\n"
       "  lnpt prune --checkpoint Llama-3-8B --sparsity .5 --out Llama-3-8B-half\n"
       "  lnpt prune --checkpoint Llama-3-8B/model.safetensors.index.json --mask 2:4 --exclude \"*.down_proj.*\" --out sparse\n"
       "  lnpt prune --arch resnet:20:16,32,64 --criterion synflow --sparsity .99 --out pruned.safetensors\n"
       "  lnpt prune --arch resnet:20:16,32,64 --weights r.safetensors --criterion magnitude --mask 2:4 --out "
       "pruned.safetensors\n"
       "  lnpt prune --arch mlp:784,128,128,64,10 --weights m.safetensors --method merge --target .5 --box 0,1 --out "
       "small.safetensors\n"
       "  lnpt prune --arch resnet:56:16,32,64:a --weights r.safetensors --criterion magnitude --mask channels \\\n"
       "    --budget flops:0.65 --round --shrink --out small.safetensors --onnx small.onnx --ratios small.svg\n"
       "  lnpt prune --model net.pt2 --criterion magnitude --mask channels --budget flops:0.5 --shrink --out small.pt2"},
      describe, run);
}

}  // namespace cli
