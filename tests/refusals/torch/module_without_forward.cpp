// expect: this module has neither forward(x) nor features(x) and head(f)
#include <lnpt/torch.hpp>

struct silent : torch::nn::Module {};

auto f(std::shared_ptr<silent> const& module) { return lnpt::torch_model<float>(module); }
