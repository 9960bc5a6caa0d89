#pragma once
/// Training images as bytes on the device, or on their way there, and the batches that one kernel makes of them.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include <lnpt/backend/cudnn/kernels/images.hpp>
#include <lnpt/backend/cudnn/strided.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt::cudnn {

namespace detail {

inline void free_pinned(void* p) { (void)cudaFreeHost(p); }
using pinned_handle = handle<void*, free_pinned>;

/// Host memory in two halves that are written and copied to the device in turn: while one is copied the other is filled.
class double_buffer {
 public:
  /// A buffer on the device with `bytes` bytes, which `write(span)` puts into pinned memory first.
  template <class Write>
  [[nodiscard]] shared_buffer send(std::size_t bytes, Write write) {
    auto& next = halves_[turn_];
    turn_ = 1 - turn_;
    next.make_room(bytes);
    auto* const first = static_cast<std::uint8_t*>(next.pinned.get());
    write(std::span(first, bytes));
    auto sent = allocate(bytes);
    copy(sent->get(), first, bytes, cudaMemcpyHostToDevice);
    check(cudaEventRecord(next.copied.get(), runtime::current().stream()), "cudaEventRecord");
    return sent;
  }

 private:
  struct half {
    pinned_handle pinned;
    event_handle copied;
    std::size_t room = 0;

    /// Waits until the last copy from here is done.
    void make_room(std::size_t bytes) {
      if (copied.get() != nullptr)
        check(cudaEventSynchronize(copied.get()), "cudaEventSynchronize");
      else
        check(cudaEventCreateWithFlags(copied.out(), cudaEventDisableTiming), "cudaEventCreateWithFlags");
      if (bytes <= room) return;
      pinned = {};
      room = 0;
      check(cudaMallocHost(pinned.out(), bytes), "cudaMallocHost");
      room = bytes;
    }
  };
  std::array<half, 2> halves_;
  std::size_t turn_ = 0;
};

/// Whether this many bytes leave at least as many free for networks.
[[nodiscard]] inline bool fits_on_device(std::size_t bytes) {
  (void)runtime::current();
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return bytes <= free / 2;
}

}  // namespace detail

/// The images that batches are made of. They lie on the device, as bytes, where they leave at least as much memory free; else the bytes of
/// every batch go there through pinned memory. A view of the images, which outlive it.
template <image_source Images>
class image_store {
 public:
  explicit image_store(Images const& images)
      : images_(&images), image_(std::size_t{images.channels} * images.height * images.width) {
    std::vector<float> constants;
    for (std::size_t c = 0; c < images.channels; ++c) constants.push_back(1.0F / (255.0F * images.stddev[c]));
    for (std::size_t c = 0; c < images.channels; ++c) constants.push_back(-images.mean[c] / images.stddev[c]);
    constants_ = detail::allocate(constants.size() * sizeof(float));
    detail::copy(constants_->get(), constants.data(), constants.size() * sizeof(float), cudaMemcpyHostToDevice);
    if (detail::fits_on_device(images.size() * image_)) send_all();
  }

  [[nodiscard]] bool is_on_device() const { return all_ != nullptr; }

  /// The planned images, augmented and normalised as `write_images` does it: [B, C, H, W].
  [[nodiscard]] array<float> batch(batch_plan const& plan) const {
    auto const n = plan.images.size();
    array<float> result({n, images_->channels, images_->height, images_->width});
    auto const bytes = all_ ? all_ : sent_->send(n * image_, [&](std::span<std::uint8_t> to) { gather(plan.images, to); });
    for (std::size_t first = 0; first < n; first += detail::most_views) {
      auto const some = std::min<std::size_t>(detail::most_views, n - first);
      launch(views(plan, first, some), *bytes, result.written() + first * image_, some);
    }
    return result;
  }

 private:
  void send_all() {
    all_ = detail::allocate(images_->size() * image_);
    std::vector<std::size_t> some;
    std::vector<std::uint8_t> staged;
    auto const at_once = std::max<std::size_t>(1, (std::size_t{32} << 20) / std::max<std::size_t>(1, image_));
    for (std::size_t first = 0; first < images_->size(); first += some.size()) {
      some.resize(std::min(at_once, images_->size() - first));
      std::iota(some.begin(), some.end(), first);
      staged.resize(some.size() * image_);
      gather(some, staged);
      detail::copy(static_cast<std::uint8_t*>(all_->get()) + first * image_, staged.data(), staged.size(),
                   cudaMemcpyHostToDevice);
    }
  }
  void gather(std::span<std::size_t const> which, std::span<std::uint8_t> to) const {
    for (std::size_t i = 0; i < which.size(); ++i) {
      std::span<std::uint8_t const> const from = images_->image(which[i]);
      std::ranges::copy(from.first(image_), to.subspan(i * image_, image_).begin());
    }
  }
  [[nodiscard]] detail::image_views views(batch_plan const& plan, std::size_t first, std::size_t n) const {
    detail::image_views result{};
    for (std::size_t i = 0; i < n; ++i) {
      auto const how = plan.how.empty() ? no_augmentation() : plan.how[first + i];
      require_inside(how, default_padding);
      auto const image = all_ ? plan.images[first + i] : first + i;
      result.at[i] = {static_cast<unsigned>(image), how.dy, how.dx, static_cast<unsigned char>(how.flip), 0};
    }
    return result;
  }
  void launch(detail::image_views const& views, detail::buffer const& bytes, float* out, std::size_t n) const {
    auto const count = [](std::size_t i) { return static_cast<unsigned>(i); };
    auto const* const scale = static_cast<float const*>(constants_->get());
    detail::runtime::current().for_each_element("crop_flip_normalise", n * image_, views,
                                                static_cast<unsigned char const*>(bytes.get()), scale, scale + images_->channels,
                                                out, count(images_->channels), count(images_->height), count(images_->width),
                                                count(default_padding));
  }

  Images const* images_;
  std::size_t image_;  ///< bytes of an image
  detail::shared_buffer constants_, all_;
  std::unique_ptr<detail::double_buffer> sent_ = std::make_unique<detail::double_buffer>();
};

}  // namespace lnpt::cudnn
