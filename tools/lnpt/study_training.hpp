#pragma once
/// What the studies of `lnpt study` do alike: how they begin, and how they train the networks they compare.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <lnpt/io/data_set.hpp>

#include "progress.hpp"
#include "resumable_training.hpp"
#include "seeds.hpp"
#include "study_page.hpp"
#include "training.hpp"

namespace cli {

/// Flags of every study.
struct study_options : common_options {
  std::size_t seeds = 3;
  std::string out, report;

  void describe_study(CLI::App& command);
};

/// How a network of a study is trained, and what is said meanwhile.
struct training_plan {
  std::string what;
  std::uint64_t seed;
  std::size_t epochs;
  double rate;
};

/// The training that the command describes, for as long and as fast as the plan says.
[[nodiscard]] training_spec spec_of(training_spec spec, training_plan const& plan);

/// Says which epoch of a plan is under way, and has every epoch saved.
[[nodiscard]] lnpt::train_observer watcher(progress& along, training_plan const& plan,
                                           std::function<void(lnpt::train_state const&)> const& save);

/// Trains a network on labels, in a file of its own, from which an interrupted training goes on.
[[nodiscard]] network_in_training train_on_labels(training_file const& file, std::function<trained_network()> const& start,
                                                  lnpt::io::data_set const& data, training_spec const& spec,
                                                  training_plan const& plan, progress& along);

/// Refuses what would end a study after hours, `rehearse` among it, and only then makes the folder of its rows.
template <class Rehearse>
void begin_study(page_of_study const& page, study_file& rows, Rehearse rehearse) {
  page.require_ending();
  rehearse();
  rows.make_folder();
  page.require_place();
}

/// Runs a study to its end and prints what it found.
template <class Study, class Options>
void run_study(Options const& options) {
  require_seeds(options.seed, options.seeds);
  Study study(options);
  study.run();
  study.print();
}

}  // namespace cli
