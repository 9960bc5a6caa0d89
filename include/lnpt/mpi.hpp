#pragma once
/// Pruning over the processes of an MPI program (component `mpi`).
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mpi.h>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <lnpt/core/communicator.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/distributed.hpp>
#include <lnpt/distributed/gather_in_blocks.hpp>

namespace lnpt::mpi {

namespace detail {

template <class T>
[[nodiscard]] MPI_Datatype type_of();
template <>
[[nodiscard]] inline MPI_Datatype type_of<double>() {
  return MPI_DOUBLE;
}
template <>
[[nodiscard]] inline MPI_Datatype type_of<float>() {
  return MPI_FLOAT;
}
template <>
[[nodiscard]] inline MPI_Datatype type_of<std::uint64_t>() {
  return MPI_UINT64_T;
}
template <>
[[nodiscard]] inline MPI_Datatype type_of<std::byte>() {
  return MPI_BYTE;
}

/// Throws where MPI reports an error.
inline void check(int code, char const* call) {
  if (code == MPI_SUCCESS) return;
  std::string text(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  text.resize(static_cast<std::size_t>(length));
  throw lost_rank(std::string(call) + " failed: " + text);
}

/// Waits for a request, `limit` at most. MPI knows no time limits: only calls that do not block can be given one.
inline void wait_for(MPI_Request& request, std::chrono::milliseconds limit, char const* call) {
  using clock = std::chrono::steady_clock;
  auto const start = clock::now();
  for (;;) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), call);
    if (done != 0) return;
    auto const waited = clock::now() - start;
    if (waited > limit)
      throw lost_rank(std::string(call) + ": a rank has not answered within " + std::to_string(limit.count()) +
                      " ms; end the program by MPI_Abort, since MPI_Finalize would wait for that rank");
    if (waited < std::chrono::milliseconds(1))
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace detail

/// The ranks of an MPI communicator: a duplicate of it, so that its messages meet no others. Between MPI_Init and MPI_Finalize, from
/// one thread at a time.
///
///     mpi::communicator ranks(MPI_COMM_WORLD);
///     auto [masks, report] = prune<snip>(model, shard(batches, ranks), {.budget = sparsity{0.95}});
///
/// Every call is nonblocking and waits `limit` at most, the construction included; then it throws `lost_rank`, after which MPI_Abort is
/// all that is left to call. Sums have one owner per value, who adds it up for everybody (MPI_Ireduce_scatter_block, MPI_Iallgather): MPI
/// recommends that all ranks get the same bits from a reduction, but does not promise it.
class communicator {
 public:
  explicit communicator(MPI_Comm group, std::chrono::milliseconds limit = std::chrono::minutes(1))
      : state_(std::make_unique<state>()), limit_(limit) {
    int here = 0;
    int all = 0;
    detail::check(MPI_Comm_rank(group, &here), "MPI_Comm_rank");
    detail::check(MPI_Comm_size(group, &all), "MPI_Comm_size");
    rank_ = static_cast<std::size_t>(here);
    size_ = static_cast<std::size_t>(all);
    perform("MPI_Comm_idup", [&](MPI_Request* request) { return MPI_Comm_idup(group, &state_->group, request); });
    detail::check(MPI_Comm_set_errhandler(state_->group, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  communicator(communicator const&) = delete;
  communicator& operator=(communicator const&) = delete;
  ~communicator() {
    if (state_) MPI_Comm_free(&state_->group);
  }

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::chrono::milliseconds time_limit() const { return limit_; }

  template <class T>
  void sum(std::span<T> values) {
    for_each_piece(values, [&](std::span<T> piece) { sum_piece(piece); });
  }

  [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<std::byte const> mine) {
    return lnpt::detail::gather_in_blocks(mine, size_, piece_bytes,
                                          [&](std::span<std::byte const> block) { return gather_blocks(block); });
  }

  void broadcast(std::span<std::byte> bytes, std::size_t from) {
    for_each_piece(bytes, [&](std::span<std::byte> piece) {
      auto& buffer = into_buffer(live(), std::span<std::byte const>(piece));
      perform("MPI_Ibcast", [&](MPI_Request* request) {
        return MPI_Ibcast(buffer.data(), static_cast<int>(piece.size()), MPI_BYTE, static_cast<int>(from), state_->group,
                          request);
      });
      std::ranges::copy(buffer, piece.begin());
    });
  }

 private:
  /// What MPI reads and writes while a call is under way. It outlives a call that never ends.
  struct state {
    MPI_Comm group = MPI_COMM_NULL;
    MPI_Request request = MPI_REQUEST_NULL;
    std::vector<std::byte> sent, received;
  };
  static constexpr std::size_t piece_bytes = std::size_t{1} << 24;

  /// Starts a call and waits for it. A call that does not end keeps its buffers, and this object answers no more.
  template <class Start>
  void perform(char const* call, Start start) {
    try {
      detail::check(start(&state_->request), call);
      detail::wait_for(state_->request, limit_, call);
    } catch (...) {
      abandoned().push_back(std::move(state_));
      throw;
    }
  }
  [[nodiscard]] static std::vector<std::unique_ptr<state>>& abandoned() {
    static auto& all = *new std::vector<std::unique_ptr<state>>;  // never freed: MPI may yet write there
    return all;
  }

  template <class T, class Visit>
  static void for_each_piece(std::span<T> values, Visit visit) {
    constexpr auto length = piece_bytes / sizeof(T);
    for (std::size_t begin = 0; begin < values.size(); begin += length)
      visit(values.subspan(begin, std::min(length, values.size() - begin)));
  }

  template <class T>
  static std::vector<std::byte>& into_buffer(std::vector<std::byte>& buffer, std::span<T const> values, std::size_t padded = 0) {
    auto const bytes = std::as_bytes(values);
    buffer.assign(bytes.begin(), bytes.end());
    buffer.resize(std::max(bytes.size(), padded * sizeof(T)));
    return buffer;
  }

  /// Block r of the values is added up by rank r, and then given to everybody.
  template <class T>
  void sum_piece(std::span<T> values) {
    auto const block = (values.size() + size_ - 1) / size_;
    auto& sent = into_buffer(live(), std::span<T const>(values), block * size_);
    state_->received.resize(block * sizeof(T));
    perform("MPI_Ireduce_scatter_block", [&](MPI_Request* request) {
      return MPI_Ireduce_scatter_block(sent.data(), state_->received.data(), static_cast<int>(block), detail::type_of<T>(),
                                       MPI_SUM, state_->group, request);
    });
    std::vector<T> mine(block);
    std::memcpy(mine.data(), state_->received.data(), block * sizeof(T));
    auto const all = gather_blocks(std::span<T const>(mine));
    std::copy_n(all.begin(), values.size(), values.begin());
  }

  /// Blocks of one length, by rank.
  template <class T>
  [[nodiscard]] std::vector<T> gather_blocks(std::span<T const> mine) {
    auto& sent = into_buffer(live(), mine);
    state_->received.resize(mine.size_bytes() * size_);
    auto const count = static_cast<int>(mine.size());
    perform("MPI_Iallgather", [&](MPI_Request* request) {
      return MPI_Iallgather(sent.data(), count, detail::type_of<T>(), state_->received.data(), count, detail::type_of<T>(),
                            state_->group, request);
    });
    std::vector<T> all(mine.size() * size_);
    std::memcpy(all.data(), state_->received.data(), state_->received.size());
    return all;
  }

  /// The buffer of what is sent, while there is one.
  [[nodiscard]] std::vector<std::byte>& live() {
    if (!state_) throw lost_rank("these ranks were given up when one of them did not answer: end the program by MPI_Abort");
    return state_->sent;
  }

  std::unique_ptr<state> state_;
  std::chrono::milliseconds limit_;
  std::size_t rank_ = 0, size_ = 1;
};

}  // namespace lnpt::mpi
