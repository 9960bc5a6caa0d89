#pragma once
/// LibTorch's engines: in torch/ where LibTorch is there, in without_torch/ a refusal that says how it would be.
#include <cstddef>
#include <memory>
#include <string>

namespace cli {

template <class T>
class scoring_engine;
class training_engine;

/// `device` is "cpu", "cuda" or "cuda:N"; empty means "cpu".
template <class T>
[[nodiscard]] std::unique_ptr<scoring_engine<T>> open_torch_scoring_engine(std::string const& device, std::size_t threads);
[[nodiscard]] std::unique_ptr<training_engine> open_torch_training_engine(std::string const& device, std::size_t threads);

}  // namespace cli
