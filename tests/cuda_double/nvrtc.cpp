/// NVRTC and CUDA's libraries of kernels: the very string that a GPU's compiler gets is compiled by the host's and loaded.
///
/// Objects are kept by a hash of what they were made of, in the folder CUDA_DOUBLE_CACHE.
#include <cuda_runtime_api.h>
#include <nvrtc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include "faults.hpp"
#include "kernel.hpp"
#include "streams.hpp"

using namespace cuda_double;

struct _nvrtcProgram {
  std::string source, log, object;
  std::vector<std::string> names;
};

namespace {

constexpr std::array architectures{75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};

struct library {
  void* handle;
  std::map<std::string, kernel> kernels;
};
library* opened(cudaLibrary_t l) { return reinterpret_cast<library*>(l); }

std::string symbol(std::size_t i) { return "cuda_double_kernel_" + std::to_string(i); }

/// The kernels as C++ for the host, each with a function that binds the arguments of a launch.
std::string host_source(_nvrtcProgram const& p) {
  std::string text = "#include \"prelude.hpp\"\n#line 1 \"kernels.cu\"\n" + p.source + '\n';
  for (std::size_t i = 0; i < p.names.size(); ++i)
    text += "extern \"C\" void " + symbol(i) + "(void** a, cuda_double_launch& out) { cuda_double_bind(&" + p.names[i] +
            ", a, out); }\n";
  return text;
}

bool knows_architecture(std::vector<std::string> const& options) {
  return std::any_of(options.begin(), options.end(), [](std::string const& o) {
    return std::any_of(architectures.begin(), architectures.end(),
                       [&](int a) { return o == "--gpu-architecture=sm_" + std::to_string(a); });
  });
}

bool compile(_nvrtcProgram& p, std::string const& flags) {
  auto const text = host_source(p);
  auto const key = std::to_string(std::hash<std::string>{}(text + flags + CUDA_DOUBLE_COMPILER));
  std::filesystem::create_directories(CUDA_DOUBLE_CACHE);
  p.object = std::string(CUDA_DOUBLE_CACHE) + '/' + key + ".so";
  if (std::filesystem::exists(p.object)) return true;
  auto const mine = std::string(CUDA_DOUBLE_CACHE) + '/' + key + '.' + std::to_string(getpid());
  std::ofstream(mine + ".cpp") << text;
  auto const command = std::string(CUDA_DOUBLE_COMPILER) + flags + " -w -shared -fPIC -I" CUDA_DOUBLE_SOURCES " " + mine +
                       ".cpp -o " + mine + ".so 2>" + mine + ".log";
  bool const good = std::system(command.c_str()) == 0;
  std::ifstream log(mine + ".log");
  p.log.assign(std::istreambuf_iterator<char>(log), {});
  std::filesystem::remove(mine + ".cpp");
  std::filesystem::remove(mine + ".log");
  if (good) std::filesystem::rename(mine + ".so", p.object);
  return good;
}

}  // namespace

extern "C" {
char const* nvrtcGetErrorString(nvrtcResult r) {
  return r == NVRTC_SUCCESS             ? "NVRTC_SUCCESS"
         : r == NVRTC_ERROR_COMPILATION ? "NVRTC_ERROR_COMPILATION"
                                        : "NVRTC_ERROR_INTERNAL_ERROR";
}
nvrtcResult nvrtcGetNumSupportedArchs(int* n) {
  *n = static_cast<int>(architectures.size());
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetSupportedArchs(int* all) {
  std::copy(architectures.begin(), architectures.end(), all);
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcCreateProgram(nvrtcProgram* p, char const* source, char const*, int, char const* const*, char const* const*) {
  if (fails()) return NVRTC_ERROR_INTERNAL_ERROR;
  *p = new _nvrtcProgram{source, {}, {}, {}};
  ++count.objects;
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcAddNameExpression(nvrtcProgram p, char const* name) {
  if (fails()) return NVRTC_ERROR_INTERNAL_ERROR;
  p->names.emplace_back(name);
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcCompileProgram(nvrtcProgram p, int n, char const* const* options) {
  if (fails()) return NVRTC_ERROR_INTERNAL_ERROR;
  std::vector<std::string> const all(options, options + n);
  if (!knows_architecture(all)) {
    p->log = "no --gpu-architecture=sm_NN that is known";
    return NVRTC_ERROR_INVALID_OPTION;
  }
  std::string flags;
  for (auto const& o : all) {
    if (o.starts_with("-std=") || o.starts_with("-D")) flags += ' ' + o;
    if (o == "--fmad=false") flags += " -ffp-contract=off";
  }
  return compile(*p, flags) ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
}
nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram p, size_t* n) {
  *n = p->log.size() + 1;
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetProgramLog(nvrtcProgram p, char* out) {
  std::memcpy(out, p->log.c_str(), p->log.size() + 1);
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetCUBINSize(nvrtcProgram p, size_t* n) {
  if (fails()) return NVRTC_ERROR_INTERNAL_ERROR;
  *n = p->object.size() + 1;
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetCUBIN(nvrtcProgram p, char* out) {
  if (fails()) return NVRTC_ERROR_INTERNAL_ERROR;
  std::memcpy(out, p->object.c_str(), p->object.size() + 1);
  return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetLoweredName(nvrtcProgram p, char const* name, char const** lowered) {
  if (fails()) return NVRTC_ERROR_INTERNAL_ERROR;
  static std::array<std::string, 256> symbols;
  for (std::size_t i = 0; i < p->names.size(); ++i)
    if (p->names[i] == name) {
      symbols.at(i) = symbol(i);
      *lowered = symbols.at(i).c_str();
      return NVRTC_SUCCESS;
    }
  return NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID;
}
nvrtcResult nvrtcDestroyProgram(nvrtcProgram* p) {
  delete *p;
  *p = nullptr;
  --count.objects;
  return NVRTC_SUCCESS;
}

cudaError_t cudaLibraryLoadData(cudaLibrary_t* l, void const* code, cudaJitOption*, void**, unsigned, cudaLibraryOption*, void**,
                                unsigned) {
  if (fails()) return cudaErrorNoKernelImageForDevice;
  auto* const handle = dlopen(static_cast<char const*>(code), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return cudaErrorInvalidValue;
  *l = reinterpret_cast<cudaLibrary_t>(new library{handle, {}});
  ++count.objects;
  return cudaSuccess;
}
cudaError_t cudaLibraryGetKernel(cudaKernel_t* k, cudaLibrary_t l, char const* name) {
  if (fails()) return cudaErrorSymbolNotFound;
  auto* const found = dlsym(opened(l)->handle, name);
  if (found == nullptr) return cudaErrorSymbolNotFound;
  auto& made = opened(l)->kernels[name];
  made.bind = reinterpret_cast<void (*)(void**, cuda_double_launch&)>(found);
  *k = reinterpret_cast<cudaKernel_t>(&made);
  return cudaSuccess;
}
cudaError_t cudaLibraryUnload(cudaLibrary_t l) {
  (void)drain_all();
  dlclose(opened(l)->handle);
  delete opened(l);
  --count.objects;
  return cudaSuccess;
}
}
