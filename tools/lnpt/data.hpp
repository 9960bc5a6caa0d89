#pragma once
/// What `--data` names, in every command: a data set, or a safetensors file of tensors.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <lnpt/io/data_set.hpp>
#include <lnpt/io/safetensors.hpp>

#include "architecture.hpp"

namespace cli {

inline constexpr char const* data_forms =
    "synthetic, cifar10:FOLDER, cifar100:FOLDER, mnist:FOLDER, or a safetensors file of images, input U8 [N,C,H,W] and, where "
    "they are read, labels [N]";
inline constexpr char const* batch_forms =
    "; or one of numbers, which are taken as they are: input [N,C,H,W] or [N,F] and, where they are read, labels [N]";

/// The flags that say what to read, how much of it, and how pixels become numbers.
struct data_options {
  std::string data = {};
  std::size_t train_limit = lnpt::io::data_set_options::all;
  std::size_t test_limit = lnpt::io::data_set_options::all;
  std::string mean = {}, stddev = {};  ///< per channel; empty: of the training images

  /// Adds --mean, --std and the limits; --data itself is each command's own.
  void describe_images(CLI::App& command);
};

/// Whether the text names a file of tensors rather than a data set.
[[nodiscard]] bool names_tensor_file(std::string const& text);

/// Whether the data are a file of tensors that are read whole and as they are, rather than images of bytes, which are normalised. Refuses
/// flags that would do nothing to such tensors.
[[nodiscard]] bool names_batch_file(data_options const& options);

/// Images to train or evaluate on, those of a file with labels or without; text of no such form is misuse, a folder without the files a
/// failure.
[[nodiscard]] lnpt::io::data_set open_data(data_options const& options);
/// The same for work that reads the labels of both splits, with a network that tells so many classes apart by its own account (0: as the
/// labels do). Refuses a file without them, and labels beyond.
[[nodiscard]] lnpt::io::data_set open_labelled_data(data_options const& options, std::size_t classes);

/// Gives the data as many classes as the network tells apart, be they all among the labels or not. Refuses labels of others, with which no
/// decision could agree. 0: the network does not say, and the labels do.
void set_classes(lnpt::io::data_set& data, std::size_t classes);
/// Refuses such labels of samples; `whose` names them and their file, `first` is the number of the first sample.
void require_labels_below(std::size_t classes, std::span<std::int64_t const> labels, std::string const& whose,
                          std::size_t first = 0);

/// Refuse images to train on, or to test on, whose labels are read and are not there.
void require_training_labels(lnpt::io::data_set const& data, char const* otherwise = "");
void require_test_labels(lnpt::io::data_set const& data);

/// The kind of a data set without its folder, and of a file its own name: what does not change when the files are moved.
[[nodiscard]] std::string data_kind(std::string const& text);

/// The labels of these images, in batches as `lnpt::plain_batches` makes them.
[[nodiscard]] std::vector<std::vector<std::int64_t>> label_batches(lnpt::io::image_set const& images,
                                                                   std::span<std::size_t const> indices, std::size_t size);

/// Of a network that nothing tells the number of classes.
inline constexpr std::size_t classes_unless_said = 10;

/// What a network has to fit that is for these images; of how many classes they are, images without labels do not say.
[[nodiscard]] inline surroundings around(lnpt::io::image_set const& images) {
  return {{images.channels, images.height, images.width}, images.classes != 0 ? images.classes : classes_unless_said};
}

}  // namespace cli
