/// Any bytes as a teacher cache.
#include <lnpt/io/teacher_cache.hpp>
#include <vector>

#include "support.hpp"

namespace {

std::vector<std::byte> valid() {
  lnpt::io::teacher_cache cache({.data_set = "d",
                                 .teacher = "t",
                                 .seed = 1,
                                 .images = 2,
                                 .views = 2,
                                 .form = lnpt::io::image_form{{1, 2, 2}, {0.5F}, {0.25F}}},
                                2, 1);
  return cache.writer().bytes();
}

void read_everything(lnpt::io::teacher_cache const& cache) {
  for (std::size_t image = 0; image != cache.images(); ++image)
    for (std::size_t view = 0; view != std::max<std::size_t>(cache.views(), 1); ++view) {
      auto const entry = cache.entry(image, view);
      fuzz::require(entry.output.size() == cache.output_size() && entry.features.size() == cache.feature_size());
      fuzz::require(lnpt::count_nonfinite(entry.output) == 0 && lnpt::count_nonfinite(entry.features) == 0);
      fuzz::require(entry.how.dy <= 8 && entry.how.dx <= 8);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::attempt(
      [&] { read_everything(lnpt::io::teacher_cache(lnpt::io::safetensors::view(std::as_bytes(std::span(data, size))))); });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  static auto const whole = valid();
  return fuzz::mutate_framed(data, size, max_size, seed, whole);
}
