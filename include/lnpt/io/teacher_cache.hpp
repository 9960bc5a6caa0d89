#pragma once
/// What a teacher said about every image, written once, for a device that never holds the teacher.
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/io/narrowed.hpp>
#include <lnpt/io/number_text.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/train/augmentation.hpp>

namespace lnpt::io {

/// The teacher's words on one view of one image.
struct teacher_entry {
  std::span<float const> output;    ///< logits, K
  std::span<float const> features;  ///< the penultimate map, flattened, M
  augmentation how;                 ///< the view that the teacher saw
};

/// How images come to a network: [channels, height, width], and what normalises each channel.
struct image_form {
  shape extents;
  std::vector<float> mean, stddev;

  friend bool operator==(image_form const&, image_form const&) = default;
};

template <image_source Images>
[[nodiscard]] image_form form_of(Images const& images) {
  image_form form{{images.channels, images.height, images.width}, {}, {}};
  for (std::size_t c = 0; c < images.channels; ++c) form.mean.push_back(images.mean[c]), form.stddev.push_back(images.stddev[c]);
  return form;
}

/// Teacher outputs and features of `images` images in `views` augmented views each, or as they are if `views` is 0.
///
/// The file is a safetensors file: `output` [rows, K] F32, `features` [rows, M] F32 and, with views, `crop` [rows, 2] U8
/// (dy, dx) and `flip` [rows] U8; rows = images · max(views, 1), the views of an image next to each other. Its metadata hold the
/// description; in files of version 1 without the form of the images, which are read as well, as are files without their digest.
class teacher_cache {
 public:
  struct description {
    std::string data_set = {};  ///< what `open_data_set` was given, without its folder
    std::string teacher = {};   ///< free text
    std::uint64_t seed = 0;     ///< of the augmentations
    std::size_t images = 0;
    std::size_t views = 0;
    std::optional<image_form> form = std::nullopt;       ///< of the images that the teacher saw; none where it is not known
    std::optional<std::uint64_t> pixels = std::nullopt;  ///< their `pixel_digest`; none where it is not known

    friend bool operator==(description const&, description const&) = default;
  };

  /// An empty cache to be filled entry by entry. Its augmentations are those of `draw_augmentation(seed, image, view)`.
  teacher_cache(description about, std::size_t output_size, std::size_t feature_size)
      : about_(std::move(about)), output_size_(output_size), feature_size_(feature_size) {
    if (about_.images == 0 || output_size == 0 || feature_size == 0)
      fail("a teacher cache of ", about_.images, " images, ", output_size, " outputs and ", feature_size,
           " features holds nothing: pass sizes above 0");
    outputs_.resize(values_of_rows(output_size_));
    features_.resize(values_of_rows(feature_size_));
    for (std::size_t row = 0; about_.views != 0 && row != rows(); ++row)
      augmentations_.push_back(draw_augmentation(about_.seed, row / about_.views, row % about_.views));
  }

  /// Reads a file and checks that all of it fits together.
  explicit teacher_cache(safetensors::file const& file) : about_(read_description(file)) {
    output_size_ = read_rows(file, "output", outputs_);
    feature_size_ = read_rows(file, "features", features_);
    if (about_.views != 0) read_augmentations(file);
  }

  /// Whether a file says that it is a cache.
  [[nodiscard]] static bool is_in(safetensors::file const& file) { return file.metadata().contains(version_key); }

  [[nodiscard]] description const& about() const { return about_; }
  [[nodiscard]] std::size_t images() const { return about_.images; }
  [[nodiscard]] std::size_t views() const { return about_.views; }
  [[nodiscard]] std::size_t output_size() const { return output_size_; }
  [[nodiscard]] std::size_t feature_size() const { return feature_size_; }
  [[nodiscard]] std::size_t rows() const { return about_.images * std::max<std::size_t>(about_.views, 1); }

  /// The entry of an image in a view; without stored views, view 0 is the image as it is.
  [[nodiscard]] teacher_entry entry(std::size_t image, std::size_t view = 0) const {
    auto const row = row_of(image, view);
    return {std::span(outputs_).subspan(row * output_size_, output_size_),
            std::span(features_).subspan(row * feature_size_, feature_size_),
            augmentations_.empty() ? augmentation{} : augmentations_[row]};
  }

