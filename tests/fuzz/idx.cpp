/// Any bytes as the two IDX files of a split; the first byte says where the second file begins.
#include <array>
#include <lnpt/io/mnist.hpp>

#include "support.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  auto const rest = std::as_bytes(std::span(data, size).subspan(1));
  auto const cut = std::min<std::size_t>(data[0], rest.size());
  auto const images = lnpt::io::byte_source::view(rest.first(cut), "images");
  auto const labels = lnpt::io::byte_source::view(rest.subspan(cut), "labels");
  fuzz::attempt([&] {
    auto const idx = lnpt::io::read_idx(images, 3);
    fuzz::require(idx.values.size() == idx.shape[0] * idx.shape[1] * idx.shape[2] && !idx.values.empty());
  });
  fuzz::attempt([&] {
    lnpt::io::channel_statistics statistics(1);
    std::size_t const limit = data[0] % 3 == 0 ? 1 : 100;
    auto const set = lnpt::io::read_mnist(images, labels, limit, &statistics);
    fuzz::require(set.size() <= limit && set.pixels.size() == set.size() * set.image_size());
    for (auto const label : set.labels) fuzz::require(label >= 0 && label < 10);
  });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  static constexpr std::array<std::uint8_t, 35> valid{24, 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1,
                                                      2,  3, 4, 5, 6, 7, 8, 0, 0, 8, 1, 0, 0, 0, 2, 3, 9};
  return fuzz::mutate_from(data, size, max_size, seed, std::as_bytes(std::span(valid)));
}
