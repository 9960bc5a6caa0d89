// lnpt evaluate: how often a network is right.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include <lnpt/core/tensor.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/loss/count_right.hpp>

#include "command.hpp"
#include "engine.hpp"
#include "file_contents.hpp"
#include "found_masks.hpp"
#include "latency.hpp"
#include "loading.hpp"
#include "output_files.hpp"

namespace cli {

namespace {

struct evaluate_options : common_options {
  static constexpr bool draws = false;
  std::string arch, weights, weights_prefix;
  std::size_t classes = 0;
  naming names;
  data_options images;
  engine_choice engine;
  bool latency = false;
  std::string logits;  ///< file; empty: not asked for
};

/// Milliseconds that a prediction takes: of one sample alone, and of a batch.
struct latency {
  static constexpr std::size_t batch = 32;
  double one = 0, many = 0;
};

/// What was counted, and of how many samples.
struct verdict {
  std::size_t right = 0;
  std::size_t samples = 0;
  bool knows_labels = true;
  std::optional<latency> took = std::nullopt;

  [[nodiscard]] double accuracy() const { return samples == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(samples); }
};

std::optional<latency> latency_of(evaluate_options const& o, predictor<float> const& predict, lnpt::shape const& sample) {
  if (!o.latency) return std::nullopt;
  return latency{least_milliseconds(predict, sample, 1), least_milliseconds(predict, sample, latency::batch)};
}

/// The same predictor, which refuses logits that decide nothing.
predictor<float> requiring_numbers(predictor<float> const& predict) {
  return [predict](lnpt::cpu::array<float> const& input) {
    auto predicted = predict(input);
    if (!std::ranges::all_of(lnpt::values_of(predicted.output), [](float v) { return std::isfinite(v); }))
      lnpt::fail(
          "the network's outputs are NaN or infinite for some samples, which decides nothing: evaluate finite weights on finite "
          "inputs, normalised as in training");
    return predicted;
  };
}

/// Logits of all samples in their order, as the predictions that they were copied from came.
class logit_rows {
 public:
  /// The same predictor, whose logits are copied.
  [[nodiscard]] predictor<float> copied(predictor<float> const& predict) {
    return [this, predict](lnpt::cpu::array<float> const& input) {
      auto predicted = predict(input);
      auto const rows = lnpt::values_of(predicted.output);
      values_.insert(values_.end(), rows.begin(), rows.end());
      classes_ = lnpt::shape_of(predicted.output).back();
      return predicted;
    };
  }
  void save(std::string const& path, std::string const& arch) const {
    lnpt::io::safetensors::writer writer;
    writer.add("logits", {values_.size() / classes_, classes_}, values_);
    writer.metadata(holds_key, holds_logits);
    writer.metadata("arch", arch);
    writer.save(path);
  }

