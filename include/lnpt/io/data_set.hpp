#pragma once
/// Any data set by one string, as a command line gives it.
#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include <lnpt/core/error.hpp>
#include <lnpt/io/cifar.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/io/mnist.hpp>
#include <lnpt/io/synthetic.hpp>

namespace lnpt::io {

/// `"synthetic"`, `"cifar10:FOLDER"`, `"cifar100:FOLDER"` or `"mnist:FOLDER"`.
[[nodiscard]] inline data_set open_data_set(std::string_view which, data_set_options const& options = {}) {
  if (options.train_limit == 0) fail("a train limit of 0 leaves nothing to train on: pass a limit above 0");
  if (which == "synthetic") {
    synthetic_options drawn;
    drawn.train = std::min(drawn.train, options.train_limit);
    drawn.test = std::min(drawn.test, options.test_limit);
    drawn.seed = options.seed;
    return synthetic(drawn);
  }
  auto const colon = which.find(':');
  auto const kind = which.substr(0, colon);
  auto const folder = colon == std::string_view::npos ? std::string_view() : which.substr(colon + 1);
  if (!folder.empty()) {
    if (kind == "cifar10") return cifar10(folder, options);
    if (kind == "cifar100") return cifar100(folder, options);
    if (kind == "mnist") return mnist(folder, options);
  }
  fail("unknown data set \"", which, "\": write synthetic, cifar10:FOLDER, cifar100:FOLDER or mnist:FOLDER");
}

}  // namespace lnpt::io
