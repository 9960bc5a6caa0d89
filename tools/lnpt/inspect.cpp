// lnpt inspect: layers, shapes, what is kept, and what it costs.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <utility>

#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/count_nonzero.hpp>
#include <lnpt/io/empty_rows.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/in_quotes.hpp>
#include <lnpt/io/packed.hpp>
#include <lnpt/io/sharded_model.hpp>
#include <lnpt/out_of_core/plan.hpp>

#include "command.hpp"
#include "empty_rows.hpp"
#include "file_contents.hpp"
#include "found_masks.hpp"
#include "layer_times.hpp"
#include "loading.hpp"
#include "packed_weights.hpp"
#include "progress.hpp"
#include "shrinking.hpp"
#include "text_table.hpp"
#include <lnpt/structure/multiply_adds.hpp>

namespace cli {

namespace {

namespace ooc = lnpt::out_of_core;

struct inspect_options : common_options {
  static constexpr bool draws = false;
  std::string what, arch, prefix;
  std::string noted_input;  ///< what the file says of it
  std::string weights, mask;
  std::size_t classes = 0;
  std::string input;
  naming names;
  bool time = false;
  std::size_t batch = 1;

  /// How the names of the file become the network's.
  [[nodiscard]] lnpt::io::state_dict_options held_names() const { return names.under(prefix); }
};

/// A line of the output: one tensor of a file, or one parameter of a network.
struct tensor_line {
  std::string name;
  lnpt::shape extents;
  std::size_t size = 0;
  std::size_t kept = 0;
  std::uint64_t empty_rows = 0;  ///< outputs of whose weights none is left
  std::optional<std::size_t> multiply_adds = std::nullopt;
};

bool is_buffer(std::string_view name) {
  return name.ends_with("running_mean") || name.ends_with("running_var") || name.ends_with("num_batches_tracked");
}

/// A tensor by its mask, which says which of its rows are empty where these are outputs.
tensor_line masked_line(std::string name, lnpt::shape const& extents, lnpt::mask const& kept, ooc::model_config const& config) {
  tensor_line line{std::move(name), extents, kept.size(), kept.count()};
  if (ooc::output_rows_of(line.name, extents, config)) line.empty_rows = empty_rows(kept);
  return line;
}

/// A tensor by its zeros. Numbers of one axis, such as biases, all count as kept.
tensor_line stored_line(std::string name, lnpt::io::safetensors::file const& file, lnpt::io::safetensors::entry const& tensor,
                        ooc::model_config const& config) {
  tensor_line line{std::move(name), tensor.shape, tensor.size(), tensor.size()};
  if (tensor.shape.size() < 2) return line;
  auto const layout = ooc::output_rows_of(line.name, tensor.shape, config);
  lnpt::io::row_survey rows(tensor.dtype, layout ? layout->outer : 0, layout ? layout->row() : 0);
  line.kept = lnpt::io::count_nonzero(file, tensor, [&](std::uint64_t first, auto block) { rows.see(first, block); });
  line.empty_rows = rows.empty();
  return line;
}

/// The configuration beside a model, as far as it is one: a file is shown whatever lies beside it.
ooc::model_config config_beside(lnpt::io::sharded_model const& model) try {
  return ooc::read_config(model.folder());
} catch (lnpt::error const&) {
  return {};
}

/// The parameters of a packed file.
std::vector<tensor_line> read_packed_lines(lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names) {
  require_own_names(file, names);
  std::vector<tensor_line> lines;
  for (auto const& each : packed_masks(file)) lines.push_back(masked_line(each.name(), each.extents(), each, {}));
  for (auto const& tensor : file.entries())
    if (lnpt::io::is_floating(tensor.dtype) && !is_buffer(tensor.name) && !tensor.name.starts_with(lnpt::io::kept_prefix))
      lines.push_back({tensor.name, tensor.shape, tensor.size(), tensor.size()});
  std::ranges::sort(lines, {}, &tensor_line::name);
  return lines;
}

/// The parameters of a model's files by the network's names, with what their masks or, without one, their zeros leave. Integers are no
/// weights.
std::vector<tensor_line> read_lines(lnpt::io::sharded_model const& model, lnpt::io::state_dict_options const& names) {
  if (is_packed(model.shard(0))) return read_packed_lines(model.shard(0), names);
  auto const config = config_beside(model);
  std::vector<tensor_line> lines;
  progress along(model.tensors().size());
  along.doing("counting zeros");
  for (std::size_t s = 0; s < model.shard_count(); ++s) {
    auto const& file = model.shard(s);
    lnpt::io::tensor_names const known(file, names);
    for (auto const& tensor : file.entries()) {
      along.advance();
      auto const name = lnpt::io::model_name(tensor.name, names);
      if (name.empty() || !lnpt::io::prefix_beside(name).empty() || is_buffer(name)) continue;
      if (!lnpt::io::is_floating(tensor.dtype)) continue;
      auto const* const mask = known.find(std::string(lnpt::io::mask_prefix) + name);
      lines.push_back(
          mask == nullptr
              ? stored_line(name, file, tensor, config)
              : masked_line(name, tensor.shape, lnpt::io::load_mask(file, mask->substr(lnpt::io::mask_prefix.size())), config));
    }
  }
  return lines;
}

/// What the masks of such a file leave of the weights that they are for.
std::vector<tensor_line> read_mask_lines(lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names) {
  std::vector<tensor_line> lines;
  for (auto const& each : file.entries()) {
    auto const prefix = lnpt::io::mask_prefix.size();
    lines.push_back(masked_line(lnpt::io::model_name(each.name, names).substr(prefix), each.shape,
                                lnpt::io::load_mask(file, each.name.substr(prefix)), {}));
  }
  return lines;
}

/// The parameters of a network in its own order, as a file holds them or, without one, all kept.
std::vector<tensor_line> lines_of(cpu_network<float>& network, lnpt::shape const& input,
                                  std::optional<std::vector<tensor_line>> const& held, bool masks_alone = false) {
  auto const costs = lnpt::multiply_adds(network, input);
  std::vector<tensor_line> lines;
  for (std::size_t i = 0; auto const& p : network.parameters()) {
    tensor_line line{p.name, lnpt::shape_of(*p.value), lnpt::size_of(*p.value), lnpt::size_of(*p.value)};
    if (held) {
      auto const found = std::ranges::find(*held, p.name, &tensor_line::name);
      auto const fits = found != held->end() && lnpt::same_but_for_ones(found->extents, line.extents);
      if (!fits && !masks_alone)
        lnpt::fail("the file has no ", p.name, " of shape ", lnpt::list(line.extents),
                   ": name the architecture it was saved from with --arch, and names that differ with --prefix and --rename");
      if (fits) line = *found;
    }
    if (costs[i] != 0) line.multiply_adds = costs[i];
    lines.push_back(std::move(line));
    ++i;
  }
  return lines;
}

/// Refuses what a file holds and the network does not have, which would go unsaid. A program's state_dict may hold more than it computes with.
void require_known(std::vector<tensor_line> const& held, std::vector<tensor_line> const& lines, inspect_options const& o) {
  if (o.names.ignore_extra || names_exported(o.arch)) return;
  for (auto const& each : held) {
    auto const known = std::ranges::find(lines, each.name, &tensor_line::name);
    if (known == lines.end() || !lnpt::same_but_for_ones(known->extents, each.extents))
      lnpt::fail(
          o.what, " also holds ", lnpt::io::in_quotes(each.name), " of shape ", lnpt::list(each.extents),
          ", which the network does not have: name another with --arch, rename it with --rename, or pass over what is extra with "
          "--ignore-extra");
  }
}

/// Of parameters that no other file holds, zeros of an exported network count as pruned.
void count_zeros(cpu_network<float>& network, std::vector<tensor_line>& lines) {
  for (std::size_t i = 0; auto const& p : network.parameters()) {
    auto& line = lines[i++];
    if (!lnpt::is_prunable(p.role)) continue;
    auto const values = lnpt::values_of(*p.value);
    line.kept = line.size - static_cast<std::size_t>(std::ranges::count(values, 0.0F));
    if (p.output_axis != 0 || p.output_groups != 1 || line.extents.size() < 2) continue;
    lnpt::io::row_survey rows(lnpt::io::dtype::f32, line.extents[0], line.size / std::max<std::size_t>(line.extents[0], 1));
    rows.see(0, std::as_bytes(std::span(values)));
    line.empty_rows = rows.empty();
  }
}

/// What the file says of the network it holds; lnpt's own files name it.
std::string setting(lnpt::io::safetensors::file const& file, std::string const& name) {
  for (auto const& known : {lnpt::io::checkpoint_settings(file), file.metadata()})
    if (auto const found = known.find(name); found != known.end()) return found->second;
  return {};
}

/// What there is to show.
struct inspection {
  std::vector<tensor_line> lines;
  std::optional<std::vector<layer_time>> times = std::nullopt;
};

/// What the files say of the network, where flags do not.
void fill_in(inspect_options& o, lnpt::io::safetensors::file const& file) {
  if (o.arch.empty()) o.arch = setting(file, "arch");
  o.noted_input = setting(file, "input");
}

/// Refuses a shape that was typed and is not that of the network's own inputs.
void require_own_input(inspect_options const& o, lnpt::shape const& own) {
  if (!o.input.empty() && parse_numbers<std::size_t>("input extent", o.input) != own)
    refuse("--input says ", o.input, ", but inputs of ", o.arch, " have the shape ", lnpt::list(own), ": leave --input out");
}

/// The network that was named, and the shape of its input. `weights`: a file that may say of how many classes.
std::pair<cpu_network<float>, lnpt::shape> build(inspect_options const& o, architecture const& arch,
                                                 std::optional<lnpt::io::safetensors::file> const& weights) {
  auto const classes = choose_classes(o.classes, own_classes(arch, weights, o.held_names()), {classes_unless_said});
  if (auto const* const exported = std::get_if<exported_model>(&arch.form)) {
    auto input = exported_shape_of(exported->path).input;
    require_own_input(o, input);
    return {load_exported_network<cpu_network<float>>(*exported), std::move(input)};
  }
  auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form);
  auto const& said = o.input.empty() ? o.noted_input : o.input;
  auto input = parse_numbers<std::size_t>("input extent", said.empty() ? "3,32,32" : said);
  constexpr std::size_t most = std::size_t{1} << 16;
  if (std::ranges::any_of(input, [](auto extent) { return extent == 0 || extent > most; }))
    refuse("--input says ", said, ": give extents of 1 to ", most);
  if (sizes && said.empty()) input = {sizes->front()};
  if (auto const* const described = std::get_if<described_network>(&arch.form)) {
    input = described->input();
    require_own_input(o, input);
  }
  return {make_network<cpu_network<float>>(arch, {input, classes}, 0), input};
}

/// Milliseconds of every layer of the network, under the masks that the files hold.
std::vector<layer_time> time_network(inspect_options const& o, architecture const& arch, cpu_network<float> network,
                                     lnpt::shape const& input) {
  auto const weights = o.arch == o.what ? std::string() : o.what;
  if (!weights.empty())
    load_weights(network, arch, lnpt::io::safetensors::open(weights), o.held_names(), "--prefix, --rename and --ignore-extra");
  auto const found = find_masks(network, {o.mask, weights, o.prefix, o.arch, o.names});
  if (found && !found->fit.warning().empty()) fmt::print(stderr, "warning: {}\n", found->fit.warning());
  return time_layers(network, found ? found->masks : lnpt::mask_set{}, input, o.batch);
}

/// The tensors of a file whose network nobody names.
std::vector<tensor_line> without_network(inspect_options const& o, std::vector<tensor_line> const& held) {
  if (o.names.ignore_extra)
    refuse("--ignore-extra passes over what the network does not have, and none is named: name it with --arch, or leave it out");
  return held;
}

inspection inspect(inspect_options o) {
  std::optional<std::vector<tensor_line>> held;
  std::optional<lnpt::io::safetensors::file> weights;
  auto masks_alone = false;
  if (looks_like_architecture(o.what)) {
    o.arch = o.what;
  } else {
    lnpt::io::sharded_model const model(o.what);
    auto const contents = other_than_weights(model.shard(0));
    masks_alone = contents.has_value() && contents->name == holds_masks;
    if (masks_alone && o.time)
      refuse("--time runs weights, and ", o.what, " holds masks alone: name the weights, and --mask ", o.what);
    held = masks_alone ? read_mask_lines(model.shard(0), o.held_names()) : read_lines(model, o.held_names());
    fill_in(o, model.shard(0));
    weights.emplace(lnpt::io::safetensors::open(model.shard(0).name()));
    if (o.arch.empty() && o.time) refuse("--time runs the network, and ", o.what, " does not name it: name it with --arch");
    if (o.arch.empty()) return {without_network(o, *held)};
  }
  auto const arch = parse_architecture(o.arch);
  auto [network, input] = build(o, arch, weights);
  auto lines = lines_of(network, input, held, masks_alone);
  if (held) require_known(*held, lines, o);
  if (!held && names_exported(o.arch)) count_zeros(network, lines);
  if (!o.time) return {std::move(lines)};
  return {std::move(lines), time_network(o, arch, std::move(network), input)};
}

/// The tensors of a file that holds no weights, and what they are.
void show_contents(inspect_options const& o, lnpt::io::safetensors::file const& file, file_contents const& contents) {
  if (!o.arch.empty() || o.time)
    refuse("--arch and --time are of weights, and ", o.what, " holds ", contents.words, " and none: leave them out");
  auto all = nlohmann::ordered_json{{"holds", contents.name}, {"tensors", nlohmann::json::array()}};
  text_table table({"tensor", "shape", "values"});
  for (auto const& each : file.entries()) {
    all["tensors"].push_back({{"name", each.name}, {"shape", each.shape}});
    table.add({each.name, fmt::format("{}", fmt::join(each.shape, "×")), std::to_string(each.size())});
  }
  if (o.json) return fmt::print("{}\n", all.dump(2));
  table.print();
  fmt::print("\n{} holds {} and no weights\n", o.what, contents.words);
}

/// The layers and their sums.
void print_times(std::vector<layer_time> const& times, std::size_t batch) {
  text_table table({"layer", "dense ms", "chosen ms", ""});
  layer_time sum{"sum"};
  auto const add = [&](layer_time const& each) {
    table.add(
        {each.name, fmt::format("{:.4f}", each.dense), fmt::format("{:.4f}", each.chosen), each.sparse ? "kept weights" : ""});
  };
  for (auto const& each : times) {
    add(each);
    sum.dense += each.dense, sum.chosen += each.chosen;
  }
  add(sum);
  fmt::print("\n");
  table.print();
  fmt::print("\na prediction of {} {}: the least of {} runs, layer by layer\n", batch, batch == 1 ? "sample" : "samples",
             timed_runs);
}

nlohmann::ordered_json as_json(std::vector<layer_time> const& times) {
  auto layers = nlohmann::ordered_json::array();
  layer_time sum;
  for (auto const& each : times) {
    layers.push_back(
        {{"name", each.name}, {"dense", each.dense}, {"chosen", each.chosen}, {"execution", each.sparse ? "sparse" : "dense"}});
    sum.dense += each.dense, sum.chosen += each.chosen;
  }
  return {{"dense", sum.dense}, {"chosen", sum.chosen}, {"layers", layers}};
}

/// What all lines together come to.
struct line_sums {
  std::size_t weights = 0, kept = 0, multiply_adds = 0, multiply_adds_kept = 0;
  empty_row_count empty = {};
  bool costs_known = false;
};

line_sums sums_of(std::vector<tensor_line> const& lines) {
  line_sums sums;
  for (auto const& line : lines) {
    auto const macs = line.multiply_adds.value_or(0);
    sums.costs_known = sums.costs_known || line.multiply_adds.has_value();
    sums.weights += line.size;
    sums.kept += line.kept;
    sums.empty.add(line.empty_rows);
    sums.multiply_adds += macs;
    if (line.size != 0)
      sums.multiply_adds_kept += static_cast<std::size_t>(
          static_cast<double>(macs) * static_cast<double>(line.kept) / static_cast<double>(line.size) + 0.5);
  }
  return sums;
}

nlohmann::ordered_json as_json(inspection const& seen, std::size_t batch) {
  auto const& lines = seen.lines;
  auto const sums = sums_of(lines);
  nlohmann::ordered_json all{{"parameters", nlohmann::json::array()}};
  for (auto const& line : lines) {
    all["parameters"].push_back({{"name", line.name}, {"shape", line.extents}, {"weights", line.size}, {"kept", line.kept}});
    if (line.empty_rows != 0) all["parameters"].back()["empty_rows"] = line.empty_rows;
    if (line.multiply_adds) all["parameters"].back()["multiply_adds"] = *line.multiply_adds;
  }
  all["weights"] = sums.weights;
  all["kept"] = sums.kept;
  all["empty_rows"] = sums.empty.rows;
  if (sums.costs_known) all["multiply_adds"] = sums.multiply_adds, all["multiply_adds_kept"] = sums.multiply_adds_kept;
  if (seen.times) all["milliseconds"] = as_json(*seen.times), all["milliseconds"]["batch"] = batch;
  return all;
}

void print(inspection const& seen, std::size_t batch) {
  auto const& lines = seen.lines;
  auto const sums = sums_of(lines);
  text_table table({"parameter", "shape", "weights", "kept", "multiply-adds"});
  for (auto const& line : lines)
    table.add({line.name, fmt::format("{}", fmt::join(line.extents, "×")), std::to_string(line.size), std::to_string(line.kept),
               line.multiply_adds ? std::to_string(*line.multiply_adds) : ""});
  table.print();
  auto const millions = [](std::size_t n) { return static_cast<double>(n) / 1e6; };
  fmt::print("\n{:.4f} M parameters, {:.4f} M kept\n", millions(sums.weights), millions(sums.kept));
  if (sums.empty.rows != 0)
    fmt::print("{}\n", sums.empty.in_words(
                           ": lnpt prune --checkpoint by --mask rows leaves every row its share, --shrink removes them from a "
                           "network"));
  if (sums.costs_known)
    fmt::print("{:.4f} M multiply-adds of convolutions and linear layers, {:.4f} M of kept weights\n",
               millions(sums.multiply_adds), millions(sums.multiply_adds_kept));
  else
    fmt::print("multiply-adds need the network: name it with --arch\n");
  if (seen.times) print_times(*seen.times, batch);
}

void describe(CLI::App& command, inspect_options& o) {
  command.add_option(
      "what", o.what,
      std::string("A safetensors file, an index.json of several, a folder with either, or a network: ") + architecture_forms);
  command.add_option("--arch,--model", o.arch, "The network of a file that does not name it, or the network itself");
  command.add_option("--weights", o.weights, "The same as naming the file first: the weights of --arch");
  command.add_option("--mask", o.mask,
                     "With --time, masks in a file of their own; default: those of the weights, or their exact zeros");
  auto* const time = command.add_flag(
      "--time", o.time, "Also time a prediction, layer by layer: by all weights, and by kept weights alone where they cost less");
  command.add_option("--batch", o.batch, "How many samples --time predicts at once")
      ->capture_default_str()
      ->check(above_zero())
      ->needs(time);
  command.add_option("--prefix", o.prefix, "What the names in the file begin with, such as \"student.\"");
  command.add_option("--classes", o.classes, "Number of classes; default: as the file says, else 10")->check(above_zero());
  command.add_option("--input", o.input, "Shape of one input; default 3,32,32");
  o.names.describe(command);
}

/// Of a file that `prune --shrink` wrote: the network it came from, what it holds, and what stayed whole.
struct before_and_after {
  lnpt::network_count before, after;
  std::vector<lnpt::whole_tensor> left_whole;
};

std::optional<before_and_after> find_before_and_after(inspect_options const& o) {
  if (looks_like_architecture(o.what)) return std::nullopt;
  lnpt::io::sharded_model const model(o.what);
  auto const& file = model.shard(0);
  auto const before = setting(file, before_key), after = setting(file, lnpt::io::description_key);
  if (before.empty() || after.empty()) return std::nullopt;
  auto const count = [](std::string const& description) {
    auto [network, input] = lnpt::io::build_network<lnpt::cpu::backend<float>>(lnpt::io::parse_description(description));
    return lnpt::count(network, input);
  };
  return before_and_after{count(before), count(after), parse_left_whole(setting(file, left_whole_key))};
}

void run(inspect_options const& typed_options) {
  auto o = typed_options;
  if (looks_like_architecture(o.what) && !o.arch.empty())
    refuse("there are two networks, ", o.what, " and ", o.arch, ": name one, as it is or with --arch");
  if (looks_like_architecture(o.what) && !o.weights.empty()) o.arch = std::exchange(o.what, {});
  if (!o.weights.empty() && !o.what.empty())
    refuse("there are two files of weights, ", o.what, " and ", o.weights, ": name one, as it is or with --weights");
  if (o.what.empty()) o.what = o.weights.empty() ? o.arch : o.weights;
  if (!o.mask.empty() && !o.time) refuse("--mask is for --time: add it, or leave --mask out");
  if (o.what.empty()) refuse("what to inspect is missing: name a file, or a network such as net.pt2");
  auto const is_network = looks_like_architecture(o.what);
  if (is_network || (std::filesystem::is_regular_file(o.what) && !lnpt::io::has_ending(o.what, ".json")))
    o.names.require_use({{is_network ? std::string() : o.what, o.prefix}, {o.mask, ""}});
  if (!is_network) {
    lnpt::io::sharded_model const model(o.what);
    auto const contents = other_than_weights(model.shard(0));
    if (contents && contents->name != holds_masks) return show_contents(o, model.shard(0), *contents);
  }
  auto const seen = inspect(o);
  auto const shrunk = find_before_and_after(o);
  if (o.json) {
    auto all = as_json(seen, o.batch);
    if (shrunk) all["shrunk"] = sizes_as_json(shrunk->before, shrunk->after, shrunk->left_whole);
    return fmt::print("{}\n", all.dump(2));
  }
  print(seen, o.batch);
  if (!shrunk) return;
  fmt::print("\n");
  print_sizes(shrunk->before, shrunk->after, shrunk->left_whole);
}

}  // namespace

void add_inspect(CLI::App& app) {
  add_command<inspect_options>(app,
                               {"inspect", "Show layers, shapes, weights kept, parameters and multiply-adds",
                                "  lnpt inspect vgg:16:64\n"
                                "  lnpt inspect mobilenet:32 --classes 1000 --input 3,224,224\n"
                                "  lnpt inspect net.pt2\n"
                                "  lnpt inspect pruned.safetensors\n"
                                "  lnpt inspect pruned.safetensors --time --threads 1\n"
                                "  lnpt inspect Llama-3-8B/model.safetensors.index.json\n"
                                "  lnpt inspect model.safetensors --arch resnet:20:16,32,64"},
                               describe, run);
}

}  // namespace cli
