// lnpt study merging: whether units that take up one another leave a network that decides as before, under attack too.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/analysis/robustness.hpp>
#include <lnpt/merge/merge_units.hpp>
#include <lnpt/structure/channel_map.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/groups_by_norm.hpp>
#include <lnpt/structure/remove.hpp>
#include <lnpt/train/batches.hpp>
#include <lnpt/train/sampling.hpp>

#include "command.hpp"
#include "data_digest.hpp"
#include "loading.hpp"
#include "merging_results.hpp"
#include "network_digest.hpp"
#include "progress.hpp"
#include "studies.hpp"
#include "study_training.hpp"
#include "text.hpp"

namespace cli {

namespace {

struct merging_options : study_options {
  std::string arch = "mlp:784,128,128,64,10";
  data_options images{.mean = "0", .stddev = "1"};  ///< pixels between 0 and 1, as the box of the bounds says
  double target = 0.5;
  std::string epsilons = ".01,.05";
  std::size_t samples = 500;
  training_spec training{.options = {.epochs = 12, .learning_rate = 0.05, .augment = false}};
};

/// The images in grey, the mean of their channels, of which the square of this side in the middle is left.
lnpt::io::image_set grey_squares(lnpt::io::image_set const& all, std::size_t side) {
  lnpt::io::image_set squares{.channels = 1, .height = side, .width = side, .classes = all.classes, .labels = all.labels};
  squares.mean = {0};
  squares.stddev = {1};
  auto const top = (all.height - side) / 2;
  auto const left = (all.width - side) / 2;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t y = 0; y < side; ++y)
      for (std::size_t x = 0; x < side; ++x) {
        std::size_t sum = 0;
        for (std::size_t c = 0; c < all.channels; ++c) sum += all.image(i)[(c * all.height + top + y) * all.width + left + x];
        squares.pixels.push_back(static_cast<std::uint8_t>((sum + all.channels / 2) / all.channels));
      }
  return squares;
}

/// The images, as grey squares where the network is a perceptron that reads just so many numbers.
lnpt::io::data_set open_images(merging_options const& o, architecture const& arch) {
  auto data = open_labelled_data(o.images, own_classes(arch));
  auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form);
  if (sizes == nullptr || sizes->front() == data.train.image_size()) return data;
  for (std::size_t side = 1; side <= std::min(data.train.height, data.train.width); ++side)
    if (side * side == sizes->front()) {
      data.train = grey_squares(data.train, side);
      data.test = grey_squares(data.test, side);
    }
  return data;
}

/// One run of the command.
class merging_study {
 public:
  explicit merging_study(merging_options const& o)
      : o_(o),
        arch_(parse_architecture(o.arch)),
        epsilons_(parse_numbers<double>("distance", o.epsilons)),
        data_(open_images(o, arch_)),
        sample_(around(data_.train).input),
        results_(o.out, settings(), {o.seed, o.seeds}),
        progress_(work()),
        page_{o.report, fmt::format("{} with merged units", o.arch)} {
    for (auto const epsilon : epsilons_)
      if (!(epsilon >= 0 && epsilon <= 1)) refuse("--epsilons ", o.epsilons, ": a distance of pixels lies between 0 and 1");
    require_distinct("--epsilons", epsilons_, shortest_text);
  }

  void run() {
    begin_study(page_, results_.file(), [this] { rehearse(); });
    write_page();
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (rows_left(seed) > 0) run_seed(seed);
    draw(results_.findings(), results_.file());
    progress_.finish();
  }
  void print() const {
    if (o_.json) return fmt::print("{}\n", results_.json().dump(2));
    cli::print(results_.findings());
  }

 private:
  /// Makes the smaller network of a whole one; the seed is of whatever is drawn.
  using method = std::function<trained_network(trained_network& whole, std::uint64_t seed)>;

