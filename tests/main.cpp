// The entry point of every test: doctest's, which has no skip at run time, with exit status 77 where a test case skipped itself.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "skip.hpp"

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  auto const status = context.run();
  if (context.shouldExit() || status != 0) return status;
  return skipped() ? 77 : 0;
}
