/// One table out of the JSON files that the benchmarks wrote. Each argument is a folder, the results of one round.
#include <cstdio>
#include <exception>

#include "table.hpp"

int main(int argc, char** argv) try {
  bench_table::measurements found;
  for (int i = 1; i < argc; ++i) found.read_round(argv[i]);
  std::printf("\n%s", bench_table::table(bench_table::expectations(), bench_table::remarks()).print(found).c_str());
} catch (std::exception const& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
