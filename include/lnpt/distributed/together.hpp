#pragma once
/// One refusal for all: what one process cannot do, all of them refuse.
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/communicator.hpp>

namespace lnpt {

/// A communicator whose every exchange begins with a vote, so that a rank which cannot go on is heard by those that wait for it:
/// `together` casts its vote for it. A vote costs one exchange of a few bytes.
template <communicator R>
class agreeing {
 public:
  explicit agreeing(R& ranks) : ranks_(&ranks) {}

  [[nodiscard]] std::size_t rank() const { return ranks_->rank(); }
  [[nodiscard]] std::size_t size() const { return ranks_->size(); }
  [[nodiscard]] std::chrono::milliseconds time_limit() const { return ranks_->time_limit(); }
  template <class T>
  void sum(std::span<T> values) {
    agree();
    exchange([&](R& ranks) { ranks.sum(values); });
  }
  [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<std::byte const> mine) {
    agree();
    return exchange([&](R& ranks) { return ranks.gather(mine); });
  }
  void broadcast(std::span<std::byte> bytes, std::size_t from) {
    agree();
    exchange([&](R& ranks) { ranks.broadcast(bytes, from); });
  }

  /// Throws on every rank where any of them refuses; `refusal` is this one's sentence, empty where it goes on.
  void agree(std::string_view refusal = {}) {
    exchange([&](R& ranks) { refuse(ranks.gather(std::as_bytes(std::span(refusal.data(), refusal.size())))); });
  }

  /// Calls `work(ranks)` with the communicator itself, for exchanges between which no rank can refuse. What it throws is not put to
  /// a vote.
  template <class Work>
  decltype(auto) exchange(Work work) {
    must_vote_ = false;
    struct voting_again {
      bool& must_vote;
      int const exceptions = std::uncaught_exceptions();
      ~voting_again() { must_vote = std::uncaught_exceptions() == exceptions; }
    } const after{must_vote_};
    return work(*ranks_);
  }

  /// Whether the other ranks still have to hear of an exception of this one.
  [[nodiscard]] bool must_vote() const { return must_vote_; }

 private:
  static void refuse(std::vector<std::vector<std::byte>> const& refusals) {
    std::size_t count = 0;
    std::size_t first = 0;
    for (std::size_t r = refusals.size(); r-- > 0;) {
      if (refusals[r].empty()) continue;
      ++count;
      first = r;
    }
    if (count == 0) return;
    std::string sentence;
    for (auto const byte : refusals[first]) sentence += static_cast<char>(byte);
    if (count == 1) fail("rank ", first, ": ", sentence);
    fail("rank ", first, " and ", count - 1, " more of ", refusals.size(), ": ", sentence);
  }

  R* ranks_;
  bool must_vote_ = true;
};

namespace detail {

/// The sentence of an exception; never empty.
[[nodiscard]] inline std::string sentence_of(std::exception_ptr const& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (std::exception const& e) {
    std::string const sentence = e.what();
    return sentence.empty() ? "an exception without a word" : sentence;
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace detail

/// Has all ranks do `work(agreeing)` together: where one of them throws, every rank throws `lnpt::error`, at its next exchange and
/// naming the rank that was first; where one stops answering the others throw `lost_rank`, within the time limit.
template <communicator R, class Work>
auto together(R& ranks, Work work) {
  agreeing<R> agreed(ranks);
  try {
    if constexpr (std::is_void_v<decltype(work(agreed))>) {
      work(agreed);
      agreed.agree();
    } else {
      auto result = work(agreed);
      agreed.agree();
      return result;
    }
  } catch (...) {
    if (agreed.must_vote()) agreed.agree(detail::sentence_of(std::current_exception()));
    throw;
  }
}

}  // namespace lnpt