  /// Stores what the teacher says of this view.
  void set(std::size_t image, std::size_t view, std::span<float const> output, std::span<float const> features) {
    if (output.size() != output_size_ || features.size() != feature_size_)
      fail("the teacher cache holds ", output_size_, " outputs and ", feature_size_, " features per view, not ", output.size(),
           " and ", features.size(), ": pass spans of those sizes");
    auto const row = row_of(image, view);
    std::ranges::copy(output, outputs_.begin() + static_cast<std::ptrdiff_t>(row * output_size_));
    std::ranges::copy(features, features_.begin() + static_cast<std::ptrdiff_t>(row * feature_size_));
  }

  /// The file as a writer, which looks at this cache until it has written.
  [[nodiscard]] safetensors::writer writer() const {
    check_finite("the teacher", "output", outputs_);
    check_finite("the teacher", "features", features_);
    safetensors::writer w;
    w.metadata(version_key, about_.form ? version : version_without_form);
    w.metadata("data_set", about_.data_set);
    w.metadata("teacher", about_.teacher);
    w.metadata("seed", std::to_string(about_.seed));
    w.metadata("images", std::to_string(about_.images));
    w.metadata("views", std::to_string(about_.views));
    if (about_.form) {
      w.metadata("image", numbers_text(about_.form->extents));
      w.metadata("mean", numbers_text(about_.form->mean));
      w.metadata("stddev", numbers_text(about_.form->stddev));
    }
    if (about_.pixels) w.metadata(pixels_key, std::to_string(*about_.pixels));
    w.add("output", {rows(), output_size_}, std::span(outputs_));
    w.add("features", {rows(), feature_size_}, std::span(features_));
    if (about_.views != 0) {
      std::vector<std::uint8_t> crop;
      std::vector<std::uint8_t> flip;
      for (auto const& how : augmentations_) crop.insert(crop.end(), {how.dy, how.dx}), flip.push_back(how.flip);
      w.add("crop", {rows(), 2}, std::move(crop));
      w.add("flip", {rows()}, std::move(flip));
    }
    return w;
  }

  void save(std::filesystem::path const& path) const { writer().save(path); }

 private:
  static constexpr char const* version_key = "lnpt.teacher_cache";
  static constexpr char const* version = "2";
  static constexpr char const* version_without_form = "1";
  static constexpr char const* pixels_key = "pixels";

  [[nodiscard]] std::size_t values_of_rows(std::size_t width) const {
    auto const count = narrowed_product<std::size_t>(shape{about_.images, std::max<std::size_t>(about_.views, 1), width});
    if (!count)
      fail("a teacher cache of ", about_.images, " images in ", about_.views, " views of ", width,
           " values is larger than any memory: cache fewer");
    return *count;
  }

  [[nodiscard]] std::size_t row_of(std::size_t image, std::size_t view) const {
    auto const views = std::max<std::size_t>(about_.views, 1);
    if (image >= about_.images || view >= views)
      fail("the teacher cache has no view ", view, " of image ", image, ": it holds ", about_.images, " images in ", views,
           " views");
    return image * views + view;
  }

  static void check_finite(std::string_view source, char const* tensor, std::span<float const> values) {
    if (auto const bad = count_nonfinite(values); bad != 0)
      fail(source, ": ", tensor, " holds ", bad, " values of ", values.size(),
           " that are NaN or infinite; every value must be finite");
  }

  [[nodiscard]] static std::string const& line(safetensors::file const& file, char const* key) {
    auto const found = file.metadata().find(key);
    if (found == file.metadata().end())
      fail(file.name(), " is no teacher cache: its metadata lack \"", key, "\"; name a file that a teacher cache was saved to");
    return found->second;
  }

  template <std::unsigned_integral Number>
  [[nodiscard]] static Number number(safetensors::file const& file, char const* key) {
    auto const& text = line(file, key);
    auto const value = number_in<Number>(text);
    if (!value)
      fail(file.name(), ": the metadata \"", key, "\" are ", in_quotes(text), "; a number of at most ",
           std::numeric_limits<Number>::digits, " bits is needed");
    return *value;
  }

  /// Numbers as "3,32,32", each the shortest text that reads back as the same.
  template <class Number>
  [[nodiscard]] static std::string numbers_text(std::vector<Number> const& numbers) {
    std::string text;
    for (auto const n : numbers) text += (text.empty() ? "" : ",") + shortest_text(static_cast<double>(n));
    return text;
  }

