#pragma once
/// Pruning over the processes of a c10d group of LibTorch, whichever its backend (component `torch`).
#include <ATen/Functions.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>
#include <torch/csrc/distributed/c10d/Types.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/communicator.hpp>
#include <lnpt/distributed.hpp>
#include <lnpt/distributed/gather_in_blocks.hpp>
#include <lnpt/torch/train/train_together.hpp>

namespace lnpt {

/// A group of c10d: ProcessGroup of LibTorch 1.13, ProcessGroup or Backend of 2.x.
template <class G>
concept c10d_group = requires(G& group, std::vector<at::Tensor>& tensors, std::vector<std::vector<at::Tensor>>& lists,
                              c10d::BroadcastOptions const& options) {
  { group.getRank() } -> std::convertible_to<std::int64_t>;
  { group.getSize() } -> std::convertible_to<std::int64_t>;
  group.allreduce(tensors)->wait(std::chrono::milliseconds{});
  group.allgather(lists, tensors)->wait(std::chrono::milliseconds{});
  group.broadcast(tensors, options)->wait(std::chrono::milliseconds{});
};

/// The ranks of a c10d group that the user made, such as Gloo's, which is to outlive this. From one thread at a time.
///
///     c10d::ProcessGroupGloo group(store, rank, size, options);
///     process_group ranks(group);
///     auto [masks, report] = prune<snip>(model, shard(batches, ranks), {.budget = sparsity{0.95}});
///
/// A call waits `limit` at most, or the group's own time limit where that is shorter; then it throws `lost_rank`, and so do all later
/// calls, since the group may still be at work on the one that did not end. Numbers lie on `device` while they travel: groups of NCCL
/// take a GPU's. Sums are rank 0's on all ranks: c10d does not promise that all get the same bits from a reduction.
template <c10d_group Group>
class process_group {
 public:
  explicit process_group(Group& group, std::chrono::milliseconds limit = std::chrono::minutes(1), at::Device device = at::kCPU)
      : group_(&group),
        limit_(limit),
        device_(device),
        rank_(static_cast<std::size_t>(group.getRank())),
        size_(static_cast<std::size_t>(group.getSize())) {}

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::chrono::milliseconds time_limit() const { return limit_; }

  template <class T>
  void sum(std::span<T> values) {
    // Signed and unsigned integers add up to the same bits.
    constexpr auto type = std::floating_point<T> ? (sizeof(T) == sizeof(float) ? at::kFloat : at::kDouble) : at::kLong;
    if (values.empty()) return;
    std::vector<at::Tensor> tensors{staged(std::as_bytes(values), type)};
    perform("allreduce", [&] { return group_->allreduce(tensors); });
    if constexpr (std::floating_point<T>) broadcast_from(tensors, 0);
    fetch(tensors.front(), std::as_writable_bytes(values));
  }

  [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<std::byte const> mine) {
    return detail::gather_in_blocks(mine, size_, piece_bytes, [&](std::span<std::byte const> block) {
      std::vector<at::Tensor> sent{staged(block, at::kByte)};
      std::vector<std::vector<at::Tensor>> received(1);
      for (std::size_t r = 0; r < size_; ++r) received.front().push_back(at::empty_like(sent.front()));
      perform("allgather", [&] { return group_->allgather(received, sent); });
      std::vector<std::byte> all(block.size() * size_);
      for (std::size_t r = 0; r < size_; ++r) fetch(received.front()[r], std::span(all).subspan(r * block.size(), block.size()));
      return all;
    });
  }

  void broadcast(std::span<std::byte> bytes, std::size_t from) {
    if (bytes.empty()) return;
    std::vector<at::Tensor> tensors{staged(bytes, at::kByte)};
    broadcast_from(tensors, from);
    fetch(tensors.front(), bytes);
  }

 private:
  static constexpr std::size_t piece_bytes = std::size_t{1} << 24;

  /// A tensor of its own, which the group's work keeps while a call that was given up goes on.
  [[nodiscard]] at::Tensor staged(std::span<std::byte const> bytes, at::ScalarType type) const {
    auto const count = static_cast<std::int64_t>(bytes.size() / c10::elementSize(type));
    auto host = at::empty({count}, at::TensorOptions().dtype(type));
    if (!bytes.empty()) std::memcpy(host.data_ptr(), bytes.data(), bytes.size());
    return host.to(device_);
  }
  static void fetch(at::Tensor const& from, std::span<std::byte> into) {
    auto const host = from.cpu();
    if (!into.empty()) std::memcpy(into.data(), host.data_ptr(), into.size());
  }

  void broadcast_from(std::vector<at::Tensor>& tensors, std::size_t from) {
    c10d::BroadcastOptions options;
    options.rootRank = static_cast<decltype(options.rootRank)>(from);
    perform("broadcast", [&] { return group_->broadcast(tensors, options); });
  }

  /// Starts a call and waits for it.
  template <class Start>
  void perform(char const* call, Start start) {
    if (lost_) throw lost_rank("these ranks were given up when one of them did not answer: end the program");
    try {
      if (start()->wait(limit_)) return;
    } catch (c10::Error const& e) {
      give_up(call, e.what_without_backtrace());
    } catch (std::exception const& e) {
      give_up(call, e.what());
    }
    give_up(call, "it did not end well");
  }
  [[noreturn]] void give_up(char const* call, std::string const& why) {
    lost_ = true;
    throw lost_rank(std::string(call) + " of c10d failed within the time limit of " + std::to_string(limit_.count()) +
                    " ms: " + why);
  }

  Group* group_;
  std::chrono::milliseconds limit_;
  at::Device device_;
  std::size_t rank_ = 0, size_ = 1;
  bool lost_ = false;
};

}  // namespace lnpt
