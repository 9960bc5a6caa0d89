#include "study_training.hpp"

#include <fmt/format.h>
#include <utility>

namespace cli {

void study_options::describe_study(CLI::App& command) {
  command.add_option("--seeds", seeds, "How many seeds, from --seed on")->capture_default_str()->check(above_zero());
  command.add_option("--out", out, "Folder of the results; a study interrupted there continues with the epoch it was in")
      ->required();
  command.add_option("--report", report, report_help);
}

training_spec spec_of(training_spec spec, training_plan const& plan) {
  spec.options.epochs = plan.epochs;
  spec.options.learning_rate = plan.rate;
  spec.options.seed = plan.seed;
  return spec;
}

lnpt::train_observer watcher(progress& along, training_plan const& plan,
                             std::function<void(lnpt::train_state const&)> const& save) {
  return {.on_step =
              [&along, plan](std::size_t epoch, std::size_t step, std::size_t) {
                if (step == 0) along.doing(fmt::format("{}, epoch {} of {}", plan.what, epoch + 1, plan.epochs));
                along.advance();
              },
          .on_epoch = save};
}

network_in_training train_on_labels(training_file const& file, std::function<trained_network()> const& start,
                                    lnpt::io::data_set const& data, training_spec const& spec, training_plan const& plan,
                                    progress& along) {
  return train_resumably(
      file, start,
      [&](trained_network& network, lnpt::train_state from, std::function<void(lnpt::train_state const&)> const& save) {
        lnpt::mask_set const none;
        return train_on_cpu(network, data, {}, spec_of(spec, plan), {none, std::move(from), watcher(along, plan, save)});
      });
}

}  // namespace cli
