// Every criterion against float64 reference scores: to 1e-9 of each parameter's largest score in double, 2e-4 in float.
#include "../skip.hpp"
#include "comparison.hpp"

TEST_CASE_TEMPLATE("scores and losses equal the oracle's", T, double, float) {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<T> r(name);
    oracle::compare_all<T, decltype(r.student)>(
        {.file = r, .student = r.student, .teacher = r.teacher, .input = r.input, .diagonal = std::is_same_v<T, double>});
  }
}