  [[nodiscard]] std::vector<std::pair<std::string, method>> methods() const {
    auto const merged = [this](lnpt::merge_mode mode) {
      return [this, mode](trained_network& whole, std::uint64_t seed) { return merge(whole, mode, seed); };
    };
    return {{whole_method, [](trained_network& whole, std::uint64_t) { return whole; }},
            {"impact", merged(lnpt::merge_mode::impact)},
            {"stochastic", merged(lnpt::merge_mode::stochastic)},
            {"saliency", merged(lnpt::merge_mode::saliency)},
            {norm_method, [this](trained_network& whole, std::uint64_t) { return without_least(whole); }},
            {random_method, [this](trained_network& whole, std::uint64_t seed) { return without_some(whole, seed); }}};
  }

  [[nodiscard]] std::map<std::string, std::string> settings() const {
    auto all = o_.training.settings();
    note_network(all, o_.arch);
    note_images(all, o_.images, data_);
    all["target"] = shortest_text(o_.target);
    all["samples"] = std::to_string(o_.samples);
    return all;
  }
  [[nodiscard]] std::size_t rows_left(std::uint64_t seed) const {
    std::size_t left = 0;
    for (auto const& [name, make] : methods())
      for (auto const epsilon : epsilons_) left += !results_.contains(name, seed, epsilon);
    return left;
  }
  [[nodiscard]] std::size_t work() const {
    std::size_t epochs = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (rows_left(seed) > 0) epochs += o_.training.options.epochs;
    return epochs * (data_.train.size() / o_.training.options.batch);
  }
  void write_page() const {
    std::size_t left = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed) left += rows_left(seed);
    page_.write(results_.findings(), results_.file(), left);
  }

  [[nodiscard]] trained_network fresh_network(std::uint64_t seed) const {
    return make_fresh_network<trained_network>(arch_, around(data_.train), seed);
  }
  /// What cannot be merged is refused before anything is trained.
  void rehearse() const {
    require_batch(o_.training, data_.train);
    auto network = fresh_network(o_.seed);
    (void)merge(network, lnpt::merge_mode::saliency, 0);
  }

  [[nodiscard]] trained_network merge(trained_network& whole, lnpt::merge_mode mode, std::uint64_t seed) const {
    auto extents = sample_;
    extents.insert(extents.begin(), 1);
    auto const box = lnpt::box_of<lnpt::cpu::array<float>>(extents, 0, 1);
    return lnpt::merge_units(whole, box, {.target = o_.target, .mode = mode, .seed = seed}).model;
  }

  /// The network without a share of every group of units: those at these places of the group's order by Σ|w|, the least first.
  template <class Places>
  [[nodiscard]] trained_network without_places(trained_network& whole, Places places) const {
    auto const map = lnpt::channel_map_of(whole, sample_);
    std::vector<char> removed(map.set.atoms.size(), 0);
    for (std::size_t g = 0; auto const& group : lnpt::groups_by_norm(whole, map.set)) {
      auto const count = static_cast<std::size_t>(o_.target * static_cast<double>(group.size()) + 0.5);
      for (auto const place : places(group.size(), std::min(count, group.size() - 1), g++)) removed[group[place]] = 1;
    }
    return lnpt::without(whole, map, removed);
  }
  [[nodiscard]] trained_network without_least(trained_network& whole) const {
    return without_places(whole, [](std::size_t, std::size_t count, std::size_t) {
      std::vector<std::size_t> first(count);
      std::iota(first.begin(), first.end(), std::size_t{0});
      return first;
    });
  }
  [[nodiscard]] trained_network without_some(trained_network& whole, std::uint64_t seed) const {
    return without_places(whole, [&](std::size_t size, std::size_t count, std::size_t group) {
      return lnpt::sample_at_random(size, count, lnpt::random_bits(seed, group)).indices;
    });
  }

  /// The network of a seed, trained on labels in a file of its own.
  [[nodiscard]] trained_network train(std::uint64_t seed) {
    return train_on_labels(
               {path_of(seed), results_.file().settings(), sample_}, [&] { return fresh_network(seed); }, data_, o_.training,
               {fmt::format("seed {}: training", seed), seed, o_.training.options.epochs, o_.training.options.learning_rate},
               progress_)
        .network;
  }
  [[nodiscard]] std::filesystem::path path_of(std::uint64_t seed) const {
    return results_.file().folder() / fmt::format("whole-seed{}.safetensors", seed);
  }

  void run_seed(std::uint64_t seed) {
    auto whole = train(seed);
    std::vector<std::size_t> first(std::min(o_.samples, data_.test.size()));
    std::iota(first.begin(), first.end(), std::size_t{0});
    constexpr std::size_t piece = 100;
    auto const batches = lnpt::plain_batches(data_.test, std::span<std::size_t const>(first), piece);
    for (auto const& [name, make] : methods()) {
      auto const known = [&](double epsilon) { return results_.contains(name, seed, epsilon); };
      if (std::ranges::all_of(epsilons_, known)) continue;
      progress_.doing(fmt::format("seed {}: {}", seed, name));
      auto network = make(whole, seed);
      lnpt::robustness_report report;
      for (auto const& batch : batches) {
        auto const output = whole.predict(batch.input, {lnpt::norm_mode::eval}).output;
        auto const decided = lnpt::decided_classes(output);
        report = report + lnpt::robustness(network, batch.input, decided, epsilons_);
      }
      auto const size = lnpt::count(network, sample_).size();
      auto const accuracy = lnpt::accuracy(network, data_.test);
      for (auto const& row : report.rows)
        results_.add({name, seed, row.epsilon, size, accuracy, report.samples, report.agreeing, row.fgsm, row.pgd});
      write_page();
      progress_.milestone(fmt::format("seed {}: {}, {} parameters: decides as the whole network on {} of {} images", seed, name,
                                      size, report.agreeing, report.samples));
    }
    std::filesystem::remove(path_of(seed));
  }

  merging_options const& o_;
  architecture arch_;
  std::vector<double> epsilons_;
  lnpt::io::data_set data_;
  lnpt::shape sample_;
  merging_results results_;
  progress progress_;
  page_of_study page_;
};

