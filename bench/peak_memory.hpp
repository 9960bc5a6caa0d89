#pragma once
/// The peak of memory that one pass adds, measured in a process of its own.
#include <benchmark/benchmark.h>

#include <fstream>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace peak_memory {

/// A number from /proc/self/status: bytes for sizes.
inline double status(std::string const& field) {
  std::ifstream in("/proc/self/status");
  double number = 0;
  for (std::string word; in >> word; in.ignore(std::numeric_limits<std::streamsize>::max(), '\n'))
    if (word == field + ':') {
      std::string unit;
      in >> number;
      if (in.peek() == '\t' || in.peek() == ' ') in >> unit;
      return unit == "kB" ? 1024 * number : number;
    }
  return number;
}

/// The peak of resident memory during `pass` above what was resident before it.
template <class Pass>
double added_by(Pass& pass) {
  malloc_trim(0);
  auto const before = status("VmRSS");
  std::ofstream("/proc/self/clear_refs") << 5 << std::flush;  // the peak starts over from here
  if (status("VmHWM") > before + (1 << 20)) return -1;
  pass();
  return status("VmHWM") - before;
}

/// `prepare()` builds what the pass needs and returns it; both run in a child, so that no earlier row has left memory to reuse.
template <class Prepare>
double in_child(Prepare const& prepare) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  auto const child = fork();
  if (child == 0) {
    mallopt(M_MMAP_THRESHOLD, 1 << 17);  // fixed, so that freed tensors go back to the system in every library
    auto pass = prepare();
    auto const bytes = added_by(pass);
    auto const written = write(ends[1], &bytes, sizeof bytes);
    _exit(written == static_cast<ssize_t>(sizeof bytes) ? 0 : 1);
  }
  close(ends[1]);
  double bytes = -1;
  if (read(ends[0], &bytes, sizeof bytes) != static_cast<ssize_t>(sizeof bytes)) bytes = -1;
  close(ends[0]);
  int ended = 0;
  waitpid(child, &ended, 0);
  return ended == 0 ? bytes : -1;
}

/// A row whose counter `bytes` is that peak. Threads do not survive a fork, so the rows must run before any that starts some.
template <class Prepare>
void row(std::string const& name, Prepare prepare) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [prepare](benchmark::State& state) {
                                 if (status("Threads") != 1)
                                   return state.SkipWithError("run these rows alone: --benchmark_filter=memory/");
                                 double bytes = -1;
                                 for (auto _ : state) bytes = in_child(prepare);
                                 if (bytes < 0) return state.SkipWithError("the child failed, or its peak cannot be reset here");
                                 state.counters["bytes"] = bytes;
                               })
      ->Iterations(1)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace peak_memory
