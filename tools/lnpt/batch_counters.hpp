#pragma once
/// How many batches the batch norms of a network have seen: `num_batches_tracked`, which PyTorch counts and this library has no use for.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/tensor_names.hpp>

#include "exported.hpp"

namespace cli {

/// The counters of a network's state_dict, which training carries on so that weights come back with what PyTorch would have counted.
class batch_counters {
 public:
  batch_counters() = default;
  /// Those of a file of weights, under the names of the network.
  batch_counters(lnpt::io::safetensors::file const& weights, lnpt::io::state_dict_options const& names);
  /// Those of a .pt2 network.
  explicit batch_counters(exported_model const& network);
  /// Those of `text()`.
  explicit batch_counters(std::string const& text);

  /// The counters as a setting of a checkpoint; empty where there are none.
  [[nodiscard]] std::string text() const;
  /// The counters after so many steps more.
  [[nodiscard]] std::map<std::string, std::int64_t> after(std::size_t steps) const;
  [[nodiscard]] bool empty() const { return values_.empty(); }

 private:
  std::map<std::string, std::int64_t> values_;
};

}  // namespace cli
