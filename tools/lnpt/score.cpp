// lnpt score: what each weight is worth.
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <string_view>

#include <lnpt/io/safetensors_writer.hpp>

#include "file_contents.hpp"
#include "loading.hpp"
#include "output_files.hpp"
#include "progress.hpp"
#include "score_checkpoint.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

/// The scores as F64 under the parameters' own names; parameters without scores are absent.
template <class T>
void save_scores(lnpt::score_set<T> const& scores, std::string const& path) {
  lnpt::io::safetensors::writer writer;
  writer.metadata(holds_key, holds_scores);
  for (auto const& p : scores.parameters) {
    auto const values = lnpt::values_of(p.values);
    writer.add(p.name, lnpt::shape_of(p.values), std::vector<double>(values.begin(), values.end()));
  }
  writer.save(path);
}

template <class T>
void print_scores(lnpt::score_set<T> const& scores, scoring_options const& o) {
  nlohmann::ordered_json all{{"parameters", nlohmann::json::array()},
                             {"unreached", scores.unreached},
                             {"seconds", scores.seconds},
                             {"weights", o.weights_used()}};
  text_table table({"parameter", "weights", "least", "mean", "largest"});
  for (auto const& p : scores.parameters) {
    auto const values = lnpt::values_of(p.values);
    auto const [least, largest] = std::minmax_element(values.begin(), values.end());
    double sum = 0;
    for (auto const v : values) sum += static_cast<double>(v);
    auto const mean = sum / static_cast<double>(values.size());
    all["parameters"].push_back(
        {{"name", p.name}, {"weights", values.size()}, {"least", *least}, {"mean", mean}, {"largest", *largest}});
    table.add({p.name, std::to_string(values.size()), fmt::format("{:.4g}", *least), fmt::format("{:.4g}", mean),
               fmt::format("{:.4g}", *largest)});
  }
  if (o.json) return fmt::print("{}\n", all.dump(2));
  table.print();
  for (auto const& name : scores.unreached) fmt::print("{} has no scores: the loss does not reach it\n", name);
  fmt::print("scored in {:.2f} s; weights: {}\n", scores.seconds, o.weights_used());
}

template <class T>
void score_as(scoring_options const& o, criterion_spec const& criterion) {
  auto const engine = open_scoring_engine<T>(o.engine, o.threads);
  auto [student, data] = load_case<T>(o, criterion, *engine);
  auto const scores = [&] {
    round_progress along(criterion.text);
    return engine->score(
        student, data,
        {.criterion = criterion, .sparsity = o.has_sparsity() ? o.sparsity : 0, .seed = o.seed, .progress = std::ref(along)});
  }();
  lnpt::require_finite(scores);
  if (!o.out.empty()) save_scores(scores, o.out);
  o.note_unread(criterion);
  print_scores(scores, o);
}

struct score_options : scoring_options {
  checkpoint_choice checkpoint;
};

void describe(CLI::App& command, score_options& o) {
  o.describe(command);
  o.checkpoint.describe(command, "whose scores are told as a histogram for each tensor; criteria magnitude (default) and random");
  command.add_option("--out", o.out, "File for the scores, safetensors: F64 under each parameter's name, larger = keep");
}

/// Scores stored weights, and refuses flags that only a network has a use for.
void run_checkpoint(score_options const& o) {
  constexpr std::string_view useful[]{"--checkpoint", "--criterion", "--include", "--exclude", "--seed", "--threads", "--json"};
  o.typed.refuse_all_but({useful}, " is for scoring a network: leave it out, or give --arch instead of --checkpoint");
  score_checkpoint(o.checkpoint, {checkpoint_criterion(o.criterion), o.seed, o.json});
}

void run(score_options const& o) {
  if (o.checkpoint.asked()) return run_checkpoint(o);
  if (o.arch.empty())
    refuse(
        "what to score is missing: give --arch and mostly --weights, --model for a .pt2 file, or --checkpoint for files of any "
        "model");
  require_output({"--out", o.out}, {{"--arch", o.arch},
                                    {"--weights", o.weights},
                                    {"--teacher", o.teacher},
                                    {"--teacher-arch", o.teacher_arch},
                                    {"--data", o.images.data}});
  auto criterion = o.asked_criterion();
  if (!criterion.rounds && !o.has_sparsity() && o.schedule.empty()) criterion.rounds = 1;  // of the network as it is
  if (criterion.per_channel) refuse("a channel score makes one of many, and score shows them all: leave it out");
  if (criterion.rounds_used() > 1 && criterion.scores_filters())
    refuse(criterion.text, " scores whole filters, and rounds of scoring prune single weights: leave --rounds out");
  if (criterion.rounds_used() > 1 && !o.has_sparsity())
    refuse(criterion.text, " in ", criterion.rounds_used(),
           " rounds has to know where they lead: give --sparsity, or --rounds 1");
  if (criterion.rounds_used() == 1 && o.has_sparsity())
    refuse("--sparsity says where rounds of scoring lead, and ", criterion.text, " scores once: leave it out, or give --rounds");
  in_precision(o.engine, [&](auto t) { score_as<decltype(t)>(o, criterion); });
}

}  // namespace

void add_score(CLI::App& app) {
  add_command<score_options>(
      app,
      {"score", "Score every prunable weight of a network by a criterion",
       "Scores are of the network as it is or, with --sparsity S and --rounds N (of synflow 100), of the last of N rounds before "
       "its mask.\n\n"
       "  lnpt score --arch vgg:19:64 --weights vgg.safetensors --data batch.safetensors --criterion snip --out "
       "scores.safetensors\n"
       "  lnpt score --arch resnet:32:32,64,128 --weights s.safetensors --teacher t.safetensors --data batch.safetensors\n"
       "  lnpt score --arch resnet:56:16,32,64:a --criterion synflow --sparsity .99 --out scores.safetensors\n"
       "  lnpt score --checkpoint Llama-3-8B"},
      describe, run);
}

}  // namespace cli