 private:
  std::vector<float> values_;
  std::size_t classes_ = 1;
};

trained_network open_network(evaluate_options const& o, surroundings const& around) {
  return cli::open_network({o.arch, o.weights, o.weights_prefix, o.classes}, o.names, o.images.data, around);
}

/// The network's answers, by its kept weights where it is pruned and they cost less.
predictor<float> open_predictor(evaluate_options const& o, training_engine const& engine, trained_network& network) {
  auto const found = find_masks(network, {{}, o.weights, o.weights_prefix, o.arch, o.names});
  return found ? engine.open_masked(network, found->masks, o.engine.how()) : engine.open(network);
}

/// A file of tensors, as they are, in pieces of a batch.
verdict evaluate_file(evaluate_options const& o, training_engine const& engine) {
  scoring_data<lnpt::cpu::array<float>> data;
  auto const file = lnpt::io::safetensors::open(o.images.data);
  read_batches(file, data, lnpt::evaluation_batch, true);
  if (!data.labels && o.logits.empty())
    lnpt::fail(file.name(),
               " holds no labels, which accuracy is measured with: add \"labels\" [samples], or ask for --logits alone");
  auto network = open_network(o, {data.sample, classes_unless_said});
  auto const predict = requiring_numbers(open_predictor(o, engine, network));
  logit_rows logits;
  auto const predict_and_copy = logits.copied(predict);
  verdict seen{.knows_labels = data.labels.has_value()};
  for (std::size_t i = 0; i < data.batches.size(); ++i) {
    auto const output = predict_and_copy(data.batches[i].input).output;
    if (data.labels)
      seen.right += held_in(file.name(), [&] { return lnpt::count_right(output, (*data.labels)[i], seen.samples); });
    seen.samples += lnpt::shape_of(output).front();
  }
  if (seen.samples == 0) lnpt::fail(file.name(), " holds no samples: evaluate one at least");
  if (!o.logits.empty()) logits.save(o.logits, o.arch);
  seen.took = latency_of(o, predict, data.sample);
  return seen;
}

verdict evaluate_data_set(evaluate_options const& o, training_engine const& engine) {
  auto const data = open_data(o.images);
  if (o.logits.empty()) require_test_labels(data);
  auto network = open_network(o, around(data.train));
  auto const predict = requiring_numbers(open_predictor(o, engine, network));
  logit_rows logits;
  auto const predict_and_copy = logits.copied(predict);
  auto const knows_labels = data.test.has_labels();
  std::size_t right = 0;
  if (knows_labels)
    right = held_in(data.name, [&] { return count_right(predict_and_copy, data.test); });
  else
    (void)decide(predict_and_copy, data.test);
  if (!o.logits.empty()) logits.save(o.logits, o.arch);
  return {.right = right,
          .samples = data.test.size(),
          .knows_labels = knows_labels,
          .took = latency_of(o, predict, around(data.train).input)};
}

void describe(CLI::App& command, evaluate_options& o) {
  command.add_option("--arch,--model", o.arch, std::string("Network: ") + architecture_forms)->required();
  auto* const weights =
      command.add_option("--weights", o.weights, "The network's state_dict, safetensors; of a .pt2 network, its own by default");
  command.add_option("--weights-prefix", o.weights_prefix, "What its names begin with")->needs(weights);
  command.add_option("--classes", o.classes, classes_flag_text)->check(above_zero());
  command
      .add_option("--data", o.images.data,
                  std::string("What to evaluate on, of images those for testing: ") + data_forms + batch_forms)
      ->required();
  command.add_flag("--latency", o.latency, "Also time a prediction of one sample, and of a batch of 32: the least of 20 runs");
  command.add_option("--logits", o.logits, "File for the logits, safetensors: F32 \"logits\" [samples, classes]");
  o.images.describe_images(command);
  o.names.describe(command);
  o.engine.describe(command);
  o.engine.describe_execution(command);
}

void run(evaluate_options const& o) {
  auto const arch = std::filesystem::exists(o.arch) ? o.arch : std::string();
  require_output({"--logits", o.logits}, {{"--data", o.images.data}, {"--weights", o.weights}, {"--arch", arch}});
  o.names.require_use({{o.weights, o.weights_prefix}});
  (void)o.engine.how();  // which networks without masks do not ask
  auto const engine = open_training_engine(o.engine, o.threads);
  auto const seen = names_batch_file(o.images) ? evaluate_file(o, *engine) : evaluate_data_set(o, *engine);
  if (o.json) {
    nlohmann::ordered_json all{{"samples", seen.samples}};
    if (seen.knows_labels) all.update({{"accuracy", seen.accuracy()}, {"right", seen.right}});
    if (seen.took) all["milliseconds"] = {{"one", seen.took->one}, {"batch_of_32", seen.took->many}};
    return fmt::print("{}\n", all.dump(2));
  }
  auto const& name = o.weights.empty() ? o.arch : o.weights;
  if (seen.knows_labels)
    fmt::print("{}: {:.2f} % right, {} of {} samples\n", name, 100 * seen.accuracy(), seen.right, seen.samples);
  else
    fmt::print("{}: logits of {} samples, which have no labels\n", name, seen.samples);
  if (seen.took)
    fmt::print("{:.2f} ms for one sample, {:.2f} ms for a batch of {}\n", seen.took->one, seen.took->many, latency::batch);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  add_command<evaluate_options>(
      app,
      {"evaluate", "Say how often a network is right",
       "  lnpt evaluate --arch resnet:20:16,32,64 --weights student.safetensors --data cifar10:cifar-10-batches-bin\n"
       "  lnpt evaluate --arch mlp:12,16,10,5 --weights mlp.safetensors --data batch.safetensors"},
      describe, run);
}

}  // namespace cli
