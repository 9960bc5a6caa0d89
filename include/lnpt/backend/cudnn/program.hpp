#pragma once
/// The kernels, compiled once per process for the device's architecture.
#include <map>
#include <string>
#include <vector>

#include <lnpt/backend/cudnn/handle.hpp>
#include <lnpt/backend/cudnn/kernels/activations.hpp>
#include <lnpt/backend/cudnn/kernels/channels.hpp>
#include <lnpt/backend/cudnn/kernels/common.hpp>
#include <lnpt/backend/cudnn/kernels/descent.hpp>
#include <lnpt/backend/cudnn/kernels/elementwise.hpp>
#include <lnpt/backend/cudnn/kernels/images.hpp>
#include <lnpt/backend/cudnn/kernels/losses.hpp>
#include <lnpt/backend/cudnn/kernels/parts.hpp>
#include <lnpt/backend/cudnn/kernels/pooling.hpp>
#include <lnpt/backend/cudnn/kernels/selection.hpp>
#include <lnpt/backend/cudnn/kernels/strided.hpp>
#include <lnpt/backend/cudnn/kernels/transpose.hpp>

namespace lnpt::cudnn::detail {

/// All kernels as one CUDA C++ source.
[[nodiscard]] inline std::string kernel_source() {
  return std::string(common_kernels) + elementwise_kernels + strided_kernels + channel_kernels + pooling_kernels +
         activation_kernels + loss_kernels + part_kernels + descent_kernels + selection_kernels + image_kernels +
         transpose_kernels;
}

/// Every kernel that is launched, by the name of its instantiation.
[[nodiscard]] inline std::vector<std::string> kernel_names() {
  std::vector<std::string> names{"run_program",
                                 "activation<float, float>",
                                 "activation<float, double>",
                                 "activation<double, double>",
                                 "crop_flip_normalise",
                                 "gather_keys<float, unsigned>",
                                 "gather_keys<double, unsigned long long>",
                                 "choose_digit",
                                 "transpose<float, float>",
                                 "transpose<float, bf16>",
                                 "transpose<bf16, float>",
                                 "convert<float, bf16>",
                                 "convert<bf16, float>"};
  for (auto const* const name : {"count_digits", "write_bits"})
    for (auto const* const key : {"<unsigned>", "<unsigned long long>"}) names.push_back(std::string(name) + key);
  for (auto const* const name : {"fill",
                                 "unary",
                                 "binary",
                                 "add_row",
                                 "prelu",
                                 "largest",
                                 "sgd_steps",
                                 "clear_pruned",
                                 "spread",
                                 "product",
                                 "sum_products",
                                 "channel_sums",
                                 "combine",
                                 "max_pool",
                                 "gather_pool",
                                 "scatter_pool",
                                 "average_pool",
                                 "average_pool_adjoint",
                                 "channel_sums_last",
                                 "log_softmax",
                                 "row_sum",
                                 "one_hot_of_largest"})
    for (auto const* const type : {"<float>", "<double>"}) names.push_back(std::string(name) + type);
  return names;
}

/// Machine code of the kernels for an architecture such as 90, with the symbol of each instantiation.
struct compiled_kernels {
  std::string code, log;
  std::map<std::string, std::string> symbols;

  explicit compiled_kernels(int architecture, std::vector<std::string> const& more_options = {}) {
    program_handle program;
    check(nvrtcCreateProgram(program.out(), kernel_source().c_str(), "lnpt.cu", 0, nullptr, nullptr), "nvrtcCreateProgram");
    auto const names = kernel_names();
    for (auto const& name : names) check(nvrtcAddNameExpression(program.get(), name.c_str()), "nvrtcAddNameExpression");
    compile(program.get(), architecture, more_options);
    std::size_t bytes = 0;
    check(nvrtcGetCUBINSize(program.get(), &bytes), "nvrtcGetCUBINSize");
    code.resize(bytes);
    check(nvrtcGetCUBIN(program.get(), code.data()), "nvrtcGetCUBIN");
    for (auto const& name : names) {
      char const* symbol = nullptr;
      check(nvrtcGetLoweredName(program.get(), name.c_str(), &symbol), "nvrtcGetLoweredName");
      symbols[name] = symbol;
    }
  }

 private:
  /// Without contraction of products and sums, so that a value is rounded as the CPU engine rounds it.
  void compile(nvrtcProgram program, int architecture, std::vector<std::string> options) {
    options.insert(options.begin(), {"--gpu-architecture=sm_" + std::to_string(architecture), "-std=c++20", "--fmad=false"});
    std::vector<char const*> arguments;
    arguments.reserve(options.size());
    for (auto const& option : options) arguments.push_back(option.c_str());
    auto const status = nvrtcCompileProgram(program, static_cast<int>(arguments.size()), arguments.data());
    std::size_t length = 0;
    check(nvrtcGetProgramLogSize(program, &length), "nvrtcGetProgramLogSize");
    log.resize(length);
    check(nvrtcGetProgramLog(program, log.data()), "nvrtcGetProgramLog");
    if (status != NVRTC_SUCCESS)
      fail("NVRTC: the kernels do not compile for sm_", architecture, " (", nvrtcGetErrorString(status), "): ", log);
  }
};

}  // namespace lnpt::cudnn::detail
