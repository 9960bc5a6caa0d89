// --engine torch of a program that was built without LibTorch.
#include "../misuse.hpp"
#include "../other_engines.hpp"

namespace cli {

namespace {

[[noreturn]] void refuse_torch() {
  refuse(
      "this lnpt was built without LibTorch: install libtorch-dev, configure with -DLNPT_WITH_TORCH=ON and build it again, or "
      "leave --engine torch out");
}

}  // namespace

template <class T>
std::unique_ptr<scoring_engine<T>> open_torch_scoring_engine(std::string const&, std::size_t) {
  refuse_torch();
}
template std::unique_ptr<scoring_engine<float>> open_torch_scoring_engine(std::string const&, std::size_t);
template std::unique_ptr<scoring_engine<double>> open_torch_scoring_engine(std::string const&, std::size_t);

std::unique_ptr<training_engine> open_torch_training_engine(std::string const&, std::size_t) { refuse_torch(); }

}  // namespace cli
