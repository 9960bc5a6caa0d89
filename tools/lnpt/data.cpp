#include "data.hpp"

#include <cmath>
#include <filesystem>

#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/tensor_images.hpp>
#include <lnpt/train/batches.hpp>

#include "ranges.hpp"
#include "text.hpp"

namespace cli {

namespace {

/// One number per channel from a list of as many or of one.
std::vector<float> per_channel(char const* flag, std::string const& text, std::size_t channels) {
  auto values = parse_numbers<float>("number of a channel", text);
  if (values.size() == 1) values.resize(channels, values.front());
  if (values.size() != channels)
    refuse(flag, ' ', text, " has ", values.size(), " numbers for images of ", channels,
           " channels: give one for each, or one for all");
  for (auto const value : values)
    if (!std::isfinite(value))
      refuse(flag, ' ', text, " is no number that pixels could be moved or divided by: give finite ones");
  return values;
}

void normalize(lnpt::io::image_set& images, data_options const& o) {
  if (!o.mean.empty()) images.mean = per_channel("--mean", o.mean, images.channels);
  if (!o.stddev.empty()) images.stddev = per_channel("--std", o.stddev, images.channels);
  for (auto const deviation : images.stddev)
    if (!(deviation > 0))
      refuse("--std ", o.stddev, " divides by a number that is not above 0: give 1 to leave values as they are");
}

}  // namespace

void data_options::describe_images(CLI::App& command) {
  command.add_option("--train-limit", train_limit, "Use the first N training images")->check(above_zero());
  command.add_option("--test-limit", test_limit, "Use the first N test images")->check(above_zero());
  command.add_option(
      "--mean", mean,
      "Pixels become (p / 255 - mean) / std, per channel; default: mean and std of all training images. Networks of "
      "PyTorch want the numbers they were trained with, such as .4914,.4822,.4465");
  command.add_option("--std", stddev, "See --mean; 0 and 1 leave p / 255 as it is");
}

bool names_tensor_file(std::string const& text) {
  return lnpt::io::has_ending(text, ".safetensors") || std::filesystem::is_regular_file(text);
}

namespace {

/// Whether a text that names no data set looks like the name of a file.
bool looks_like_file(std::string const& text) {
  return text.find(':') == std::string::npos &&
         (text.find('/') != std::string::npos || std::filesystem::path(text).has_extension());
}

}  // namespace

bool names_batch_file(data_options const& o) {
  if (!names_tensor_file(o.data)) return false;
  auto const file = lnpt::io::safetensors::open(o.data);
  auto const& input = file.info("input");
  if (input.shape.size() == 4 && input.dtype == lnpt::io::dtype::u8) return false;
  constexpr auto all = lnpt::io::data_set_options::all;
  auto const* const useless = o.train_limit != all  ? "--train-limit"
                              : o.test_limit != all ? "--test-limit"
                              : !o.mean.empty()     ? "--mean"
                              : !o.stddev.empty()   ? "--std"
                                                    : nullptr;
  if (useless != nullptr)
    refuse(useless, " is for images of bytes, and ", o.data, " holds numbers, which are all taken as they are: leave it out");
  return true;
}

std::vector<std::vector<std::int64_t>> label_batches(lnpt::io::image_set const& images, std::span<std::size_t const> indices,
                                                     std::size_t size) {
  std::vector<std::vector<std::int64_t>> batches;
  for (std::size_t begin = 0; begin < indices.size(); begin += size)
    batches.push_back(lnpt::gather_labels(images, indices.subspan(begin, std::min(size, indices.size() - begin))));
  return batches;
}

std::string data_kind(std::string const& text) {
  return names_tensor_file(text) ? std::filesystem::path(text).filename().string() : text.substr(0, text.find(':'));
}

lnpt::io::data_set open_data(data_options const& o) {
  auto const limits = lnpt::io::data_set_options{.train_limit = o.train_limit, .test_limit = o.test_limit};
  auto const open = [&] {
    if (names_tensor_file(o.data)) return lnpt::io::tensor_images(lnpt::io::safetensors::open(o.data), limits);
    auto const kind = data_kind(o.data);
    auto const takes_folder = kind == "cifar10" || kind == "cifar100" || kind == "mnist";
    auto const has_folder = o.data.size() > kind.size() + 1;
    auto const known = (kind == "synthetic" && o.data == kind) || (takes_folder && has_folder);
    if (!known && looks_like_file(o.data) && !std::filesystem::exists(o.data))
      lnpt::fail("there is no file ", o.data, ": name a data set, ", data_forms);
    if (!known) refuse("\"", o.data, "\" is no data set: write ", data_forms);
    return lnpt::io::open_data_set(o.data, limits);
  };
  auto set = open();
  if (set.train.size() == 0) lnpt::fail(o.data, " holds no images: put some into \"input\"");
  if (set.test.size() == 0)
    lnpt::fail(o.data,
               " holds no images to test on: put some into \"test_input\", or leave it out, and those for training serve");
  normalize(set.train, o);
  normalize(set.test, o);
  return set;
}

void require_labels_below(std::size_t classes, std::span<std::int64_t const> labels, std::string const& whose,
                          std::size_t first) {
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < 0 || static_cast<std::uint64_t>(labels[i]) >= classes)
      lnpt::fail(whose, ": label ", labels[i], " of sample ", first + i, " is out of range: the network tells ", classes,
                 " classes apart, so labels go from 0 to ", classes - 1);
}

void set_classes(lnpt::io::data_set& data, std::size_t classes) {
  if (classes == 0) return;
  require_labels_below(classes, data.train.labels, data.name);
  require_labels_below(classes, data.test.labels, data.name + " for testing");
  data.train.classes = data.test.classes = classes;
}

void require_training_labels(lnpt::io::data_set const& data, char const* otherwise) {
  if (!data.train.has_labels())
    lnpt::fail(data.name, " holds no labels, which are learnt from: add \"labels\" I64 [samples]", otherwise);
}

void require_test_labels(lnpt::io::data_set const& data) {
  if (!data.test.has_labels())
    lnpt::fail(data.name,
               " holds no labels of its test images, which accuracy is measured with: add \"test_labels\" I64 [samples] beside "
               "\"test_input\", or \"labels\" where there is none");
}

lnpt::io::data_set open_labelled_data(data_options const& o, std::size_t classes) {
  auto data = open_data(o);
  require_training_labels(data);
  require_test_labels(data);
  set_classes(data, classes);
  return data;
}

}  // namespace cli
