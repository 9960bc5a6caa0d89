#pragma once
/// Images of bytes in memory, with their labels and the statistics that normalise them.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace lnpt::io {

/// One split of a data set. Every image_set satisfies `lnpt::image_source`.
struct image_set {
  std::size_t channels = 0, height = 0, width = 0;
  std::size_t classes = 0;
  std::vector<std::uint8_t> pixels = {};      ///< NCHW
  std::vector<std::int64_t> labels = {};      ///< in [0, classes); empty: not known
  std::vector<float> mean = {}, stddev = {};  ///< per channel, of pixels / 255 over the whole training split

  [[nodiscard]] std::size_t size() const { return image_size() == 0 ? 0 : pixels.size() / image_size(); }
  [[nodiscard]] bool has_labels() const { return labels.size() == size(); }
  [[nodiscard]] std::size_t image_size() const { return channels * height * width; }
  [[nodiscard]] std::span<std::uint8_t const> image(std::size_t i) const {
    return std::span(pixels).subspan(i * image_size(), image_size());
  }
};

struct data_set {
  image_set train, test;
  std::string name;
};

/// How much to load: the first `limit` images of each split; the statistics are of the whole training split all the same.
struct data_set_options {
  static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
  std::size_t train_limit = all;
  std::size_t test_limit = all;
  std::uint64_t seed = 0;  ///< of a synthetic set
};

/// Mean and standard deviation per channel of a stream of images, from exact integer sums.
class channel_statistics {
 public:
  explicit channel_statistics(std::size_t channels) : sums_(channels), squares_(channels) {}

  /// Counts one image, CHW.
  void add(std::span<std::uint8_t const> image) {
    auto const area = image.size() / sums_.size();
    for (std::size_t c = 0; c != sums_.size(); ++c) {
      std::uint64_t sum = 0;
      std::uint64_t square = 0;
      for (std::uint64_t const value : image.subspan(c * area, area)) {
        sum += value;
        square += value * value;
      }
      sums_[c] += sum;
      squares_[c] += square;
    }
    count_ += area;
  }

  /// Sets both splits' statistics. A constant channel gets the deviation 1, so that normalising it gives 0.
  void give_to(data_set& set) const {
    for (auto* const split : {&set.train, &set.test}) split->mean.clear(), split->stddev.clear();
    for (std::size_t c = 0; c != sums_.size(); ++c) {
      auto const n = static_cast<double>(count_);
      auto const mean = static_cast<double>(sums_[c]) / n / 255.0;
      auto const variance = static_cast<double>(squares_[c]) / n / (255.0 * 255.0) - mean * mean;
      auto const deviation = variance > 1e-12 ? std::sqrt(variance) : 1.0;
      for (auto* const split : {&set.train, &set.test}) {
        split->mean.push_back(static_cast<float>(mean));
        split->stddev.push_back(static_cast<float>(deviation));
      }
    }
  }

 private:
  std::vector<std::uint64_t> sums_, squares_;
  std::uint64_t count_ = 0;
};

}  // namespace lnpt::io
