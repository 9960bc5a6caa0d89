#pragma once
/// How minizip reads a byte source.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <minizip/ioapi.h>
#include <span>

#include <lnpt/io/byte_source.hpp>

namespace lnpt::io::zip::detail {

/// A position in a byte source that minizip reads from and moves. Bytes come through a window of a few pages, because minizip asks for
/// them one at a time. Must stay where it is while minizip uses it.
class byte_reader {
 public:
  explicit byte_reader(byte_source const& source) : source_(source) {}
  byte_reader(byte_reader const&) = delete;
  byte_reader& operator=(byte_reader const&) = delete;

  /// What `unzOpen2_64` takes.
  [[nodiscard]] zlib_filefunc64_def functions() {
    return {[](voidpf self, void const*, int) { return self; },
            [](voidpf, voidpf self, void* out, uLong count) { return of(self).read(static_cast<std::byte*>(out), count); },
            nullptr,
            [](voidpf, voidpf self) -> ZPOS64_T { return of(self).position_; },
            [](voidpf, voidpf self, ZPOS64_T offset, int origin) { return of(self).seek(offset, origin); },
            [](voidpf, voidpf) { return 0; },
            [](voidpf, voidpf self) { return of(self).failure_ || of(self).ran_out_ ? 1 : 0; },
            this};
  }

  /// Throws what a read threw: exceptions do not pass through minizip.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static byte_reader& of(voidpf self) { return *static_cast<byte_reader*>(self); }

  [[nodiscard]] std::uint64_t left() const { return position_ < source_.size() ? source_.size() - position_ : 0; }

  uLong read(std::byte* out, uLong count) noexcept {
    uLong done = 0;
    for (auto const wanted = static_cast<uLong>(std::min<std::uint64_t>(count, left())); done < wanted && !failure_;) {
      if (position_ < begin_ || position_ >= begin_ + filled_) fill();
      if (failure_) break;
      auto const part = static_cast<uLong>(std::min<std::uint64_t>(wanted - done, begin_ + filled_ - position_));
      std::copy_n(window_.data() + (position_ - begin_), part, out + done);
      done += part;
      position_ += part;
    }
    ran_out_ = ran_out_ || done != count;
    return done;
  }

  void fill() noexcept {
    begin_ = position_;
    filled_ = std::min<std::uint64_t>(left(), window_.size());
    try {
      source_.read(begin_, std::span(window_).first(static_cast<std::size_t>(filled_)));
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  long seek(std::uint64_t offset, int origin) noexcept {
    auto const from = origin == ZLIB_FILEFUNC_SEEK_CUR ? position_ : origin == ZLIB_FILEFUNC_SEEK_END ? source_.size() : 0;
    if (offset > source_.size() || from > source_.size() - offset) return -1;
    position_ = from + offset;
    return 0;
  }

  byte_source const& source_;
  std::uint64_t position_ = 0;
  std::array<std::byte, 4096> window_{};
  std::uint64_t begin_ = 0, filled_ = 0;  // what the window holds
  std::exception_ptr failure_;
  bool ran_out_ = false;  // an error to minizip: it takes the end of a file for success (UNZ_EOF is UNZ_OK)
};

}  // namespace lnpt::io::zip::detail
