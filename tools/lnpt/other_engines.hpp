#pragma once
/// The engines that a program may have been built without: in torch/ and cudnn/ where their libraries are there, in without_torch/ and
/// without_cudnn/ refusals that say how they would be.
#include <cstddef>
#include <memory>
#include <string>

namespace cli {

template <class T>
class scoring_engine;
class training_engine;
struct engine_choice;

/// LibTorch on `device`: "cpu", "cuda" or "cuda:N"; empty means "cpu".
template <class T>
[[nodiscard]] std::unique_ptr<scoring_engine<T>> open_torch_scoring_engine(std::string const& device, std::size_t threads);
[[nodiscard]] std::unique_ptr<training_engine> open_torch_training_engine(std::string const& device, std::size_t threads);

/// The library's own engine on a GPU: its device is "cuda" or "cuda:N"; empty means "cuda".
template <class T>
[[nodiscard]] std::unique_ptr<scoring_engine<T>> open_cudnn_scoring_engine(engine_choice const& choice, std::size_t threads);
[[nodiscard]] std::unique_ptr<training_engine> open_cudnn_training_engine(engine_choice const& choice, std::size_t threads);

}  // namespace cli
