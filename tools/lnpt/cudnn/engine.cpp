// The library's own engine on a GPU as an engine of the command line.
#include <lnpt/cudnn.hpp>
#include <lnpt/nn/on_backend.hpp>

#include "../engine_elsewhere.hpp"
#include "../other_engines.hpp"

namespace cli {

namespace {

lnpt::cudnn::precision precision_of(precision_kind kind) {
  switch (kind) {
    case precision_kind::tf32: return lnpt::cudnn::precision::tf32;
    case precision_kind::bf16: return lnpt::cudnn::precision::bf16;
    default: return lnpt::cudnn::precision::fp32;
  }
}

/// A GPU.
class gpu {
 public:
  using train_options = lnpt::train_options;

  gpu(engine_choice const& choice, std::size_t) {
    auto const number = choice.device.empty() ? 0 : cuda_device(choice.device);
    if (!number) refuse("\"", choice.device, "\" is no device of --engine cudnn: write cuda or cuda:N");
    if (lnpt::cudnn::device_count() == 0)
      refuse("--engine cudnn computes on a GPU, and there is none here, or no driver for it: leave --engine out");
    typed([&] {
      lnpt::cudnn::use_device(static_cast<int>(std::min<std::size_t>(*number, INT_MAX)));
      lnpt::cudnn::use_precision(precision_of(choice.arithmetic()));
      lnpt::cudnn::use_plans(choice.fastest ? lnpt::cudnn::plan_choice::fastest : lnpt::cudnn::plan_choice::first);
    });
  }

  template <class T>
  class network {
   public:
    network(gpu const&, cpu_network<T>& net) : here_(&net), there_(lnpt::on_backend<lnpt::cudnn::backend<T>>(net)) {}
    [[nodiscard]] auto& model() { return there_; }
    void write_back() { lnpt::copy_values(there_, *here_); }

   private:
    cpu_network<T>* here_;
    lnpt::network<lnpt::cudnn::backend<T>> there_;
  };
  template <class T>
  [[nodiscard]] lnpt::cudnn::array<T> near() const {
    return {};
  }
  template <class F>
  [[nodiscard]] auto plainly(F f) const {
    return f();
  }
};

}  // namespace

template <class T>
std::unique_ptr<scoring_engine<T>> open_cudnn_scoring_engine(engine_choice const& choice, std::size_t threads) {
  return std::make_unique<engine_elsewhere<gpu, T, scoring_engine<T>>>(choice, threads);
}
template std::unique_ptr<scoring_engine<float>> open_cudnn_scoring_engine(engine_choice const&, std::size_t);
template std::unique_ptr<scoring_engine<double>> open_cudnn_scoring_engine(engine_choice const&, std::size_t);

std::unique_ptr<training_engine> open_cudnn_training_engine(engine_choice const& choice, std::size_t threads) {
  return std::make_unique<training_engine_elsewhere<gpu>>(choice, threads);
}

}  // namespace cli