  /// As many numbers as are expected.
  template <class Number>
  [[nodiscard]] static std::vector<Number> numbers(safetensors::file const& file, char const* key, std::size_t count) {
    std::string_view rest = line(file, key);
    std::vector<Number> found;
    for (auto more = true; more;) {
      auto const comma = rest.find(',');
      auto const value = number_in<Number>(rest.substr(0, comma));
      if (!value || !std::isfinite(static_cast<double>(*value))) break;
      found.push_back(*value);
      more = comma != std::string_view::npos;
      if (!more && found.size() == count) return found;
      rest.remove_prefix(more ? comma + 1 : 0);
    }
    fail(file.name(), ": the metadata \"", key, "\" are ", in_quotes(line(file, key)), "; ", count,
         " numbers are needed, with commas between them");
  }

  [[nodiscard]] static image_form read_form(safetensors::file const& file) {
    image_form form{numbers<std::size_t>(file, "image", 3), {}, {}};
    auto const channels = form.extents[0];
    form.mean = numbers<float>(file, "mean", channels);
    form.stddev = numbers<float>(file, "stddev", channels);
    return form;
  }

  [[nodiscard]] static description read_description(safetensors::file const& file) {
    auto const& held = line(file, version_key);
    if (held != version && held != version_without_form)
      fail(file.name(), " is a teacher cache of version ", in_quotes(held), "; this library reads versions ",
           version_without_form, " and ", version);
    description about{line(file, "data_set"),
                      line(file, "teacher"),
                      number<std::uint64_t>(file, "seed"),
                      number<std::size_t>(file, "images"),
                      number<std::size_t>(file, "views"),
                      std::nullopt,
                      std::nullopt};
    if (held == version) about.form = read_form(file);
    if (file.metadata().contains(pixels_key)) about.pixels = number<std::uint64_t>(file, pixels_key);
    if (about.images == 0) fail(file.name(), " is a teacher cache of no images; it needs at least one");
    if (about.views > std::numeric_limits<std::size_t>::max() / about.images)
      fail(file.name(), ": ", about.images, " images in ", about.views,
           " views are more rows than can be counted; the counts must be those of its rows");
    return about;
  }

  void check_shape(safetensors::file const& file, char const* tensor, dtype type, shape const& expected) const {
    auto const& held = file.info(tensor);
    if (held.shape != expected || held.dtype != type)
      fail(file.name(), ": ", tensor, " is ", name_of(held.dtype), ' ', list(held.shape), " where ", about_.images, " images in ",
           about_.views, " views need ", name_of(type), ' ', list(expected));
  }

  /// The values of a [rows, width] tensor; returns the width.
  std::size_t read_rows(safetensors::file const& file, char const* tensor, std::vector<float>& values) const {
    auto const& held = file.info(tensor).shape;
    auto const width = held.size() == 2 ? std::max<std::size_t>(held[1], 1) : 1;
    check_shape(file, tensor, dtype::f32, {rows(), width});
    values = file.read<float>(tensor);
    check_finite(file.name(), tensor, values);
    return width;
  }

  void read_augmentations(safetensors::file const& file) {
    check_shape(file, "crop", dtype::u8, {rows(), 2});
    check_shape(file, "flip", dtype::u8, {rows()});
    auto const crop = file.read<std::uint8_t>("crop");
    auto const flip = file.read<std::uint8_t>("flip");
    for (std::size_t row = 0; row != rows(); ++row) {
      augmentation const how{crop[2 * row], crop[2 * row + 1], flip[row] != 0};
      if (how.dy > 2 * default_padding || how.dx > 2 * default_padding)
        fail(file.name(), ": the crop of row ", row, " begins at (", +how.dy, ", ", +how.dx, "); offsets go from 0 to ",
             2 * default_padding);
      if (flip[row] > 1) fail(file.name(), ": the flip of row ", row, " is ", +flip[row], "; it must be 0 or 1");
      augmentations_.push_back(how);
    }
  }

  description about_;
  std::size_t output_size_ = 0, feature_size_ = 0;
  std::vector<float> outputs_, features_;
  std::vector<augmentation> augmentations_;
};

/// Opens and checks a teacher cache.
[[nodiscard]] inline teacher_cache open_teacher_cache(std::filesystem::path const& path) {
  return teacher_cache(safetensors::open(path));
}

}  // namespace lnpt::io