void describe(CLI::App& command, merging_options& o) {
  command.add_option("--arch", o.arch, std::string("Network: ") + architecture_forms)->capture_default_str();
  command
      .add_option("--data", o.images.data,
                  std::string("Data set, whose pixels become p / 255; a perceptron that reads n × n numbers gets the grey n × n "
                              "squares in the middle of larger images: ") +
                      data_forms)
      ->required();
  command.add_option("--train-limit", o.images.train_limit, "Use the first N training images")->check(above_zero());
  command.add_option("--test-limit", o.images.test_limit, "Use the first N test images")->check(above_zero());
  command.add_option("--epochs", o.training.options.epochs, "Epochs of the whole network, on labels")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--target", o.target, "The fraction of the hidden units that goes")
      ->capture_default_str()
      ->check(number_that_is("above 0 and below 1", [](double x) { return x > 0 && x < 1; }));
  command.add_option("--epsilons", o.epsilons, "Distances of the attacks in the largest norm, of pixels between 0 and 1")
      ->capture_default_str();
  command.add_option("--samples", o.samples, "Test images that are attacked")->capture_default_str()->check(above_zero());
  o.describe_study(command);
  o.training.describe_labelled(command);
}

}  // namespace

void add_merging_study(CLI::App& study) {
  add_command<merging_options>(
      study,
      {"merging", "Merge the units of a network, or remove them by their norms or at random, and attack what is left",
       "A network learns --data with labels. A share of its hidden units goes: merged pair by pair without data (impact, "
       "stochastic,\nsaliency), those of the smallest norms (l1) or any (random). Every row counts the images on which what is "
       "left decides as\nthe whole network did, without attack and under FGSM and PGD. Results go to OUT/merging.csv and .svg; "
       "run the same command\nagain to continue after an interruption.\n\n"
       "  lnpt study merging --data cifar10:cifar-10-batches-bin --train-limit 10000 --test-limit 1000 --out runs/merging\n"
       "  lnpt study merging --data mnist:mnist --report merging.html --out runs/mnist"},
      describe, run_study<merging_study, merging_options>);
}

}  // namespace cli
