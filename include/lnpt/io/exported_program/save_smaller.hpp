#pragma once
/// Writing an exported program again for a network that became smaller.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/io/exported_program/build.hpp>
#include <lnpt/io/exported_program/new_values.hpp>
#include <lnpt/io/exported_program/program.hpp>
#include <lnpt/io/exported_program/save.hpp>
#include <lnpt/io/exported_program/smaller/calls.hpp>
#include <lnpt/io/exported_program/smaller/layout.hpp>
#include <lnpt/io/exported_program/smaller/new_biases.hpp>
#include <lnpt/io/exported_program/smaller/sizes.hpp>
#include <lnpt/io/exported_program/stored_tensor.hpp>
#include <lnpt/structure/certificate.hpp>

namespace lnpt::io::exported {

namespace detail {

/// What is written in place of the entries of a program.
struct smaller_entries {
  new_entries entries;  ///< the graph, what describes the tensors, and storages that became smaller
  changes values;       ///< of tensors that kept their size
};

/// The bytes of a tensor of the network in the dtype of the program's tensor, row-major.
template <class Tensor>
[[nodiscard]] std::vector<std::byte> stored(Tensor const& value, stored_tensor const& like, std::string const& file) {
  std::vector<std::byte> bytes(size_of(value) * (bits_of(like.dtype) / 8));
  store(values_of(value), like, file, bytes);
  return bytes;
}

/// The place of a tensor of the program that became smaller: alone in its storage, with the order of axes that it had.
[[nodiscard]] inline stored_tensor with_extents(stored_tensor tensor, shape const& extents) {
  tensor.strides = strides_now({tensor.extents, tensor.strides}, extents, {}, {});
  tensor.extents = extents;
  tensor.offset = 0;
  return tensor;
}

/// Row-major elements in the order in which they lie in a storage.
[[nodiscard]] inline std::vector<std::byte> placed(std::span<std::byte const> values, stored_tensor const& tensor) {
  auto const width = bits_of(tensor.dtype) / 8;
  std::vector<std::byte> bytes(values.size());
  for_each_element(tensor, [&](std::size_t i, std::size_t place) {
    std::memcpy(bytes.data() + place * width, values.data() + i * width, width);
  });
  return bytes;
}

/// A storage that became smaller may hold one tensor alone, under however many names.
inline void require_own_storage(program const& source, std::size_t tensor) {
  auto const& mine = source.tensors()[tensor];
  for (std::size_t t = 0; t < source.tensors().size(); ++t)
    if (source.tensors()[t].storage == mine.storage && source.canonical(t) != source.canonical(tensor))
      refuse_to_follow(source, "tensor ", mine.name, ", which lost channels, shares its storage with ", source.tensors()[t].name);
}

/// Gives the tensors of one configuration the sizes that they have now.
template <class Backend>
void rewrite_configuration(program const& source, smaller_sizes<Backend> const& sizes, json& configuration) {
  for (std::size_t t = 0; t < source.tensors().size(); ++t) {
    auto const found = configuration.at("config").find(source.tensors()[t].name);
    if (!sizes.is_smaller(t) || found == configuration.at("config").end()) continue;
    auto& about = found->at("tensor_meta");
    auto const whole = [](std::vector<std::size_t> const& numbers) {
      auto all = json::array();
      for (auto const n : numbers) all.push_back({{"as_int", n}});
      return all;
    };
    auto const now = with_extents(source.tensors()[t], sizes.of_tensor(t));
    about["sizes"] = whole(now.extents);
    about["strides"] = whole(now.strides);
    about["storage_offset"] = {{"as_int", 0}};
  }
}

/// The graph with the sizes of the smaller network.
template <class Backend>
[[nodiscard]] json smaller_graph(program const& source, smaller_sizes<Backend> const& sizes, draft<Backend> const& before,
                                 network<Backend> const& smaller) {
  auto document = source.document();
  remove_stack_traces(document);
  auto& graph = document.at("graph_module").at("graph");
  smaller_calls<Backend> const calls(source, sizes, before, smaller);
  auto const old = graph.at("tensor_values");
  for (auto const& input : source.held_inputs()) calls.note(graph.at("tensor_values"), old, input.value, nullptr);
  calls.rewrite(graph);
  return document;
}

/// Refuses a network that was not read from this program.
template <class Backend>
void require_source(program const& source, draft<Backend> const& before, network<Backend>& smaller) {
  if (smaller.nodes().size() < before.nodes().size() || smaller.parameters().size() < before.parameters().size() ||
      smaller.buffers().size() != before.buffers().size())
    fail(source.name(), " is another network's: pass the file that the smaller network was read from");
}

template <class Backend>
[[nodiscard]] smaller_entries entries_of(program const& source, needed_calls<Backend>& calls, network<Backend>& smaller) {
  auto& before = calls.walked().network();
  require_source(source, before, smaller);
  auto const parameters = smaller.parameters();
  auto const buffers = smaller.buffers();
  smaller_sizes<Backend> const sizes(source, calls.walked(), smaller);
  smaller_entries result;
  auto const replace = [&](std::size_t at, auto const& value) {
    auto bytes = stored(value, source.tensors()[at], source.name());
    if (sizes.is_smaller(at)) {
      require_own_storage(source, at);
      auto const now = with_extents(source.tensors()[at], sizes.of_tensor(at));
      result.entries[now.storage->name] = placed(bytes, now);
    } else {
      result.values.emplace(at, [bytes = std::move(bytes)](std::span<std::byte> to) { std::ranges::copy(bytes, to.begin()); });
    }
  };
  for (std::size_t i = 0; i < before.parameters().size(); ++i) replace(before.parameters()[i], *parameters[i].value);
  for (std::size_t i = 0; i < buffers.size(); ++i) replace(before.buffers()[i], *buffers[i].value);

  auto graph = smaller_graph(source, sizes, before, smaller);
  auto weights = source.document_of(program::weights_entry);
  auto constants = source.document_of(program::constants_entry);
  rewrite_configuration(source, sizes, weights);
  rewrite_configuration(source, sizes, constants);
  for (auto const& bias : new_biases(source, before, smaller)) {
    auto const& value = *parameters[bias.parameter].value;
    add_new_bias(graph.at("graph_module"), bias, size_of(value));
    auto const entry = describe_new_bias(weights, source, bias, size_of(value));
    result.entries[entry] = stored(value, source.tensors()[bias.tensor], source.name());
  }
  result.entries[source.root() + program::weights_entry] = bytes_of(weights);
  result.entries[source.root() + program::constants_entry] = bytes_of(constants);
  result.entries[source.root() + program::graph_entry] = bytes_of(graph);
  return result;
}

/// Reads what was written and compares its logits, by the weights of the network, with the network's.
template <class Backend>
void require_equal(program const& written, network<Backend>& smaller, build_options const& options) {
  using array = typename Backend::array;
  auto again = build_network<Backend>(written, options);
  auto const take = [](auto const& to, auto const& from) {
    for (auto const& each : to)
      for (auto const& theirs : from)
        if (theirs.name == each.name) assign(*each.value, *theirs.value);
  };
  take(again.parameters(), smaller.parameters());
  take(again.buffers(), smaller.buffers());
  auto extents = written.sample_shape(written.batch());
  extents.insert(extents.begin(), 2);
  std::vector<typename Backend::scalar> noise(element_count(extents));
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<typename Backend::scalar>(normal(1, 0, i).first);
  auto const x = tensor_traits<array>::make(extents, noise);
  auto const proof = compare_outputs(smaller.predict(x).output, again.predict(x).output);
  if (!proof.holds()) refuse_to_follow(written, "the program does not follow the channels that were removed: it ", proof.text());
}

/// Refuses a program with a result beside its logits and features: channels went by what the logits need, so nobody knows that a second
/// head still says the same, and an inner map would be narrower.
template <class Backend>
void require_known_results(program const& source, needed_calls<Backend>& calls, network<Backend> const& smaller) {
  auto const features = smaller.features_node();
  auto const* const flattened = std::get_if<nn::flatten>(&smaller.nodes()[features].rules);
  auto const is_known = [&](std::string const& result) {
    try {
      auto const node = calls.walked().values().node_of(result);
      return node == calls.results().back() || node == features || (flattened != nullptr && node == flattened->input);
    } catch (no_layer const&) {
      return false;
    }
  };
  for (std::size_t i = 1; i < source.results().size(); ++i)
    if (!source.results()[i].empty() && !is_known(source.results()[i]))
      refuse_to_follow(source, "it returns result ", i,
                       ", which is neither its logits nor what its classifier reads: export it with its logits "
                       "alone, or name that result as its features");
}

/// A file that is removed unless it is to stay.
class unproved_file {
 public:
  explicit unproved_file(std::filesystem::path path) : path_(std::move(path)) {}
  unproved_file(unproved_file const&) = delete;
  unproved_file& operator=(unproved_file const&) = delete;
  ~unproved_file() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace detail

/// Writes the program for a network that was read from it and lost channels since: tensors, the sizes of values and the numbers of
/// channels in calls follow; names, dtypes and the order of calls stay, so that `torch.export.load` reads it as it read the first.
///
/// The file is read again before it appears, and must give the network's logits. Throws `lnpt::error` where an operator cannot follow or
/// the program has a further result; nothing is written then. A result that is no logits but features is as narrow as they are now.
template <class Backend>
void save_smaller(program const& source, network<Backend>& smaller, std::filesystem::path const& path,
                  build_options const& options = {}) {
  source.checked([&] {
    needed_calls<Backend> calls(source, options);
    auto const written = detail::entries_of(source, calls, smaller);
    detail::require_known_results(source, calls, smaller);
    auto beside = path;
    beside += ".unproved";
    detail::unproved_file const file(beside);
    detail::write_archive(source, written.entries, written.values, file.path());
    detail::require_equal(program(byte_source::open(file.path())), smaller, options);
    std::filesystem::rename(file.path(), path);
  });
}

}  // namespace lnpt::io::exported
