#include "architecture.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <lnpt/io/file_ending.hpp>

#include "text.hpp"

namespace cli {

namespace {

[[noreturn]] void refuse_form(std::string_view text) { refuse("\"", text, "\" is no architecture: write ", architecture_forms); }

/// A number above 0.
std::size_t positive(std::string_view text, std::string_view piece) {
  auto const value = lnpt::io::number_in<std::size_t>(piece);
  if (!value || *value == 0 || *value > 1'000'000) refuse_form(text);
  return *value;
}

std::vector<std::size_t> positives(std::string_view text, std::string_view pieces) {
  std::vector<std::size_t> values;
  for (auto const piece : split(pieces, ',')) values.push_back(positive(text, piece));
  return values;
}

/// Whether the optional last piece, at `index`, is there; it must then be `word`.
bool has_suffix(std::string_view text, std::vector<std::string_view> const& pieces, std::size_t index, std::string_view word) {
  if (pieces.size() > index + 1 || (pieces.size() == index + 1 && pieces[index] != word)) refuse_form(text);
  return pieces.size() == index + 1;
}

/// Whether a text names a description; indices of sharded weights end so too.
bool names_description(std::string_view text) {
  return lnpt::io::has_ending(text, ".json") && !lnpt::io::has_ending(text, ".index.json");
}

std::string text_of_file(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in && !std::filesystem::exists(path))
    lnpt::fail("there is no file ", path, ": pass the JSON file that prune --shrink wrote");
  if (!in) lnpt::fail("cannot read the description ", path, ": pass the JSON file that prune --shrink wrote");
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The number N of output:N.
std::size_t output_number(std::string_view features) {
  auto const pieces = split(features, ':');
  auto const number = pieces.size() == 2 && pieces[0] == "output" ? lnpt::io::number_in<std::size_t>(pieces[1]) : std::nullopt;
  if (!number) refuse("\"", features, "\" names no features: write output:N, such as output:1");
  return *number;
}

}  // namespace

architecture parse_architecture(std::string_view text, std::string_view features) {
  if (names_exported(text)) {
    exported_model model{std::string(text)};
    if (!features.empty()) model.features = output_number(features);
    return {model.path, model};
  }
  if (!features.empty())
    refuse("--features is for networks that PyTorch exported: \"", text, "\" says itself what its classifier reads");
  if (text.starts_with('{')) return {std::string(text), described_network{std::string(text)}};
  if (names_description(text)) {
    auto json = text_of_file(std::string(text));
    return {json, described_network{json}};
  }
  architecture result{std::string(text), {}};
  auto const pieces = split(text, ':');
  if (pieces[0] == "mlp" && pieces.size() == 2) {
    auto const sizes = positives(text, pieces[1]);
    if (sizes.size() < 2) refuse_form(text);
    result.form = sizes;
  } else if (pieces[0] == "vgg" && pieces.size() >= 3) {
    result.form = lnpt::zoo::vgg_options{.depth = static_cast<int>(positive(text, pieces[1])),
                                         .width = positive(text, pieces[2]),
                                         .batch_norm = !has_suffix(text, pieces, 3, "nobn")};
  } else if (pieces[0] == "resnet" && pieces.size() >= 3) {
    auto const padded = has_suffix(text, pieces, 3, "a");
    result.form =
        lnpt::zoo::resnet_options{.depth = static_cast<int>(positive(text, pieces[1])),
                                  .widths = positives(text, pieces[2]),
                                  .shortcut = padded ? lnpt::zoo::shortcut::zero_padded : lnpt::zoo::shortcut::convolution};
  } else if (pieces[0] == "mobilenet" && pieces.size() == 2) {
    result.form = lnpt::zoo::mobilenet_options{.width = positive(text, pieces[1])};
  } else {
    refuse_form(text);
  }
  return result;
}

bool looks_like_architecture(std::string_view text) {
  if (names_description(text)) return true;
  auto const kind = text.substr(0, text.find(':'));
  return kind == "mlp" || kind == "vgg" || kind == "resnet" || kind == "mobilenet" || names_exported(text);
}

void require_same_shape(std::string const& path, surroundings const& around) {
  auto const own = exported_shape_of(path);
  if (own.classes == 0)
    lnpt::fail(path,
               " gives one number for each sample and tells no classes apart: export a network whose output has the shape "
               "[samples, classes]");
  if (own.classes != around.classes)
    lnpt::fail(path, " tells ", own.classes, " classes apart and not ", around.classes,
               ": name the data or the network that fits the other");
  if (around.input != own.input)
    lnpt::fail(path, " reads samples of shape ", lnpt::list(own.input), " and not ", lnpt::list(around.input),
               ": give it samples of its own shape, or export it for these");
}

}  // namespace cli
