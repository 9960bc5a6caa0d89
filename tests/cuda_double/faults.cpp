#include "faults.hpp"

#include "cuda_double.hpp"

namespace cuda_double {

static long until_failure = 0;

bool fails() {
  ++count.calls;
  return until_failure != 0 && --until_failure == 0;
}

}  // namespace cuda_double

extern "C" {
void cuda_double_fail_at(long n) { cuda_double::until_failure = n; }
long cuda_double_calls() { return cuda_double::count.calls; }
long cuda_double_launches() { return cuda_double::count.launches; }
long cuda_double_waits() { return cuda_double::count.waits; }
long cuda_double_engine() { return cuda_double::count.engine; }
long cuda_double_live_objects() { return cuda_double::count.objects; }
}
