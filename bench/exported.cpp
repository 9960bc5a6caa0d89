/// Reading a network that PyTorch exported, beside reading the bytes of its file. The environment variable LNPT_BENCH_EXPORTED names the file.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/exported_program.hpp>

namespace {

void load(benchmark::State& state, std::string const& file) {
  for (auto _ : state) benchmark::DoNotOptimize(lnpt::io::load_exported<lnpt::cpu::backend<float>>(file));
}

void read(benchmark::State& state, std::string const& file) {
  for (auto _ : state) {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    std::vector<char> bytes(static_cast<std::size_t>(in.tellg()));
    in.seekg(0);
    in.read(bytes.data(), std::ssize(bytes));
    benchmark::DoNotOptimize(bytes.data());
  }
}

void row(char const* name, void (*body)(benchmark::State&, std::string const&), std::string const& file) {
  benchmark::RegisterBenchmark(name, body, file)
      ->Iterations(10)
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMillisecond);
}

bool const registered = [] {
  auto const* const file = std::getenv("LNPT_BENCH_EXPORTED");
  if (file == nullptr) return false;
  row("exported/load", load, file);
  row("exported/read", read, file);
  return true;
}();

}  // namespace
