#pragma once
/// What computes, chosen at run time: the library's own engine on the CPU or on a GPU, or LibTorch on any of its devices.
#include <CLI/CLI.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <lnpt/core/execution.hpp>
#include <lnpt/core/model_access.hpp>

#include "scoring.hpp"
#include "training.hpp"

namespace cli {

/// What networks compute in. Of the last two it is the convolutions, on tensor cores; everything else is single.
enum class precision_kind { single, twice, tf32, bf16 };

/// The flags that choose an engine.
struct engine_choice {
  std::string name = "cpu";
  std::string device = {};     ///< empty: LibTorch's CPU, cuDNN's first GPU
  std::string execution = {};  ///< of masked layers on the CPU engine; empty: automatic
  std::string precision = "float";
  bool fastest = false;  ///< of cuDNN's plans, rather than the first that give the same bits at every run

  void describe(CLI::App& command);
  /// Adds the flag of commands whose passes take long.
  void describe_execution(CLI::App& command);
  [[nodiscard]] lnpt::execution how() const;
  /// Refuses a precision, and plans, that the engine does not have.
  [[nodiscard]] precision_kind arithmetic() const;
  /// How files name it.
  [[nodiscard]] std::string execution_name() const;
  [[nodiscard]] std::string precision_name() const;
};

/// What a network says of a batch. The network must stay where it is.
template <class T>
using predictor = std::function<lnpt::prediction<lnpt::cpu::array<T>>(lnpt::cpu::array<T> const&)>;

/// What a model on any engine says of a batch in host memory.
template <class T, lnpt::differentiable Model>
[[nodiscard]] lnpt::prediction<lnpt::cpu::array<T>> predict_on_host(Model& model, lnpt::cpu::array<T> const& input,
                                                                    lnpt::norm_mode mode) {
  auto const there = lnpt::convert<lnpt::tensor_of<Model>>(input, lnpt::tensor_near(model));
  auto const predicted = lnpt::prediction_without_trace(model, there, lnpt::normalization{mode});
  lnpt::prediction<lnpt::cpu::array<T>> result{lnpt::convert<lnpt::cpu::array<T>>(predicted.output, input), std::nullopt};
  if (predicted.features) result.features = lnpt::convert<lnpt::cpu::array<T>>(*predicted.features, input);
  return result;
}

/// The class decided for on every image.
[[nodiscard]] std::vector<std::int64_t> decide(predictor<float> const& predict, lnpt::io::image_set const& images);

/// Of how many images the network decides for the label. Refuses labels of classes that it does not tell apart.
[[nodiscard]] std::size_t count_right(predictor<float> const& predict, lnpt::io::image_set const& images);

/// Scores and prunes in one precision. Networks, data and results lie in host memory, wherever the engine computes.
template <class T>
class scoring_engine {
 public:
  using array = lnpt::cpu::array<T>;

  virtual ~scoring_engine() = default;
  /// As `score_in_rounds` does.
  [[nodiscard]] virtual lnpt::score_set<array> score(cpu_network<T>& network, scoring_data<array> const& data,
                                                     pruning_spec const& spec) const = 0;
  /// As `prune_network` does.
  [[nodiscard]] virtual lnpt::prune_result prune(cpu_network<T>& network, scoring_data<array> const& data,
                                                 pruning_spec const& spec) const = 0;
  /// `mode`: how batch norm runs; `frozen` takes the statistics of each batch.
  [[nodiscard]] virtual predictor<T> open(cpu_network<T>& network, lnpt::norm_mode mode = lnpt::norm_mode::eval) const = 0;
  /// The same of a network under masks, in eval mode, by its kept weights where the engine can and `how` says so.
  [[nodiscard]] virtual predictor<T> open_masked(cpu_network<T>& network, lnpt::mask_set const&, lnpt::execution) const {
    return open(network);
  }
};

/// Trains too. The student holds its weights whenever the observer is told of an epoch.
class training_engine : public scoring_engine<float> {
 public:
  virtual lnpt::train_state train(trained_network& student, lnpt::io::data_set const& data, lesson const& from,
                                  training_spec const& spec, training_run run) const = 0;
};

/// The engine that was chosen, with at most so many threads where they are not 0. Refuses an engine that this program was built
/// without, and a device that is not there.
template <class T>
[[nodiscard]] std::unique_ptr<scoring_engine<T>> open_scoring_engine(engine_choice const& choice, std::size_t threads);
[[nodiscard]] std::unique_ptr<training_engine> open_training_engine(engine_choice const& choice, std::size_t threads);

}  // namespace cli
