#pragma once
/// Pruning of a model that need not fit in memory, without its architecture: from safetensors files to safetensors files.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/sharded_model.hpp>
#include <lnpt/out_of_core/journal.hpp>
#include <lnpt/out_of_core/output_folder.hpp>
#include <lnpt/out_of_core/plan.hpp>
#include <lnpt/out_of_core/write_tensor.hpp>

namespace lnpt::out_of_core {

/// One pruned tensor.
struct tensor_report {
  std::string name;
  std::uint64_t total = 0;
  std::uint64_t kept = 0;        ///< weights that are not 0: fewer than were to stay where the model had zeros before
  std::uint64_t empty_rows = 0;  ///< outputs of whose weights none is left; 0 where it is not known which axis counts outputs
};

/// What was done.
struct report {
  std::vector<tensor_report> pruned;
  std::vector<std::pair<std::string, std::string>> dense;  ///< name and reason
  std::vector<std::string> copied;                         ///< files beside the weights
  std::uint64_t bytes = 0;                                 ///< of all tensors
  std::uint64_t decided_by_position = 0;                   ///< weights at a threshold that their place alone kept or removed
  double seconds = 0;

  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (auto const& each : pruned) sum += each.total;
    return sum;
  }
  [[nodiscard]] std::uint64_t kept() const {
    std::uint64_t sum = 0;
    for (auto const& each : pruned) sum += each.kept;
    return sum;
  }
  [[nodiscard]] std::uint64_t empty_rows() const {
    std::uint64_t sum = 0;
    for (auto const& each : pruned) sum += each.empty_rows;
    return sum;
  }
  /// Tensors left without a weight, as rounding leaves those whose every row is short.
  [[nodiscard]] std::vector<std::string> emptied() const {
    std::vector<std::string> names;
    for (auto const& each : pruned)
      if (each.kept == 0) names.push_back(each.name);
    return names;
  }
  /// Files with weights that were copied as they are, because the index does not name them: they stay dense.
  [[nodiscard]] std::vector<std::string> copied_weights() const {
    std::vector<std::string> names;
    for (auto const& each : copied)
      if (holds_weights(each)) names.push_back(each);
    return names;
  }

 private:
  [[nodiscard]] static bool holds_weights(std::string_view name) {
    constexpr std::array<std::string_view, 7> endings{".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5"};
    return std::ranges::any_of(endings, [&](auto ending) { return io::has_ending(name, ending); });
  }
};

namespace detail {

/// One run from beginning to end.
class pruning_run {
 public:
  pruning_run(std::filesystem::path const& from, std::filesystem::path const& out, prune_options const& options)
      : options_(options),
        model_(from),
        plan_(make_plan(model_, read_config(model_.folder()), options)),
        others_(model_.is_folder() ? files_beside() : std::vector<std::filesystem::path>{}),
        folder_(out, model_, ".lnpt-prune.journal", size_of_all(), options.replace),
        journal_(folder_.journal(), identity()),
        along_(options, work()) {}

