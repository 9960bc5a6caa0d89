// --engine cudnn of a program that was built without cuDNN.
#include "../misuse.hpp"
#include "../other_engines.hpp"

namespace cli {

namespace {

[[noreturn]] void refuse_cudnn() {
  refuse(
      "this lnpt was built without cuDNN: install CUDA 12.8 and cuDNN 9.8 or newer, configure with -DLNPT_WITH_CUDNN=ON and "
      "build it again, or leave --engine cudnn out");
}

}  // namespace

template <class T>
std::unique_ptr<scoring_engine<T>> open_cudnn_scoring_engine(engine_choice const&, std::size_t) {
  refuse_cudnn();
}
template std::unique_ptr<scoring_engine<float>> open_cudnn_scoring_engine(engine_choice const&, std::size_t);
template std::unique_ptr<scoring_engine<double>> open_cudnn_scoring_engine(engine_choice const&, std::size_t);

std::unique_ptr<training_engine> open_cudnn_training_engine(engine_choice const&, std::size_t) { refuse_cudnn(); }

}  // namespace cli
