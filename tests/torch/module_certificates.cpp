// Networks of the library as modules of LibTorch: what is left after removal equals the mask, at every fraction of channels.
#include "doctest.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <istream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/torch/module_of.hpp>
#include <lnpt/torch/structure/module_shrink.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "../repository.hpp"
#include "../structure/nets.hpp"

using namespace lnpt;

namespace {

template <class T>
using maker = std::function<network<cpu::backend<T>>()>;

template <class T>
maker<T> exported(std::filesystem::path const& path) {
  return [path] { return io::load_exported<cpu::backend<T>>(path); };
}

/// A chain, option-A shortcuts, depthwise convolutions; narrow ones, by the names under which the command line has them whole. Joined
/// branches, as they are.
template <class T>
std::map<std::string, maker<T>> networks(bool whole) {
  using backend = cpu::backend<T>;
  zoo::resnet_options resnet{.depth = 14, .widths = {4, 8, 16}, .shortcut = zoo::shortcut::zero_padded};
  if (whole) resnet = {.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded};
  zoo::vgg_options const vgg{.depth = whole ? 16 : 11, .width = whole ? 64u : 6u};
  zoo::mobilenet_options const mobilenet{.width = whole ? 32u : 4u};
  return {{"resnet:56:16,32,64:a", [=] { return zoo::resnet<backend>(resnet, 3); }},
          {"vgg:16:64", [=] { return zoo::vgg<backend>(vgg, 3); }},
          {"mobilenet:32", [=] { return zoo::mobilenet<backend>(mobilenet, 3); }},
          {"branches", exported<T>(test::repository() / "tests/io/exported/branches.pt2")}};
}

template <class T>
at::Tensor example(shape const& sample = {3, 32, 32}) {
  at::manual_seed(11);
  std::vector<std::int64_t> sizes{2};
  sizes.insert(sizes.end(), sample.begin(), sample.end());
  return at::randn(sizes, c10::CppTypeToScalarType<T>::value);
}

/// A network's module, in evaluation mode, which may count how often it runs.
template <class T>
torch_model<T> as_module(network<cpu::backend<T>>& network, std::size_t* passes = nullptr) {
  auto const module = std::make_shared<graph_module>(network, at::kCPU);
  module->eval();
  return torch_model<T>(module, [module, passes](at::Tensor const& x) {
    if (passes) ++*passes;
    return module->forward(x).first;
  });
}

template <class T>
mask_set drawn_masks(network<cpu::backend<T>>& network, double fraction) {
  auto const set = channel_map_of(network, {3, 32, 32}).set;
  return masks_of(set, test::drawn(set, fraction, 1));
}

template <class T>
void hold_drawn_masks() {
  for (auto const& [name, make] : networks<T>(false)) {
    CAPTURE(name);
    auto searched = make();
    auto traced = as_module<T>(searched);
    auto const atoms = module_atoms(traced, example<T>());
    for (auto const fraction : {.3, .5, .7, .9}) {
      CAPTURE(fraction);
      auto network = test::trained<T>(make());
      auto model = as_module<T>(network);
      auto const result = shrink(model, drawn_masks(network, fraction), atoms, example<T>());
      CHECK(result.certificate.relative() <= equality_tolerance<T>);
      CHECK(!result.kept.empty());
    }
  }
}

/// What to shrink by files: a whole network of the library, or one of an exported program, and one of its samples' shape.
template <class T>
std::pair<maker<T>, shape> chosen(std::string const& architecture) {
  if (architecture.ends_with(".pt2")) {
    io::exported::program const source(io::byte_source::open(architecture));
    return {exported<T>(architecture), source.sample_shape(source.batch())};
  }
  auto const all = networks<T>(true);
  auto const found = all.find(architecture);
  REQUIRE(found != all.end());
  return {found->second, {3, 32, 32}};
}

/// Says how many seconds of a processor it took to find the atoms, in how many passes, and how many have so many rows.
void print(atom_set const& atoms, std::size_t passes, double seconds) {
  std::map<std::size_t, std::size_t> by_rows;
  for (auto const& each : atoms.atoms) ++by_rows[each.rows()];
  std::cout << atoms.atoms.size() << " atoms in " << passes << " passes, " << seconds << " s;";
  for (auto const& [rows, count] : by_rows) std::cout << ' ' << count << " of " << rows;
  std::cout << std::endl;
}

/// Shrinks a network by weights and masks of the command line, whose names come in pairs, and prints each certificate or why there is none.
/// Its atoms are found once.
template <class T>
void hold_files(std::string const& architecture, std::istream& requests) {
  auto const [fresh, sample] = chosen<T>(architecture);
  auto const x = example<T>(sample);
  auto searched = fresh();
  std::size_t passes = 0;
  auto traced = as_module<T>(searched, &passes);
  auto const begin = std::clock();
  auto const atoms = module_atoms(traced, x);
  print(atoms, passes, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  for (std::string weights, masks; requests >> weights >> masks;) {
    try {
      auto network = fresh();
      io::load_state_dict(network, io::safetensors::open(weights),
                          io::state_dict_options{.ignore_extra = true});  // counters of batches
      auto model = as_module<T>(network);
      auto const result = shrink(model, io::load_masks(network, io::safetensors::open(masks)), atoms, x);
      std::cout << "certificate " << result.certificate.relative() << ", tensors left whole " << result.left_whole.size()
                << std::endl;
      CHECK(result.certificate.relative() <= equality_tolerance<T>);
    } catch (error const& reason) {
      std::cout << "refused: " << reason.what() << std::endl;
    }
  }
}

}  // namespace

// With LNPT_MODULE_ARCH and _PRECISION, as tests/structure/certificates.sh sets them, the networks and masks of the files that standard
// input names.
TEST_CASE("networks of the library, as modules, equal their masks after removal") {
  if (auto const* const architecture = std::getenv("LNPT_MODULE_ARCH")) {
    auto const hold = std::getenv("LNPT_MODULE_PRECISION") == std::string_view("float") ? hold_files<float> : hold_files<double>;
    return hold(architecture, std::cin);
  }
  hold_drawn_masks<double>();
  hold_drawn_masks<float>();
}
