#pragma once
/// The reference cases: networks, weights, a batch, and float64 scores computed independently of this library.
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/state_dict.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

namespace oracle {

inline std::filesystem::path folder() {
  auto const* const shared = std::getenv("LNPT_SHARED_DIR");
  return std::filesystem::path(shared ? shared : "") / "oracle";
}

inline bool present() { return std::filesystem::exists(folder() / "mlp.safetensors"); }

inline std::vector<std::string> const names{"mlp", "vgg11_w2_nobn", "vgg11_w2_bn_eval", "resnet8_w4_bn_train",
                                            "resnet20_w8_bn_train"};

template <class T>
auto network_of(std::string const& name) {
  using backend = lnpt::cpu::backend<T>;
  std::vector<std::size_t> const sizes{12, 16, 10, 5};
  if (name == "mlp") return lnpt::zoo::mlp<backend>(sizes);
  if (name.starts_with("vgg11")) return lnpt::zoo::vgg<backend>({.depth = 11, .width = 2, .batch_norm = name != "vgg11_w2_nobn"});
  if (name.starts_with("resnet8")) return lnpt::zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}});
  return lnpt::zoo::resnet<backend>({.depth = 20, .widths = {8, 16, 32}});
}

/// One case in the precision of `T`.
template <class T>
struct reference {
  using array = lnpt::cpu::array<T>;

  using network = lnpt::network<lnpt::cpu::backend<T>>;

  explicit reference(std::string const& name)
      : reference(lnpt::io::safetensors::open(folder() / (name + ".safetensors")), network_of<T>(name), network_of<T>(name)) {
    lnpt::io::load_state_dict(student, file, "student.");
    lnpt::io::load_state_dict(teacher, file, "teacher.");
  }
  /// A file about networks that have their weights; `module`: what their names begin with and the file's do not.
  reference(lnpt::io::safetensors::file about, network taught, network teaching, std::string module = "")
      : file(std::move(about)),
        student(std::move(taught)),
        teacher(std::move(teaching)),
        input(tensor("input")),
        labels(file.template read<std::int64_t>("labels")),
        mode(file.metadata().at("bn_mode") == "train" ? lnpt::norm_mode::train : lnpt::norm_mode::eval),
        prefix(std::move(module)) {}

  array tensor(std::string const& name) const {
    return lnpt::tensor_traits<array>::make(file.info(name).shape, file.read<T>(name));
  }
  double number(std::string const& name) const { return file.read<double>(name).front(); }
  bool holds(std::string const& criterion, std::string const& parameter) const {
    return file.contains("score." + criterion + "." + parameter.substr(prefix.size()));
  }
  std::vector<double> scores(std::string const& criterion, std::string const& parameter) const {
    return file.read<double>("score." + criterion + "." + parameter.substr(prefix.size()));
  }

  lnpt::io::safetensors::file file;
  network student, teacher;
  array input;
  std::vector<std::int64_t> labels;
  lnpt::norm_mode mode;
  std::string prefix;
};

}  // namespace oracle
