#include "command.hpp"

#include <lnpt/io/data_set.hpp>

#include "text.hpp"

namespace cli {

std::string data_kind(std::string const& text) { return text.substr(0, text.find(':')); }

lnpt::io::data_set open_data(std::string const& text, image_limits const& limits) {
  auto const kind = data_kind(text);
  auto const takes_folder = kind == "cifar10" || kind == "cifar100" || kind == "mnist";
  auto const has_folder = text.size() > kind.size() + 1;
  if (!(kind == "synthetic" && text == kind) && !(takes_folder && has_folder))
    refuse("\"", text, "\" is no data set: write ", data_forms);
  return lnpt::io::open_data_set(text, {.train_limit = limits.train, .test_limit = limits.test});
}

}  // namespace cli
