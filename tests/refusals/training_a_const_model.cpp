// expect: this model is const, and training changes its weights
#include <lnpt/io.hpp>
#include <lnpt/lnpt.hpp>

using network = lnpt::network<lnpt::cpu::backend<float>>;

void f(network const& student, lnpt::io::data_set const& data) {
  lnpt::train(student, {}, data.train, data.test, lnpt::no_guide{}, lnpt::cross_entropy{}, {.epochs = 1});
}
