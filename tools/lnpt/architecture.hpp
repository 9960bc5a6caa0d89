#pragma once
/// Networks by one string, as `--arch` takes it.
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/io/network_description.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/nn/initialize.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "exported.hpp"
#include "file_contents.hpp"
#include "misuse.hpp"
#include "naming.hpp"
#include "packed_weights.hpp"

namespace cli {

/// A network by its description, the JSON that `prune --shrink` writes.
struct described_network {
  std::string json;

  [[nodiscard]] nlohmann::ordered_json parsed() const { return lnpt::io::parse_description(json); }
  /// The shape of one input.
  [[nodiscard]] lnpt::shape input() const { return parsed().value("input", lnpt::shape{}); }
};

/// `mlp:12,16,10,5` · `vgg:19:64[:nobn]` · `resnet:32:32,64,128[:a]` · `mobilenet:32` · `net.pt2` · `small.json`
struct architecture {
  std::string text;
  std::variant<std::vector<std::size_t>, lnpt::zoo::vgg_options, lnpt::zoo::resnet_options, lnpt::zoo::mobilenet_options,
               exported_model, described_network>
      form;
};

inline constexpr char const* architecture_forms =
    "mlp:12,16,10,5 (input, hidden layers, classes), vgg:19:64[:nobn] (depth, width of the first block), resnet:32:32,64,128[:a] "
    "(depth 6n+2, widths; a: option-A shortcuts), mobilenet:32 (width), net.pt2 (a file of torch.export.save) or small.json "
    "(what prune --shrink wrote)";

/// Refuses text of no such form, listing the forms. `features`: empty, or output:N, the result of an exported network that holds them.
[[nodiscard]] architecture parse_architecture(std::string_view text, std::string_view features = {});

/// A teacher's network by its own flags, and by the student's where these are empty.
[[nodiscard]] inline architecture parse_teacher(std::string const& arch, std::string const& features,
                                                std::string const& teacher_arch, std::string const& teacher_features) {
  if (!teacher_arch.empty() && teacher_arch != arch) return parse_architecture(teacher_arch, teacher_features);
  return parse_architecture(arch, teacher_features.empty() ? features : teacher_features);
}

inline constexpr char const* features_flag_text =
    "The features of a .pt2 network: output:N, its result number N counted from 0; default: what its classifier reads";

/// Whether `text` begins as an architecture does, rather than being the name of a file.
[[nodiscard]] bool looks_like_architecture(std::string_view text);

/// What surrounds a network: the shape of one sample, {channels, height, width} or {features}, and the number of classes.
struct surroundings {
  lnpt::shape input;
  std::size_t classes = 10;
};

/// Refuses surroundings that the exported network does not fit.
void require_same_shape(std::string const& path, surroundings const& around);

/// Refuses samples of a shape that a described network was not made for, if a layer cannot work on one.
template <class Network>
void require_runs(Network const& network, lnpt::shape const& own, lnpt::shape sample) {
  auto const given = lnpt::list(sample);
  try {
    sample.insert(sample.begin(), 1);
    (void)network.predict(Network::backend::constant(sample, 0, typename Network::backend::context{}));
  } catch (lnpt::error const& reason) {
    lnpt::fail("the description is of a network for samples of shape ", lnpt::list(own), ", which samples of ", given,
               " do not fit: ", reason.what());
  }
}

/// Images of at least this side take MobileNet's strides for ImageNet.
inline constexpr std::size_t imagenet_side = 128;

/// Builds the network with weights drawn from `seed`; an exported one has those of its file.
template <class Network>
[[nodiscard]] Network make_network(architecture const& a, surroundings const& around, std::uint64_t seed) {
  using backend = typename Network::backend;
  auto const channels = around.input.empty() ? 3 : around.input.front();
  auto const build = [&](auto options) -> Network {
    if constexpr (std::same_as<decltype(options), std::vector<std::size_t>>) {
      if (options.back() != around.classes)
        lnpt::fail(a.text, " has ", options.back(), " outputs for ", around.classes,
                   " classes: end it with the number of classes");
      if (!around.input.empty() && options.front() != lnpt::element_count(around.input))
        lnpt::fail(a.text, " reads ", options.front(), " numbers but an input of shape ", lnpt::list(around.input), " has ",
                   lnpt::element_count(around.input), ": begin it with that number");
      return lnpt::zoo::mlp<backend>(options, seed);
    } else if constexpr (std::same_as<decltype(options), exported_model>) {
      require_same_shape(a.text, around);
      return load_exported_network<Network>(options);
    } else if constexpr (std::same_as<decltype(options), described_network>) {
      auto [network, own] = lnpt::io::build_network<backend>(options.parsed(), seed);
      if (!around.input.empty() && around.input != own) require_runs(network, own, around.input);
      return std::move(network);
    } else {
      if (around.input.size() != 3)
        lnpt::fail(a.text, " reads images, not inputs of shape ", lnpt::list(around.input), ": pass [channels, height, width]");
      options.input_channels = channels;
      options.classes = around.classes;
      if constexpr (std::same_as<decltype(options), lnpt::zoo::vgg_options>) return lnpt::zoo::vgg<backend>(options, seed);
      if constexpr (std::same_as<decltype(options), lnpt::zoo::resnet_options>) return lnpt::zoo::resnet<backend>(options, seed);
      if constexpr (std::same_as<decltype(options), lnpt::zoo::mobilenet_options>) {
        options.imagenet = around.input[1] >= imagenet_side;
        return lnpt::zoo::mobilenet<backend>(options, seed);
      }
    }
  };
  auto const make = [&] { return std::visit(build, a.form); };
  auto const is_typed = !std::holds_alternative<exported_model>(a.form) && !std::holds_alternative<described_network>(a.form);
  return is_typed ? typed(make) : make();  // what a file lacks was not typed
}

/// As above with weights drawn from the seed, also where a .pt2 file brings its own.
template <class Network>
[[nodiscard]] Network make_fresh_network(architecture const& a, surroundings const& around, std::uint64_t seed) {
  auto network = make_network<Network>(a, around, seed);
  if (std::holds_alternative<exported_model>(a.form)) lnpt::initialize(network, seed);
  return network;
}

/// Gives the network the weights of a file, packed ones as they are held there. `flags`: those that say how names belong together.
template <class Network>
void load_weights(Network& network, architecture const& a, lnpt::io::safetensors::file const& file,
                  lnpt::io::state_dict_options const& names, char const* flags = naming_flags) {
  require_weights(file);
  if (is_packed(file)) return load_packed_weights(network, file, names);
  with_flags(flags, [&] {
    if (auto const* const exported = std::get_if<exported_model>(&a.form))
      load_exported_weights(network, *exported, file, names);
    else
      lnpt::io::load_state_dict(network, file, names);
  });
}

}  // namespace cli
