// lnpt robustness: how far a network keeps its decisions, or those of the network it came from, when inputs move.
#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

#include <lnpt/analysis/robustness.hpp>
#include <lnpt/train/batches.hpp>

#include "command.hpp"
#include "loading.hpp"
#include "progress.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

struct robustness_options : common_options {
  static constexpr bool draws = false;
  network_source network,
      reference{.arch_flag = "--reference-model", .weights_flag = "--reference", .naming = "--rename and --ignore-extra"};
  naming names;
  data_options images;
  std::string epsilons = "0.01,0.03,0.1";
  std::string box;  ///< empty: that of the inputs
  lnpt::attack_options attack;
};

/// The samples in pieces small enough for bounds of wide layers.
constexpr std::size_t piece = 100;

/// The samples and the shape of one.
struct samples {
  lnpt::shape input;
  std::size_t classes = 0;
  std::vector<lnpt::cpu::array<float>> batches;
  double low = 0, high = 1;  ///< what numbers as they are, and bytes once they are normalised, lie between
};

/// What black and white of all channels are normalised to lies between these.
void set_box(samples& of, lnpt::io::image_set const& images) {
  lnpt::io::image_set ends{.channels = images.channels, .height = 1, .width = 1, .mean = images.mean, .stddev = images.stddev};
  for (auto const end : {std::uint8_t{0}, std::uint8_t{255}}) ends.pixels.insert(ends.pixels.end(), images.channels, end);
  auto const values = lnpt::values_of(lnpt::gather_images<float>(ends, {{0, 1}, {}}));
  auto const [low, high] = std::ranges::minmax_element(values);
  of.low = *low;
  of.high = *high;
}

samples read_samples(robustness_options const& o) {
  samples found;
  if (names_batch_file(o.images)) {
    scoring_data<lnpt::cpu::array<float>> data;
    read_batches(lnpt::io::safetensors::open(o.images.data), data, piece, false);
    for (auto& batch : data.batches) found.batches.push_back(std::move(batch.input));
    found.input = data.sample;
    return found;
  }
  auto const images = open_data(o.images).test;
  found.input = around(images).input;
  found.classes = images.classes;
  set_box(found, images);
  for (std::size_t begin = 0; begin < images.size(); begin += piece) {
    lnpt::batch_plan plan;
    for (auto i = begin; i < std::min(begin + piece, images.size()); ++i) plan.images.push_back(i);
    found.batches.push_back(lnpt::gather_images<float>(images, plan));
  }
  return found;
}

std::string percent(std::size_t part, std::size_t whole) {
  return fmt::format("{:.1f}", whole == 0 ? 0.0 : 100 * static_cast<double>(part) / static_cast<double>(whole));
}

void print(lnpt::robustness_report const& report, bool has_reference) {
  fmt::print("{} samples, of which {} % decided as {} without attack\n", report.samples, percent(report.agreeing, report.samples),
             has_reference ? "by the reference" : "now");
  text_table table({"distance", "FGSM %", "PGD %", "certified %"});
  for (auto const& row : report.rows)
    table.add({fmt::format("{:g}", row.epsilon), percent(row.fgsm, report.samples), percent(row.pgd, report.samples),
               row.certified ? percent(*row.certified, report.samples) : "–"});
  table.print();
  if (!report.not_certified.empty()) fmt::print("not certified: {}\n", report.not_certified);
}

nlohmann::ordered_json as_json(lnpt::robustness_report const& report) {
  nlohmann::ordered_json all{{"samples", report.samples}, {"agreeing", report.agreeing}, {"rows", nlohmann::json::array()}};
  for (auto const& row : report.rows) {
    nlohmann::ordered_json each{{"epsilon", row.epsilon}, {"fgsm", row.fgsm}, {"pgd", row.pgd}};
    each["certified"] = row.certified ? nlohmann::ordered_json(*row.certified) : nlohmann::ordered_json();
    all["rows"].push_back(std::move(each));
  }
  if (!report.not_certified.empty()) all["not_certified"] = report.not_certified;
  return all;
}

