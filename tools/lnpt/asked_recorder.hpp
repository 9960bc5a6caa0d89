#pragma once
/// Diagnostics that take passes of their own, and so are made where they are asked for.
#include <optional>
#include <string>

#include <lnpt/analysis/neural_tangent_kernel.hpp>

#include "comparison_record.hpp"
#include "training.hpp"

namespace cli {

/// Which of them are wanted.
struct diagnostic_choice {
  bool kernel = false;  ///< drift of the neural tangent kernel
  bool linear = false;  ///< error of the first-order learning gap J·d
};

/// The choice that a list such as "ntk,linear" spells; empty: none.
[[nodiscard]] diagnostic_choice parse_diagnostics(std::string const& list);

/// Looks at a student before and after its training, on the CPU, on some images with the statistics of these images. Teacher and student
/// must stay where they are.
class asked_recorder {
 public:
  asked_recorder(diagnostic_choice choice, lnpt::cpu::array<float> const& images, trained_network& teacher,
                 trained_network& student);

  /// After training.
  void note();
  [[nodiscard]] asked_diagnostics const& found() const { return found_; }

 private:
  void note_linear();
  [[nodiscard]] lnpt::tangent_kernel kernel();

  diagnostic_choice choice_;
  lnpt::cpu::array<float> const& images_;
  trained_network& teacher_;
  trained_network& student_;
  std::optional<lnpt::tangent_kernel> first_;
  asked_diagnostics found_;
};

}  // namespace cli
