#include "shrinking.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/network_description.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/structure/budget.hpp>
#include <lnpt/structure/recalibrate.hpp>

#include "batch_counters.hpp"
#include "text.hpp"
#include "text_table.hpp"
#include "written_state.hpp"

namespace cli {

void shrink_choice::describe(CLI::App& command) {
  command.add_option(
      "--budget", budget,
      "With --mask channels: what goes once channels are removed with all that is coupled to them, as channels:0.5, "
      "parameters:0.9 or flops:0.65");
  command.add_flag("--round", round, "Keep widths at what the engine is good at, removing others until the budget holds");
  auto* const smaller = command.add_flag("--shrink", shrink, "Write the physically smaller network, proved equal to its mask");
  command
      .add_flag("--constant-channel", constant_channel,
                "Where masked channels still say a constant before a padded convolution, keep one that stands for all")
      ->needs(smaller);
  command.add_flag("--recalibrate", recalibrate,
                   "After --shrink, set the running statistics of batch norm to those of the images of --data; no labels");
  auto* const file = command.add_option("--onnx", onnx, "Also write the network as an ONNX file");
  command.add_flag("--keep-batch-norm", keep_batch_norm, "In the ONNX file, keep batch norm beside the convolutions it follows")
      ->needs(file);
  command.add_option("--ratios", ratios, "Plot what remains of every layer, as .svg or as a gnuplot script .gp");
}

void shrink_choice::apply_to(pruning_spec& spec) const {
  if (recalibrate && !shrink) refuse("--recalibrate is of the smaller network: give --shrink too");
  if (round && budget.empty()) refuse("--round rounds the widths under a budget: give --budget, such as flops:0.65");
  if (budget.empty()) return;
  if (spec.mask != mask_kind::channels) refuse("--budget removes whole channels: give --mask channels");
  auto const pieces = split(budget, ':');
  if (pieces.size() != 2) refuse("\"", budget, "\" is no budget: write channels:0.5, parameters:0.9 or flops:0.65");
  spec.unit = parse_choice("unit of a budget", budget_units, std::string(pieces[0]));
  spec.sparsity = parse_number<double>("budget", pieces[1]);
  if (!(spec.sparsity >= 0 && spec.sparsity < 1))
    refuse("a budget of ", pieces[1], " is outside [0, 1): write what goes, such as flops:0.65");
  if (round) spec.rounding = lnpt::round_to<cpu_network<float>>();
}

namespace {

constexpr std::size_t most_samples = 32;

template <class T>
lnpt::cpu::array<T> proving_inputs(scoring_data<lnpt::cpu::array<T>> const& data) {
  if (!data.batches.empty()) {
    auto const& batch = data.batches.front().input;
    return lnpt::rows(batch, 0, std::min(most_samples, lnpt::shape_of(batch).at(0)));
  }
  auto extents = data.sample;
  extents.insert(extents.begin(), 4);
  std::vector<T> noise(lnpt::element_count(extents));
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<T>(lnpt::normal(1, 0, i).first);
  return lnpt::tensor_traits<lnpt::cpu::array<T>>::make(extents, noise);
}

template <class T>
void require_batch_norm(cpu_network<T> const& network) {
  auto const is_norm = [](auto const& node) { return std::holds_alternative<lnpt::nn::batch_norm>(node.rules); };
  if (std::ranges::none_of(network.nodes(), is_norm))
    refuse("--recalibrate sets the running statistics of batch norm, and the network has none: leave it out");
}

/// Running statistics of the images that scored.
template <class T>
void recalibrate_on(scoring_data<lnpt::cpu::array<T>> const& data, cpu_network<T>& network) {
  if (data.batches.empty()) refuse("--recalibrate measures batch norm on images: name them with --data");
  std::vector<lnpt::cpu::array<T>> parts;
  for (auto const& batch : data.batches) parts.push_back(batch.input);
  lnpt::recalibrate(network, std::span<lnpt::cpu::array<T> const>(parts));
}

double fraction(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// Whether the file holds double weights, which are then written as such.
bool holds_double(shrink_files const& files) {
  if (files.weights.empty()) return false;
  auto const file = lnpt::io::safetensors::open(files.weights);
  return std::ranges::any_of(file.entries(), [&](auto const& tensor) {
    return tensor.name.starts_with(files.names.prefix) && tensor.name.ends_with(".weight") &&
           tensor.dtype == lnpt::io::dtype::f64;
  });
}

/// The counters of batch norm that the network had before, as `load_state_dict` of a smaller module wants them.
std::map<std::string, std::int64_t> counters_before(shrink_files const& files) {
  if (!files.weights.empty()) {
    auto const file = lnpt::io::safetensors::open(files.weights);
    return batch_counters(file, files.names).after(0);
  }
  return files.exported.path.empty() ? std::map<std::string, std::int64_t>() : batch_counters(files.exported).after(0);
}

template <class Stored, class T>
void save_state(cpu_network<T>& network, std::map<std::string, std::string> const& metadata, written_names const& names,
                shrink_files const& files) {
  lnpt::io::safetensors::writer writer;
  add_state<Stored>(writer, network, names);
  auto const buffers = network.buffers();
  auto const is_of_norm = [&](std::string const& counter) {  // and not of one that is gone
    auto const mean = counter.substr(0, counter.rfind('.') + 1) + "running_mean";
    return std::ranges::any_of(buffers, [&](auto const& each) { return each.name == mean; });
  };
  for (auto const& [name, count] : counters_before(files))
    if (is_of_norm(name)) writer.add(names(name), {}, std::vector<std::int64_t>{count});
  for (auto const& [key, value] : metadata) writer.metadata(key, value);
  writer.save(files.out);
}

void save_description(std::string const& json, std::filesystem::path path) {
  path.replace_extension(".json");
  auto const text = json + '\n';
  lnpt::io::atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace

template <class T>
void save_smaller(cpu_network<T>& smaller, cpu_network<T>& before, lnpt::shape const& sample,
                  std::vector<lnpt::whole_tensor> const& left_whole, shrink_files const& files) {
  written_names const names(files.weights, files.names);
  auto const json = names(lnpt::io::describe(smaller, sample)).dump();
  auto whole = left_whole;
  for (auto& each : whole) each.name = names(each.name);
  std::map<std::string, std::string> const metadata{{lnpt::io::description_key, json},
                                                    {before_key, names(lnpt::io::describe(before, sample)).dump()},
                                                    {left_whole_key, left_whole_as_json(whole).dump()}};
  if (holds_double(files))
    save_state<double>(smaller, metadata, names, files);
  else
    save_state<float>(smaller, metadata, names, files);
  save_description(json, files.out);
}
template void save_smaller(cpu_network<float>&, cpu_network<float>&, lnpt::shape const&, std::vector<lnpt::whole_tensor> const&,
                           shrink_files const&);
template void save_smaller(cpu_network<double>&, cpu_network<double>&, lnpt::shape const&, std::vector<lnpt::whole_tensor> const&,
                           shrink_files const&);

template <class T>
shrink_summary shrink_and_save(cpu_network<T>& network, lnpt::mask_set& masks, scoring_data<lnpt::cpu::array<T>> const& data,
                               shrink_choice const& choice, shrink_files const& files) {
  if (choice.recalibrate) require_batch_norm(network);
  auto smaller = lnpt::shrink(network, masks, proving_inputs(data), {.constant_channel = choice.constant_channel});
  shrink_summary summary{lnpt::count(network, data.sample), lnpt::count(smaller.model, data.sample), smaller.certificate,
                         std::move(smaller.left_whole)};
  if (choice.recalibrate) recalibrate_on(data, smaller.model);
  if (names_exported(files.out))
    save_smaller_program(files.exported, smaller.model, files.out);
  else
    save_smaller(smaller.model, network, data.sample, summary.left_whole, files);
  network = std::move(smaller.model);
  masks = std::move(smaller.masks);
  return summary;
}

template shrink_summary shrink_and_save(cpu_network<float>&, lnpt::mask_set&, scoring_data<lnpt::cpu::array<float>> const&,
                                        shrink_choice const&, shrink_files const&);
template shrink_summary shrink_and_save(cpu_network<double>&, lnpt::mask_set&, scoring_data<lnpt::cpu::array<double>> const&,
                                        shrink_choice const&, shrink_files const&);

void print_sizes(lnpt::network_count const& before, lnpt::network_count const& after,
                 std::vector<lnpt::whole_tensor> const& left_whole) {
  text_table table({"layer", "before", "after", "parameters %", "multiply-adds"});
  for (auto const& old : before.parameters) {
    auto const* const now = after.find(old.name);
    if (old.multiply_adds == 0 || now == nullptr) continue;
    table.add({old.name, fmt::format("{}", fmt::join(old.extents, "×")), fmt::format("{}", fmt::join(now->extents, "×")),
               fmt::format("{:.1f}", 100 * fraction(now->size(), old.size())), std::to_string(now->multiply_adds)});
  }
  table.print();
  fmt::print("parameters {} → {} ({:.1f} %), multiply-adds {} → {} ({:.1f} %)\n", before.size(), after.size(),
             100 * fraction(after.size(), before.size()), before.multiply_adds(), after.multiply_adds(),
             100 * fraction(after.multiply_adds(), before.multiply_adds()));
  for (auto const& whole : left_whole) fmt::print("left whole: {}: {}\n", whole.name, whole.reason);
}

void print(shrink_summary const& s) {
  print_sizes(s.before, s.after, s.left_whole);
  fmt::print("equal to its mask: largest difference {:.1e}, {:.1e} of the largest logit, on {} inputs\n",
             s.certificate.largest_difference, s.certificate.relative(), s.certificate.inputs);
}

nlohmann::ordered_json left_whole_as_json(std::vector<lnpt::whole_tensor> const& left_whole) {
  auto list = nlohmann::ordered_json::array();
  for (auto const& whole : left_whole) list.push_back({{"name", whole.name}, {"reason", whole.reason}});
  return list;
}

std::vector<lnpt::whole_tensor> parse_left_whole(std::string const& json) {
  std::vector<lnpt::whole_tensor> result;
  auto const list = nlohmann::ordered_json::parse(json, nullptr, false);
  if (!list.is_array()) return result;
  for (auto const& each : list)
    if (each.is_object() && each.contains("name") && each["name"].is_string() && each.contains("reason") &&
        each["reason"].is_string())
      result.push_back({each["name"].get<std::string>(), each["reason"].get<std::string>()});
  return result;
}

nlohmann::ordered_json sizes_as_json(lnpt::network_count const& before, lnpt::network_count const& after,
                                     std::vector<lnpt::whole_tensor> const& left_whole) {
  nlohmann::ordered_json all{{"layers", nlohmann::json::array()}};
  for (auto const& old : before.parameters)
    if (auto const* const now = after.find(old.name))
      all["layers"].push_back(
          {{"name", old.name}, {"before", old.extents}, {"after", now->extents}, {"multiply_adds", now->multiply_adds}});
  all["parameters"] = {before.size(), after.size()};
  all["multiply_adds"] = {before.multiply_adds(), after.multiply_adds()};
  all["left_whole"] = left_whole_as_json(left_whole);
  return all;
}

nlohmann::ordered_json as_json(shrink_summary const& s) {
  auto all = sizes_as_json(s.before, s.after, s.left_whole);
  all["certificate"] = {{"inputs", s.certificate.inputs},
                        {"largest_difference", s.certificate.largest_difference},
                        {"relative", s.certificate.relative()},
                        {"tolerance", s.certificate.tolerance}};
  return all;
}

std::vector<layer_ratio> ratios_of(lnpt::prune_report const& report) {
  std::vector<layer_ratio> ratios;
  for (auto const& layer : report.layers) ratios.push_back({layer.name, fraction(layer.kept, layer.total)});
  return ratios;
}

}  // namespace cli
