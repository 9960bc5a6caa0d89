#pragma once
/// A kernel as cudaLibraryGetKernel hands it out, and what binding the arguments of a launch makes of it.
#include <functional>
#include <vector>

/// One thread's work, and the addresses among its arguments.
struct cuda_double_launch {
  std::function<void()> thread;
  std::vector<void const*> addresses;
};

namespace cuda_double {

struct kernel {
  void (*bind)(void** arguments, cuda_double_launch& out);
};

}  // namespace cuda_double
