#pragma once
/// Ranks as threads of one program, any of which can be killed or stopped at its n-th exchange.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <lnpt/core/communicator.hpp>

namespace threads {

/// What befalls a rank as it begins an exchange, counted from 0: its death, of which others hear at once, or a silence.
struct fault {
  enum kind { killed, stopped };
  std::size_t rank;
  std::size_t exchange;
  kind how = killed;
};

/// Thrown in the rank that a fault befalls.
struct gone {};

/// Where the threads meet.
class hub {
 public:
  hub(std::size_t size, std::chrono::milliseconds limit, std::optional<fault> planned)
      : slots_(size), limit_(limit), fault_(planned) {}

  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] std::chrono::milliseconds limit() const { return limit_; }

  using messages = std::vector<std::vector<std::byte>>;

  /// Gives everybody's bytes to everybody; returns when all ranks have come.
  [[nodiscard]] messages exchange(std::size_t rank, std::size_t number, std::span<std::byte const> mine) {
    std::unique_lock lock(mutex_);
    if (fault_ && fault_->rank == rank && fault_->exchange == number) suffer(lock);
    slots_[rank].assign(mine.begin(), mine.end());
    auto const here = generation_;
    if (++arrived_ == size()) {
      done_ = std::make_shared<messages>(slots_);
      arrived_ = 0;
      ++generation_;
      changed_.notify_all();
    }
    changed_.wait_for(lock, limit_, [&] { return generation_ != here || lost_; });
    if (generation_ == here) {
      lost_ = true;
      changed_.notify_all();
      throw lnpt::lost_rank("a rank has not answered within " + std::to_string(limit_.count()) + " ms");
    }
    return *done_;
  }

  /// Ends the silence of a rank that was stopped, when all others are through.
  void release() {
    std::lock_guard const lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  void suffer(std::unique_lock<std::mutex>& lock) {
    if (fault_->how == fault::killed) {
      lost_ = true;
      changed_.notify_all();
    } else {
      changed_.wait(lock, [&] { return released_; });
    }
    throw gone{};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  messages slots_;
  std::shared_ptr<messages const> done_;
  std::size_t arrived_ = 0, generation_ = 0;
  bool lost_ = false, released_ = false;
  std::chrono::milliseconds limit_;
  std::optional<fault> fault_;
};

/// A rank of the hub.
class communicator {
 public:
  communicator(hub& where, std::size_t rank) : hub_(&where), rank_(rank) {}

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return hub_->size(); }
  [[nodiscard]] std::chrono::milliseconds time_limit() const { return hub_->limit(); }

  template <class T>
  void sum(std::span<T> values) {
    auto const all = gather(std::as_bytes(values));
    std::fill(values.begin(), values.end(), T{0});
    for (auto const& bytes : all) {
      std::vector<T> theirs(values.size());
      if (!theirs.empty()) std::memcpy(theirs.data(), bytes.data(), bytes.size());
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += theirs[i];
    }
  }
  [[nodiscard]] hub::messages gather(std::span<std::byte const> mine) {
    auto all = hub_->exchange(rank_, exchanges_++, mine);
    for (auto const& each : all) bytes_ += each.size();
    return all;
  }
  void broadcast(std::span<std::byte> bytes, std::size_t from) {
    auto const all = gather(rank_ == from ? bytes : bytes.first(0));
    std::copy(all.at(from).begin(), all.at(from).end(), bytes.begin());
  }

  [[nodiscard]] std::size_t exchanges() const { return exchanges_; }
  [[nodiscard]] std::size_t bytes_received() const { return bytes_; }

 private:
  hub* hub_;
  std::size_t rank_;
  std::size_t exchanges_ = 0, bytes_ = 0;
};

/// How one rank ended: with what it threw, or well.
struct outcome {
  std::string error = {};
  bool lost = false;  ///< whether it threw lnpt::lost_rank
  bool gone = false;  ///< whether the fault befell it
  std::size_t exchanges = 0;

  [[nodiscard]] bool well() const { return error.empty() && !gone; }
};

/// Runs `work(communicator&)` on so many ranks at once.
template <class Work>
std::vector<outcome> run(std::size_t size, Work work, std::optional<fault> planned = std::nullopt,
                         std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  hub where(size, limit, planned);
  std::vector<outcome> outcomes(size);
  std::vector<std::thread> threads;
  auto const live = [&](std::size_t rank) {
    communicator ranks(where, rank);
    auto& mine = outcomes[rank];
    try {
      work(ranks);
    } catch (lnpt::lost_rank const& e) {
      mine.error = e.what();
      mine.lost = true;
    } catch (gone const&) {
      mine.gone = true;
    } catch (std::exception const& e) {
      mine.error = e.what();
    }
    mine.exchanges = ranks.exchanges();
  };
  for (std::size_t r = 0; r < size; ++r) threads.emplace_back(live, r);
  for (std::size_t r = 0; r < size; ++r)
    if (!planned || r != planned->rank) threads[r].join();
  where.release();
  if (planned) threads[planned->rank].join();
  return outcomes;
}

}  // namespace threads
