#include "training.hpp"

#include <lnpt/core/guide.hpp>
#include <lnpt/io/cached_guide.hpp>
#include <lnpt/io/checkpoint.hpp>
#include <lnpt/structure/channel_map.hpp>

#include "collapse.hpp"
#include "ranges.hpp"
#include "text.hpp"

namespace cli {

void training_spec::describe_labelled(CLI::App& command) {
  command.add_option("--batch", options.batch, "Images per step; a last partial batch is dropped")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--lr", options.learning_rate, "First learning rate, falling to 0 along a cosine")
      ->capture_default_str()
      ->check(zero_or_more());
  command.add_option("--momentum", options.momentum, "Momentum of SGD")->capture_default_str()->check(below_one());
  command.add_option("--weight-decay", options.weight_decay, "Weight decay")->capture_default_str()->check(zero_or_more());
}

void training_spec::describe_augmentation(CLI::App& command) {
  command
      .add_option_function<std::string>(
          "--augment", [this](std::string const& how) { options.augment = how == augment_on; },
          "Training images: crop+flip or none")
      ->default_str(augment_on)
      ->check(CLI::IsMember({augment_on, augment_off}));
}

void training_spec::describe(CLI::App& command) {
  describe_labelled(command);
  command
      .add_option(
          "--alpha", alpha,
          "Weight of the feature term in pseudo_label + alpha * feature_mse; 0 where the student's feature map is narrower")
      ->capture_default_str()
      ->check(zero_or_more());
  command.add_option("--temperature", temperature, "Temperature of the feature term")->capture_default_str()->check(above_zero());
}

std::map<std::string, std::string> training_spec::settings() const {
  return {{"epochs", std::to_string(options.epochs)},
          {"batch", std::to_string(options.batch)},
          {"lr", shortest_text(options.learning_rate)},
          {"momentum", shortest_text(options.momentum)},
          {"weight-decay", shortest_text(options.weight_decay)},
          {"alpha", shortest_text(alpha)},
          {"temperature", shortest_text(temperature)},
          {"augment", options.augment ? augment_on : augment_off}};
}

lnpt::train_state train_on_cpu(trained_network& student, lnpt::io::data_set const& data, lesson const& from,
                               training_spec const& spec, training_run run) {
  auto const train = [&](auto const& guide, auto const& loss) {
    auto const with = [&](auto&... hooks) {
      return lnpt::train(student, run.masks, data.train, data.test, guide, loss, spec.options, std::move(run.from), run.observer,
                         hooks...);
    };
    return run.hooks ? with(*run.hooks) : with();
  };
  if (from.answers) return train(*from.answers, spec.loss());
  if (from.teacher) return train(teacher_answers(lnpt::teacher(*from.teacher), 0), spec.loss());
  if (from.cache) return train(lnpt::io::cached_guide(*from.cache, data.train, spec.options.augment), spec.loss());
  return train(lnpt::no_guide{}, lnpt::cross_entropy{});
}

void require_batch(training_spec const& spec, lnpt::io::image_set const& images) {
  (void)lnpt::detail::steps_of(images, spec.options);
}

std::string collapse_warning(trained_network& network, lnpt::mask_set const& masks, lnpt::shape const& sample) {
  if (masks.empty()) return {};
  auto const words = collapse_in_words(lnpt::channel_map_of(network, sample), masks);
  return words.empty() ? words : "warning: " + words;
}

void require_settings(lnpt::io::safetensors::file const& file, run_settings const& settings) {
  (void)lnpt::io::checkpoint_epoch(file);  // refuses what is no checkpoint
  auto held = lnpt::io::checkpoint_settings(file);
  std::erase_if(held, [&](auto const& each) { return !settings.contains(each.first); });
  if (auto const words = difference_in_words(held, settings))
    refuse(file.name(), " was trained ", *words, ": resume with the settings and the data it was begun with");
}

}  // namespace cli
