// expect: this loss compares against labels, but the images carry none
#include <lnpt/lnpt.hpp>
#include <lnpt/train/train.hpp>

struct photographs {
  std::size_t channels, height, width;
  std::vector<float> mean, stddev;
  std::span<std::uint8_t const> image(std::size_t) const;
  std::size_t size() const;
};
struct exam : photographs {
  std::vector<std::int64_t> labels;
};
auto f(lnpt::network<lnpt::cpu::backend<float>>& model, photographs const& images, exam const& test) {
  return lnpt::train(model, lnpt::mask_set{}, images, test, lnpt::no_guide{}, lnpt::cross_entropy{}, {});
}
