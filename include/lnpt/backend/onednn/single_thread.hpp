#pragma once
/// Keeps oneDNN on the thread that calls it: the threads are lnpt's own tasks.
#include <dlfcn.h>

namespace lnpt::onednn::detail {

/// The OpenMP runtime that this process has loaded, if oneDNN came with one. Looked up by name, since oneDNN can be built without.
struct openmp_runtime {
  int (*max_threads)() = nullptr;
  void (*set_threads)(int) = nullptr;

  static openmp_runtime const& instance() {
    static openmp_runtime const runtime{reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads")),
                                        reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))};
    return runtime;
  }
  [[nodiscard]] bool loaded() const { return max_threads && set_threads; }
};

/// While it lives, OpenMP regions that this thread enters have one thread. A caller's own setting comes back after it.
class single_thread {
 public:
  single_thread() {
    if (!runtime_.loaded()) return;
    before_ = runtime_.max_threads();
    runtime_.set_threads(1);
  }
  ~single_thread() {
    if (runtime_.loaded()) runtime_.set_threads(before_);
  }
  single_thread(single_thread const&) = delete;
  single_thread& operator=(single_thread const&) = delete;

 private:
  openmp_runtime const& runtime_ = openmp_runtime::instance();
  int before_ = 1;
};

}  // namespace lnpt::onednn::detail
