#pragma once
/// A model in one or several safetensors files, of which only the headers are in memory.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/shard_index.hpp>

namespace lnpt::io {

/// One tensor of a model, and which of its files holds it.
struct stored_tensor {
  safetensors::entry const* about = nullptr;
  std::size_t shard = 0;

  [[nodiscard]] std::string const& name() const { return about->name; }
  [[nodiscard]] std::uint64_t bytes() const { return about->end - about->begin; }
};

/// The files of a model and its tensors in the order of their names (bytewise), which is the same however the model is cut.
class sharded_model {
 public:
  /// A safetensors file, an index (`*.index.json`), or a folder that holds one of either. Refuses an index that disagrees with its files.
  explicit sharded_model(std::filesystem::path const& path) {
    auto const named = std::filesystem::is_directory(path) ? find_in(path) : path;
    folder_ = named.parent_path().empty() ? std::filesystem::path(".") : named.parent_path();
    auto const is_index = has_ending(named.string(), ".json");
    is_folder_ = named != path || is_index;
    if (is_index)
      open_index(named);
    else
      open_shard(named.filename().string());
    for (std::size_t s = 0; s != shards_.size(); ++s)
      for (auto const& about : shards_[s].second.entries()) tensors_.push_back({&about, s});
    std::ranges::sort(tensors_, {}, &stored_tensor::name);
    for (std::size_t i = 1; i < tensors_.size(); ++i)
      if (tensors_[i].name() == tensors_[i - 1].name())
        fail(path.string(), " holds ", in_quotes(tensors_[i].name()), " in two files; each tensor lies in one");
  }
  sharded_model(sharded_model const&) = delete;
  sharded_model& operator=(sharded_model const&) = delete;

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  /// Whether a folder or an index was named, rather than one file: the other files of the folder belong to the model.
  [[nodiscard]] bool is_folder() const { return is_folder_; }
  [[nodiscard]] std::vector<stored_tensor> const& tensors() const { return tensors_; }
  [[nodiscard]] std::size_t shard_count() const { return shards_.size(); }
  [[nodiscard]] std::string const& shard_name(std::size_t shard) const { return shards_[shard].first; }
  [[nodiscard]] safetensors::file const& shard(std::size_t shard) const { return shards_[shard].second; }

  /// The tensor of this name, or null.
  [[nodiscard]] stored_tensor const* find(std::string_view name) const {
    auto const found =
        std::ranges::lower_bound(tensors_, name, {}, [](stored_tensor const& t) { return std::string_view(t.name()); });
    return found == tensors_.end() || found->name() != name ? nullptr : &*found;
  }

  void read(stored_tensor const& tensor, std::uint64_t offset, std::span<std::byte> out) const {
    shard(tensor.shard).read_bytes(*tensor.about, offset, out);
  }

 private:
  [[nodiscard]] static std::filesystem::path find_in(std::filesystem::path const& folder) {
    std::vector<std::filesystem::path> indices;
    std::vector<std::filesystem::path> files;
    for (auto const& each : std::filesystem::directory_iterator(folder)) {
      auto const name = each.path().filename().string();
      if (has_ending(name, ".safetensors.index.json")) indices.push_back(each.path());
      if (has_ending(name, ".safetensors")) files.push_back(each.path());
    }
    if (indices.size() == 1) return indices.front();
    if (indices.empty() && files.size() == 1) return files.front();
    fail(folder.string(), " holds ", indices.size(), " indices of shards and ", files.size(),
         " safetensors files: name the index or the file that is meant");
  }

  void open_shard(std::string const& name) { shards_.emplace_back(name, safetensors::open(folder_ / name)); }

  void open_index(std::filesystem::path const& path) {
    auto const wanted = read_shard_index(byte_source::open(path));
    std::map<std::string, std::size_t> held;  // how many tensors the index says each file has
    for (auto const& [tensor, file] : wanted) ++held[file];
    for (auto const& [file, count] : held) {
      open_shard(file);
      for (auto const& about : shards_.back().second.entries()) {
        auto const found = wanted.find(about.name);
        if (found == wanted.end() || found->second != file)
          fail(path.string(), " does not say that ", in_quotes(file), " holds ", in_quotes(about.name),
               "; the index must be of these files");
      }
      if (auto const there = shards_.back().second.entries().size(); there != count)
        fail(path.string(), " says that ", in_quotes(file), " holds ", count, " tensors, and it holds ", there,
             "; the index must be of these files");
    }
    if (shards_.empty()) fail(path.string(), " lists no tensor; an index of shards maps each tensor to its file");
  }

  std::filesystem::path folder_;
  bool is_folder_ = false;
  std::vector<std::pair<std::string, safetensors::file>> shards_;
  std::vector<stored_tensor> tensors_;
};

}  // namespace lnpt::io
