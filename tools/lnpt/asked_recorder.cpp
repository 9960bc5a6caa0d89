#include "asked_recorder.hpp"

#include <algorithm>
#include <span>

#include <lnpt/analysis/linear_gap.hpp>

#include "text.hpp"

namespace cli {

diagnostic_choice parse_diagnostics(std::string const& list) {
  diagnostic_choice choice;
  if (list.empty()) return choice;
  constexpr spelling<bool diagnostic_choice::*> names[]{{"ntk", &diagnostic_choice::kernel},
                                                        {"linear", &diagnostic_choice::linear}};
  for (auto const piece : split(list, ',')) choice.*parse_choice("diagnostic", names, piece) = true;
  return choice;
}

asked_recorder::asked_recorder(diagnostic_choice choice, lnpt::cpu::array<float> const& images, trained_network& teacher,
                               trained_network& student)
    : choice_(choice), images_(images), teacher_(teacher), student_(student) {
  note_linear();
  if (choice_.kernel) first_ = kernel();
}

void asked_recorder::note() {
  note_linear();
  if (choice_.kernel) found_.kernel_drift = lnpt::kernel_drift(*first_, kernel());
}

void asked_recorder::note_linear() {
  if (!choice_.linear) return;
  auto const norm = student_.freeze(std::span(&images_, 1));
  found_.linear_error.push_back(lnpt::linear_gap_of(student_, teacher_, images_, norm).relative_error);
}

lnpt::tangent_kernel asked_recorder::kernel() {
  constexpr std::size_t most_samples = 16;  // two passes of all samples for every row
  auto const norm = student_.freeze(std::span(&images_, 1));
  auto const classes = lnpt::shape_of(student_.predict(lnpt::rows(images_, 0, 1), norm).output).at(1);
  auto const samples = std::min({most_samples, lnpt::largest_kernel / classes, lnpt::shape_of(images_).at(0)});
  if (samples == 0)
    lnpt::fail("the neural tangent kernel of ", classes, " classes has more than ", lnpt::largest_kernel,
               " rows for one image: leave ntk out of --diagnostics");
  return lnpt::tangent_kernel_of(student_, lnpt::rows(images_, 0, samples), norm);
}

}  // namespace cli
