// lnpt inspect: layers, shapes, what is kept, and what it costs.
#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/count_nonzero.hpp>
#include <lnpt/io/sharded_model.hpp>

#include "command.hpp"
#include "loading.hpp"
#include "progress.hpp"
#include "shrinking.hpp"
#include "text_table.hpp"
#include <lnpt/structure/multiply_adds.hpp>

namespace cli {

namespace {

struct inspect_options : common_options {
  std::string what, arch, prefix;
  std::size_t classes = 0;
  std::string input;
};

/// A line of the output: one tensor of a file, or one parameter of a network.
struct tensor_line {
  std::string name;
  lnpt::shape extents;
  std::size_t size = 0;
  std::size_t kept = 0;
  std::optional<std::size_t> multiply_adds = std::nullopt;
};

bool is_buffer(std::string_view name) {
  return name.ends_with("running_mean") || name.ends_with("running_var") || name.ends_with("num_batches_tracked");
}

/// The parameters of a model's files, with what their masks or, without one, their zeros leave. Integers are no weights.
std::vector<tensor_line> read_lines(lnpt::io::sharded_model const& model, std::string const& prefix) {
  std::vector<tensor_line> lines;
  progress along(model.tensors().size());
  along.doing("counting zeros");
  for (std::size_t s = 0; s < model.shard_count(); ++s)
    for (auto const& tensor : model.shard(s).entries()) {
      along.advance();
      if (!tensor.name.starts_with(prefix) || !lnpt::io::prefix_beside(tensor.name).empty() || is_buffer(tensor.name)) continue;
      if (!lnpt::io::is_floating(tensor.dtype)) continue;
      auto const name = tensor.name.substr(prefix.size());
      auto const& file = model.shard(s);
      auto const kept = file.contains(std::string(lnpt::io::mask_prefix) + name) ? lnpt::io::load_mask(file, name).count()
                        : tensor.shape.size() > 1                                ? lnpt::io::count_nonzero(file, tensor)
                                                                                 : tensor.size();
      lines.push_back({name, tensor.shape, tensor.size(), kept});
    }
  return lines;
}

/// The parameters of a network in its own order, as a file holds them or, without one, all kept.
std::vector<tensor_line> lines_of(cpu_network<float>& network, lnpt::shape const& input,
                                  std::optional<std::vector<tensor_line>> const& held) {
  auto const costs = lnpt::multiply_adds(network, input);
  std::vector<tensor_line> lines;
  for (std::size_t i = 0; auto const& p : network.parameters()) {
    tensor_line line{p.name, lnpt::shape_of(*p.value), lnpt::size_of(*p.value), lnpt::size_of(*p.value)};
    if (held) {
      auto const found = std::ranges::find(*held, p.name, &tensor_line::name);
      if (found == held->end() || found->extents != line.extents)
        lnpt::fail("the file has no ", p.name, " of shape ", lnpt::list(line.extents),
                   ": name the architecture it was saved from with --arch");
      line = *found;
    }
    if (costs[i] != 0) line.multiply_adds = costs[i];
    lines.push_back(std::move(line));
    ++i;
  }
  return lines;
}

/// The parameters of an exported network; where no other file holds its weights, zeros count as pruned.
std::vector<tensor_line> lines_of_exported(std::string const& path, std::optional<std::vector<tensor_line>> const& held) {
  auto network = load_exported_network<cpu_network<float>>({path});
  auto lines = lines_of(network, exported_shape_of(path).input, held);
  if (held) return lines;
  for (std::size_t i = 0; auto const& p : network.parameters()) {
    if (lnpt::is_prunable(p.role))
      lines[i].kept = lines[i].size - static_cast<std::size_t>(std::ranges::count(lnpt::values_of(*p.value), 0.0F));
    ++i;
  }
  return lines;
}

/// What the file says of the network it holds; lnpt's own files name it.
std::string setting(lnpt::io::safetensors::file const& file, std::string const& name) {
  for (auto const& known : {lnpt::io::checkpoint_settings(file), file.metadata()})
    if (auto const found = known.find(name); found != known.end()) return found->second;
  return {};
}

std::vector<tensor_line> inspect(inspect_options o) {
  std::optional<std::vector<tensor_line>> held;
  if (looks_like_architecture(o.what)) {
    o.arch = o.what;
  } else {
    lnpt::io::sharded_model const model(o.what);
    auto const& file = model.shard(0);
    held = read_lines(model, o.prefix);
    if (o.arch.empty()) o.arch = setting(file, "arch");
    if (o.input.empty()) o.input = setting(file, "input");
    if (o.classes == 0) o.classes = classes_in(file, o.prefix);
    if (o.arch.empty()) return *held;
  }
  if (names_exported(o.arch)) return lines_of_exported(o.arch, held);
  auto const arch = parse_architecture(o.arch);
  auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form);
  auto input = parse_numbers<std::size_t>("input extent", o.input.empty() ? "3,32,32" : o.input);
  if (sizes && o.input.empty()) input = {sizes->front()};
  if (auto const* const described = std::get_if<described_network>(&arch.form)) input = described->input();
  auto const classes = o.classes != 0 ? o.classes : sizes ? sizes->back() : 10;
  auto network = make_network<cpu_network<float>>(arch, {input, classes}, 0);
  return lines_of(network, input, held);
}

/// What all lines together come to.
struct line_sums {
  std::size_t weights = 0, kept = 0, multiply_adds = 0, multiply_adds_kept = 0;
  bool costs_known = false;
};

line_sums sums_of(std::vector<tensor_line> const& lines) {
  line_sums sums;
  for (auto const& line : lines) {
    auto const macs = line.multiply_adds.value_or(0);
    sums.costs_known = sums.costs_known || line.multiply_adds.has_value();
    sums.weights += line.size;
    sums.kept += line.kept;
    sums.multiply_adds += macs;
    if (line.size != 0)
      sums.multiply_adds_kept += static_cast<std::size_t>(
          static_cast<double>(macs) * static_cast<double>(line.kept) / static_cast<double>(line.size) + 0.5);
  }
  return sums;
}

nlohmann::ordered_json as_json(std::vector<tensor_line> const& lines) {
  auto const sums = sums_of(lines);
  nlohmann::ordered_json all{{"parameters", nlohmann::json::array()}};
  for (auto const& line : lines) {
    all["parameters"].push_back({{"name", line.name}, {"shape", line.extents}, {"weights", line.size}, {"kept", line.kept}});
    if (line.multiply_adds) all["parameters"].back()["multiply_adds"] = *line.multiply_adds;
  }
  all["weights"] = sums.weights;
  all["kept"] = sums.kept;
  if (sums.costs_known) all["multiply_adds"] = sums.multiply_adds, all["multiply_adds_kept"] = sums.multiply_adds_kept;
  return all;
}

void print(std::vector<tensor_line> const& lines) {
  auto const sums = sums_of(lines);
  text_table table({"parameter", "shape", "weights", "kept", "multiply-adds"});
  for (auto const& line : lines)
    table.add({line.name, fmt::format("{}", fmt::join(line.extents, "×")), std::to_string(line.size), std::to_string(line.kept),
               line.multiply_adds ? std::to_string(*line.multiply_adds) : ""});
  table.print();
  auto const millions = [](std::size_t n) { return static_cast<double>(n) / 1e6; };
  fmt::print("\n{:.4f} M parameters, {:.4f} M kept\n", millions(sums.weights), millions(sums.kept));
  if (sums.costs_known)
    fmt::print("{:.4f} M multiply-adds of convolutions and linear layers, {:.4f} M of kept weights\n",
               millions(sums.multiply_adds), millions(sums.multiply_adds_kept));
  else
    fmt::print("multiply-adds need the network: name it with --arch\n");
}

void describe(CLI::App& command, inspect_options& o) {
  command.add_option(
      "what", o.what,
      std::string("A safetensors file, an index.json of several, a folder with either, or a network: ") + architecture_forms);
  command.add_option("--arch,--model", o.arch, "The network of a file that does not name it, or the network itself");
  command.add_option("--prefix", o.prefix, "What the names in the file begin with, such as \"student.\"");
  command.add_option("--classes", o.classes, "Number of classes; default: as the file says, else 10")->check(above_zero());
  command.add_option("--input", o.input, "Shape of one input; default 3,32,32");
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
  if (o.what.empty()) o.what = o.arch;
  if (o.what.empty()) refuse("what to inspect is missing: name a file, or a network such as net.pt2");
  auto const lines = inspect(o);
  auto const shrunk = find_before_and_after(o);
  if (o.json) {
    auto all = as_json(lines);
    if (shrunk) all["shrunk"] = sizes_as_json(shrunk->before, shrunk->after, shrunk->left_whole);
    return fmt::print("{}\n", all.dump(2));
  }
  print(lines);
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
                                "  lnpt inspect Llama-3-8B/model.safetensors.index.json\n"
                                "  lnpt inspect model.safetensors --arch resnet:20:16,32,64"},
                               describe, run);
}

}  // namespace cli