void describe(CLI::App& command, robustness_options& o) {
  command.add_option("--arch,--model", o.network.arch, std::string("Network: ") + architecture_forms)->required();
  auto* const weights =
      command.add_option("--weights", o.network.weights, "Its state_dict, safetensors; of a .pt2 network, its own by default");
  command.add_option("--weights-prefix", o.network.prefix, "What its names begin with")->needs(weights);
  command.add_option("--classes", o.network.classes, "Number of classes; default: as the weights or the architecture say")
      ->check(above_zero());
  command.add_option("--reference", o.reference.weights,
                     "Weights of the network whose decisions are to be kept, such as that before pruning; default: this one");
  command.add_option("--reference-arch,--reference-model", o.reference.arch, "Its network; default: as --arch");
  command
      .add_option("--data", o.images.data,
                  std::string("What to move, of images those for testing; labels are not read: ") + data_forms + batch_forms)
      ->required();
  command.add_option("--epsilons", o.epsilons, "Distances in the largest norm, in the units of the network's input")
      ->capture_default_str();
  command.add_option(
      "--box", o.box,
      "LOW,HIGH, between which every number of an input lies; default: 0,1, and of images what black and white are "
      "normalised to");
  command.add_option("--steps", o.attack.steps, "Steps of PGD")->capture_default_str()->check(above_zero());
  o.images.describe_images(command);
  o.names.describe(command);
}

void require_same_classes(trained_network const& network, lnpt::cpu::array<float> const& x, std::size_t of_reference) {
  auto const classes = lnpt::shape_of(network.predict(lnpt::rows(x, 0, 1), {lnpt::norm_mode::eval}).output).back();
  if (classes != of_reference)
    refuse("the network tells ", classes, " classes apart and the reference ", of_reference,
           ": name a --reference with the same classes");
}

void run(robustness_options const& o) {
  auto attack = o.attack;
  auto const epsilons = parse_numbers<double>("distance", o.epsilons);
  o.names.require_use({{o.network.weights, o.network.prefix}, {o.reference.weights, ""}});
  auto const data = read_samples(o);
  attack.low = data.low;
  attack.high = data.high;
  if (!o.box.empty()) {
    auto const ends = parse_numbers<double>("end of a box", o.box);
    if (ends.size() != 2) refuse("\"", o.box, "\" is no box: write two numbers, such as 0,1");
    attack.low = ends[0];
    attack.high = ends[1];
  }
  surroundings const around{data.input, data.classes == 0 ? classes_unless_said : data.classes};
  auto network = open_network(o.network, o.names, o.images.data, around);
  std::optional<trained_network> reference;
  if (!o.reference.weights.empty() || !o.reference.arch.empty()) {
    auto from = o.reference;
    if (from.arch.empty()) from.arch = o.network.arch;
    reference = open_network(from, from.weights.empty() ? naming{} : o.names, o.images.data, around);
  }
  lnpt::robustness_report report;
  progress along(data.batches.size());
  along.doing("attacks and bounds");
  for (auto const& x : data.batches) {
    auto const output = (reference ? *reference : network).predict(x, {lnpt::norm_mode::eval}).output;
    if (reference) require_same_classes(network, x, lnpt::shape_of(output).back());
    auto const classes = lnpt::decided_classes(output);
    report = report + lnpt::robustness(network, x, classes, epsilons, attack);
    along.advance();
  }
  along.finish();
  if (o.json) {
    auto all = as_json(report);
    all["box"] = {attack.low, attack.high};
    return fmt::print("{}\n", all.dump(2));
  }
  print(report, reference.has_value());
  fmt::print("every number of an input lies between {:.4g} and {:.4g}\n", attack.low, attack.high);
}

}  // namespace

void add_robustness(CLI::App& app) {
  add_command<robustness_options>(
      app,
      {"robustness", "Say how far a network keeps its decisions when inputs move",
       "Attacks (FGSM, PGD) say what moved, interval bounds what cannot move. Neither reads labels.\n\n"
       "  lnpt robustness --arch mlp:784,128,128,64,10 --weights mlp.safetensors --data mnist:folder --mean 0 --std 1 --epsilons "
       ".01,.05\n"
       "  lnpt robustness --arch small.json --weights small.safetensors --reference-arch mlp:784,128,128,64,10 --reference \\\n"
       "    mlp.safetensors --data mnist:folder --mean 0 --std 1"},
      describe, run);
}

}  // namespace cli
