// Networks of the library as modules of LibTorch: what is left after removal equals the mask, at every fraction of channels.
#include "doctest.hpp"

#include <cstdlib>
#include <functional>
#include <iostream>
#include <istream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/torch/module_of.hpp>
#include <lnpt/torch/structure/module_shrink.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "../structure/nets.hpp"

using namespace lnpt;

namespace {

template <class T>
using maker = std::function<network<cpu::backend<T>>()>;

/// A chain, option-A shortcuts, depthwise convolutions; narrow ones, by the names under which the command line has them whole.
template <class T>
std::map<std::string, maker<T>> networks(bool whole) {
  using backend = cpu::backend<T>;
  zoo::resnet_options resnet{.depth = 14, .widths = {4, 8, 16}, .shortcut = zoo::shortcut::zero_padded};
  if (whole) resnet = {.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded};
  zoo::vgg_options const vgg{.depth = whole ? 16 : 11, .width = whole ? 64u : 6u};
  zoo::mobilenet_options const mobilenet{.width = whole ? 32u : 4u};
  return {{"resnet:56:16,32,64:a", [=] { return zoo::resnet<backend>(resnet, 3); }},
          {"vgg:16:64", [=] { return zoo::vgg<backend>(vgg, 3); }},
          {"mobilenet:32", [=] { return zoo::mobilenet<backend>(mobilenet, 3); }}};
}

template <class T>
at::Tensor example() {
  at::manual_seed(11);
  return at::randn({2, 3, 32, 32}, c10::CppTypeToScalarType<T>::value);
}

/// A network's module, in evaluation mode.
template <class T>
torch_model<T> as_module(network<cpu::backend<T>>& network) {
  auto const module = std::make_shared<graph_module>(network, at::kCPU);
  module->eval();
  return torch_model<T>(module, [module](at::Tensor const& x) { return module->forward(x).first; });
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

/// Shrinks one of the whole networks by weights and masks of the command line, whose names come in pairs, and prints each certificate or
/// why there is none. Its atoms are found once.
template <class T>
void hold_files(std::string const& architecture, std::istream& requests) {
  auto const all = networks<T>(true);
  auto const found = all.find(architecture);
  REQUIRE(found != all.end());
  auto const fresh = found->second();
  auto searched = fresh;
  auto traced = as_module<T>(searched);
  auto const atoms = module_atoms(traced, example<T>());
  for (std::string weights, masks; requests >> weights >> masks;) {
    try {
      auto network = fresh;
      io::load_state_dict(network, weights);
      auto model = as_module<T>(network);
      auto const result = shrink(model, io::load_masks(network, io::safetensors::open(masks)), atoms, example<T>());
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
