#include "training.hpp"

#include <bit>
#include <fmt/format.h>

#include <lnpt/core/guide.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/io/cached_guide.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>

#include "text.hpp"

namespace cli {

namespace {

auto loss_of(training_spec const& spec) { return lnpt::pseudo_label{} + spec.alpha * lnpt::feature_mse{spec.temperature}; }

}  // namespace

void training_spec::describe(CLI::App& command) {
  command.add_option("--batch", options.batch, "Images per step; a last partial batch is dropped")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command.add_option("--lr", options.learning_rate, "First learning rate, falling to 0 along a cosine")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command.add_option("--momentum", options.momentum, "Momentum of SGD")->capture_default_str()->check(CLI::Range(0.0, 1.0));
  command.add_option("--weight-decay", options.weight_decay, "Weight decay")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command.add_option("--alpha", alpha, "Weight of the feature term in pseudo_label + alpha * feature_mse")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command.add_option("--temperature", temperature, "Temperature of the feature term")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

std::map<std::string, std::string> training_spec::settings() const {
  return {{"epochs", std::to_string(options.epochs)},       {"batch", std::to_string(options.batch)},
          {"lr", shortest(options.learning_rate)},          {"momentum", shortest(options.momentum)},
          {"weight-decay", shortest(options.weight_decay)}, {"alpha", shortest(alpha)},
          {"temperature", shortest(temperature)},           {"augment", options.augment ? augment_on : augment_off}};
}

lnpt::train_state train_on_labels(trained_network& student, lnpt::io::data_set const& data, training_spec const& spec,
                                  training_run run) {
  return lnpt::train(student, run.masks, data.train, data.test, lnpt::no_guide{}, lnpt::cross_entropy{}, spec.options,
                     std::move(run.from), run.observer);
}

lnpt::train_state train_on_teacher(trained_network& student, lnpt::io::data_set const& data, trained_network& teacher,
                                   training_spec const& spec, training_run run) {
  return lnpt::train(student, run.masks, data.train, data.test, lnpt::teacher(teacher), loss_of(spec), spec.options,
                     std::move(run.from), run.observer);
}

lnpt::train_state train_on_cache(trained_network& student, lnpt::io::data_set const& data, lnpt::io::teacher_cache const& cache,
                                 training_spec const& spec, training_run run) {
  lnpt::io::cached_guide const guide(cache, data.train.size(), spec.options.augment);
  return lnpt::train(student, run.masks, data.train, data.test, guide, loss_of(spec), spec.options, std::move(run.from),
                     run.observer);
}

std::vector<std::int64_t> decide(trained_network& network, lnpt::io::image_set const& images) {
  return lnpt::decisions(network, images);
}

lnpt::prediction<lnpt::cpu::array<float>> predict(trained_network& network, lnpt::cpu::array<float> const& input) {
  return lnpt::teacher(network).predict(input);
}

std::string fingerprint(trained_network& network) {
  std::uint64_t hash = 0;
  auto const mix = [&](auto const& each) {
    for (auto const value : lnpt::tensor_traits<lnpt::cpu::array<float>>::view(std::as_const(*each.value)))
      hash = lnpt::random_bits(hash, std::bit_cast<std::uint32_t>(value));
  };
  for (auto const& p : network.parameters()) mix(p);
  for (auto const& b : network.buffers()) mix(b);
  return fmt::format("{:016x}", hash);
}

}  // namespace cli