  [[nodiscard]] report run() {
    auto const start = std::chrono::steady_clock::now();
    auto const found = write_all();
    folder_.commit();
    auto result = make_report(found);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  /// Fills the folder. A run that is refused before anything of it is recorded leaves nothing behind.
  [[nodiscard]] std::optional<threshold> write_all() try {
    open_shards();
    auto const found = find_global_threshold();
    write_tensors(found);
    if (auto const& written = journal_.record(); written.all_zero && written.kept.size() == model_.tensors().size()) {
      folder_.discard();
      refuse_zeros();
    }
    copy_others();
    return found;
  } catch (error const&) {
    if (journal_.record().kept.empty()) folder_.discard();
    throw;
  }

  [[nodiscard]] bool is_global() const { return options_.pattern == pattern::global; }

  /// Every regular file of the folder that is not one of its shards; links are followed, hidden names are not.
  [[nodiscard]] std::vector<std::filesystem::path> files_beside() const {
    std::vector<std::filesystem::path> found;
    std::vector<std::string> shards;
    for (std::size_t s = 0; s != model_.shard_count(); ++s) shards.push_back(model_.shard_name(s));
    for (auto each = std::filesystem::recursive_directory_iterator(model_.folder()); each != std::filesystem::end(each); ++each) {
      auto const relative = std::filesystem::relative(each->path(), model_.folder());
      if (relative.filename().string().starts_with('.')) {
        each.disable_recursion_pending();
      } else if (each->is_regular_file() && std::ranges::find(shards, relative.string()) == shards.end()) {
        found.push_back(relative);
      }
    }
    std::ranges::sort(found);
    return found;
  }

  [[nodiscard]] std::uint64_t shard_bytes(std::size_t shard) const {
    auto const& file = model_.shard(shard);
    return file.data_offset() + (file.entries().empty() ? 0 : file.entries().back().end);
  }
  [[nodiscard]] std::uint64_t size_of_all() const {
    std::uint64_t bytes = 0;
    for (std::size_t s = 0; s != model_.shard_count(); ++s) bytes += shard_bytes(s);
    for (auto const& each : others_) bytes += std::filesystem::file_size(model_.folder() / each);
    return bytes;
  }

  /// A number that changes with the options and with any file that is read.
  [[nodiscard]] std::string identity() const {
    std::ostringstream text;
    text << options_.keep.value() << ' ' << static_cast<int>(options_.criterion) << ' ' << static_cast<int>(options_.pattern)
         << ' ' << options_.n << ' ' << options_.m << ' ' << options_.seed;
    for (auto const& each : plan_.pruned) {
      auto const [rows, columns] = each.scores.scale_block();  // which config.json states
      text << '\n' << each.tensor.name() << ' ' << rows << ' ' << columns;
    }
    for (std::size_t s = 0; s != model_.shard_count(); ++s) {
      auto const path = model_.folder() / model_.shard_name(s);
      text << '\n'
           << model_.shard_name(s) << ' ' << shard_bytes(s) << ' '
           << std::filesystem::last_write_time(path).time_since_epoch().count();
    }
    std::uint64_t hash = 0;
    for (auto const c : text.str()) hash = lnpt::random_bits(hash, static_cast<unsigned char>(c));
    return std::to_string(hash);
  }

  /// The bytes that the run reads, pass by pass; the writing pass reads them all.
  [[nodiscard]] std::uint64_t work() const {
    std::uint64_t bytes = 0;
    for (auto const& tensor : model_.tensors()) bytes += tensor.bytes();
    for (auto const& each : plan_.pruned) {
      auto const streams = is_global() || (options_.pattern == pattern::layerwise && each.size() > block_weights);
      if (streams && each.scores.reads()) bytes += each.tensor.bytes() * (each.scores.is_narrow() ? 1 : 2);
    }
    return bytes;
  }

  [[noreturn]] static void refuse_zeros() {
    fail("every weight is 0, so none is more worth keeping than another: prune a model that has weights, or at random");
  }

  void open_shards() {
    for (std::size_t s = 0; s != model_.shard_count(); ++s) {
      auto const& file = model_.shard(s);
      auto& shard = shards_.emplace_back(folder_.partial() / model_.shard_name(s), shard_bytes(s));
      shard.write(0, file.header_bytes());
      shard.mark_written();
    }
  }

  [[nodiscard]] std::optional<threshold> find_global_threshold() {
    if (!is_global()) return std::nullopt;
    if (journal_.record().global) return journal_.record().global;
    along_.doing("ranking");
    std::vector<weight_range> ranges;
    ranges.reserve(plan_.pruned.size());
    for (auto const& each : plan_.pruned) ranges.push_back({&each, 0, each.size()});
    auto const total = plan_.weights();
    auto const n = std::uint64_t{kept_count(options_.keep, static_cast<std::size_t>(total))};
    auto const found = rank_ranges(model_, ranges, n, along_);
    if (n != 0 && found.above == 0 && found.tied == total) refuse_zeros();
    journal_.found_threshold(found);
    return found;
  }

  void write_tensors(std::optional<threshold> const& found) {
    along_.doing("writing");
    auto now = journal_.record();
    auto next = plan_.pruned.begin();
    std::uint64_t unflushed = 0;
    auto const done = journal_.record().kept.size();
    for (std::size_t t = 0; t != model_.tensors().size(); ++t) {
      auto const& tensor = model_.tensors()[t];
      auto const is_pruned = next != plan_.pruned.end() && next->tensor.about == tensor.about;
      auto const* const planned = is_pruned ? &*next++ : nullptr;
      if (t < done) {
        along_.advance(tensor.bytes());
        continue;
      }
      destination to{&shards_[tensor.shard], model_.shard(tensor.shard).data_offset() + tensor.about->begin};
      pruned_tensor result{.all_zero = true};
      if (planned == nullptr) {
        copy_tensor(model_, tensor, to, along_);
        now.kept.push_back(tensor.about->size());
        now.empty_rows.push_back(0);
      } else {
        written_counts counts{tensor.about->dtype, survey_of(*planned)};
        to.counts = &counts;
        result = write_pruned(*planned, found, now.ties, to);
        now.kept.push_back(counts.nonzero);
        now.empty_rows.push_back(counts.rows.empty());
      }
      now.decided_by_position += result.decided_by_position;
      now.all_zero = now.all_zero && result.all_zero;
      shards_[tensor.shard].mark_written();
      unflushed += tensor.bytes();
      if (unflushed < options_.journal_after && t + 1 != model_.tensors().size()) continue;
      for (auto& shard : shards_) shard.flush();
      journal_.wrote_tensors(now);
      unflushed = 0;
    }
  }

  /// Of the rows that are an output's weights.
  [[nodiscard]] static io::row_survey survey_of(planned_tensor const& planned) {
    if (!planned.layout) return io::row_survey::of_nothing();
    return {planned.tensor.about->dtype, planned.layout->output_rows(), planned.layout->row()};
  }

  [[nodiscard]] pruned_tensor write_pruned(planned_tensor const& planned, std::optional<threshold> const& found,
                                           std::uint64_t& ties, destination to) {
    switch (options_.pattern) {
      case pattern::global: write_by_threshold(model_, {&planned, 0, planned.size()}, found->above, ties, to, along_); return {};
      case pattern::layerwise: return write_in_units(model_, planned, planned.size(), options_.keep, 0, to, along_);
      case pattern::rows: return write_in_units(model_, planned, planned.layout->row(), options_.keep, 1, to, along_);
      case pattern::n_of_m: break;
    }
    return write_n_of_m(model_, planned, options_.n, options_.m, to, along_);
  }

  void copy_others() const {
    for (auto const& each : others_) {
      auto const to = folder_.partial() / each;
      std::filesystem::create_directories(to.parent_path());
      std::filesystem::remove(to);  // of a run that was killed, perhaps one that may not be written
      std::filesystem::copy_file(model_.folder() / each, to);
    }
  }

  [[nodiscard]] report make_report(std::optional<threshold> const& found) const {
    report result;
    auto next = plan_.pruned.begin();
    for (std::size_t t = 0; t != model_.tensors().size(); ++t) {
      auto const& tensor = model_.tensors()[t];
      result.bytes += tensor.bytes();
      if (next == plan_.pruned.end() || next->tensor.about != tensor.about) continue;
      result.pruned.push_back({tensor.name(), next->size(), journal_.record().kept[t], journal_.record().empty_rows[t]});
      ++next;
    }
    for (auto const& each : plan_.dense) result.dense.emplace_back(each.tensor.name(), each.reason);
    for (auto const& each : others_) result.copied.push_back(each.string());
    result.decided_by_position = found ? found->decided_by_position() : journal_.record().decided_by_position;
    return result;
  }

  prune_options const& options_;
  io::sharded_model model_;
  prune_plan plan_;
  std::vector<std::filesystem::path> others_;
  output_folder folder_;
  journal journal_;
  meter along_;
  std::vector<placed_file> shards_;
};

}  // namespace detail

/// Prunes a safetensors file, an index of shards or a folder with either into a folder `out` of the same files: kept weights and tensors
/// that stay dense byte for byte, pruned weights as zero bytes. Weights that score alike stay in the order of tensor name, then index, so
/// that the result does not depend on how the model is cut into files, nor on threads.
///
/// `out` appears when all of it is on the disk. A run that was killed is taken up again by calling with the same arguments.
///
///     memory   headers, and per thread at most 8 MiB, 1 MiB of counts among them
///     reads    global: 2 × 16- and 8-bit weights, 3 × F32 and scaled weights; n_of_m and random: 1 ×; layerwise, rows: 1 × what fits a
///              block, else as global
[[nodiscard]] inline report prune(std::filesystem::path const& from, std::filesystem::path const& out,
                                  prune_options const& options) {
  if (options.pattern == pattern::n_of_m && (options.n == 0 || options.n >= options.m || options.m > 64))
    fail_request("a pattern keeps N of every M weights, 0 < N < M ≤ 64, not ", options.n, " of ", options.m, ": write 2 of 4");
  try {
    return detail::pruning_run(from, out, options).run();
  } catch (std::filesystem::filesystem_error const& problem) {  // such as a disk that others filled meanwhile
    fail("pruning into ", out.string(), " failed (", problem.what(),
         "): a writable folder with enough free space is needed, where the same command goes on");
  }
}

}  // namespace lnpt::out_of_core
