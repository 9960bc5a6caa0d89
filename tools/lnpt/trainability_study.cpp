// lnpt study trainability: whether filters that were parted from the others before they go leave a network that learns again better.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/analysis/trainability.hpp>
#include <lnpt/nn/initialize.hpp>
#include <lnpt/structure/channel_map.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/inner_filters.hpp>
#include <lnpt/structure/remove.hpp>
#include <lnpt/train/batches.hpp>

#include "command.hpp"
#include "data_digest.hpp"
#include "loading.hpp"
#include "network_digest.hpp"
#include "progress.hpp"
#include "studies.hpp"
#include "study_training.hpp"
#include "trainability_results.hpp"

namespace cli {

namespace {

struct trainability_options : study_options {
  std::string arch = "resnet:56:16,32,64:a";
  data_options images;
  std::size_t part_epochs = 20, again_epochs = 20;
  double part_rate = 1e-3, ceiling = 1;
  std::string ratios = ".5,.7,.9", rates = ".01,.001";
  std::size_t samples = 20;
  training_spec training;
};

using filters = std::vector<lnpt::outgoing_filters>;

/// The network without these filters, with all that is coupled to them.
trained_network without_filters(trained_network& from, lnpt::shape const& sample, filters const& going) {
  auto const map = lnpt::channel_map_of(from, sample);
  std::map<std::string, std::vector<char> const*, std::less<>> by_weight;
  for (auto const& each : going) by_weight.emplace(each.layer + ".weight", &each.removed);
  std::vector<char> removed(map.set.atoms.size(), 0);
  for (std::size_t a = 0; a < removed.size(); ++a)
    for (auto const& slices : map.set.atoms[a].slices)
      if (auto const found = by_weight.find(map.set.tensors[slices.tensor].name);
          slices.role == lnpt::slice_role::row && found != by_weight.end())
        removed[a] = (*found->second)[slices.indices.front()];
  return lnpt::without(from, map, removed);
}

/// The proportions of the published schedule within so many steps: λ grows for ten elevenths of them, and in the rest layer after layer
/// becomes zero.
lnpt::preserve_trainability parting(filters going, trained_network& network, double ceiling, std::size_t steps) {
  auto const layers = static_cast<std::size_t>(
      std::ranges::count_if(network.parameters(), [](auto const& p) { return lnpt::is_prunable(p.role); }));
  auto const zero_every = std::max<std::size_t>(steps / 11 / layers, 1);
  if (steps <= layers * zero_every)
    refuse(steps, " steps of parting are too few to set ", layers,
           " layers to zero one after the other: give more --part-epochs");
  auto const rise = ceiling / static_cast<double>(steps - layers * zero_every);
  return lnpt::preserve_trainability({std::move(going)}, {rise, 1, ceiling}, zero_every);
}

/// One run of the command.
class trainability_study {
 public:
  explicit trainability_study(trainability_options const& o)
      : o_(o),
        arch_(parse_architecture(o.arch)),
        ratios_(parse_numbers<double>("fraction of filters", o.ratios)),
        rates_(parse_numbers<double>("learning rate", o.rates)),
        data_(open_labelled_data(o.images, own_classes(arch_))),
        sample_(around(data_.train).input),
        results_(o.out, settings(), {o.seed, o.seeds}),
        progress_(work()),
        page_{o.report, fmt::format("{} trained again after filters went", o.arch)} {
    for (auto const ratio : ratios_)
      if (!(ratio > 0 && ratio < 1)) refuse("--ratios ", o.ratios, ": a fraction of the filters lies between 0 and 1");
    for (auto const rate : rates_)
      if (!(rate > 0)) refuse("--rates ", o.rates, ": a learning rate is above 0");
    require_distinct("--ratios", ratios_, shortest_text);
    require_distinct("--rates", rates_, shortest_text);
  }

  void run() {
    begin_study(page_, results_.file(), [this] { rehearse(); });
    write_page();
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (!ratios_left(seed).empty()) run_seed(seed);
    draw(results_.findings(), results_.file());
    progress_.finish();
  }
  void print() const {
    if (o_.json) return fmt::print("{}\n", results_.json().dump(2));
    cli::print(results_.findings());
  }

 private:
  void write_page() const {
    std::size_t left = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed) {
      left += !results_.contains(dense_method, 0, 0, seed);
      for (auto const ratio : ratios_) left += rows_left(seed, ratio);
    }
    page_.write(results_.findings(), results_.file(), left);
  }
  /// What cannot be parted or removed is refused before the dense network is trained.
  void rehearse() const {
    require_batch(o_.training, data_.train);
    auto network = make_fresh_network<trained_network>(arch_, around(data_.train), o_.seed);
    for (auto const ratio : ratios_) {
      auto const going = lowest(network, ratio);
      (void)parting(going, network, o_.ceiling, steps_of(o_.part_epochs));
      (void)without_filters(network, sample_, going);
    }
  }

  static constexpr char const *parted = "tpp", *by_norm = "l1", *fresh = "scratch";

  [[nodiscard]] std::map<std::string, std::string> settings() const {
    auto all = o_.training.settings();
    note_network(all, o_.arch);
    note_images(all, o_.images, data_);
    all["part-epochs"] = std::to_string(o_.part_epochs);
    all["part-lr"] = shortest_text(o_.part_rate);
    all["ceiling"] = shortest_text(o_.ceiling);
    all["again-epochs"] = std::to_string(o_.again_epochs);
    all["samples"] = std::to_string(o_.samples);
    return all;
  }
  [[nodiscard]] std::size_t steps_of(std::size_t epochs) const {
    return epochs * (data_.train.size() / o_.training.options.batch);
  }
  [[nodiscard]] std::size_t rows_left(std::uint64_t seed, double ratio) const {
    std::size_t left = 0;
    for (auto const* const method : {parted, by_norm, fresh})
      for (auto const rate : rates_) left += !results_.contains(method, ratio, rate, seed);
    return left;
  }
  [[nodiscard]] std::vector<double> ratios_left(std::uint64_t seed) const {
    std::vector<double> left;
    std::ranges::copy_if(ratios_, std::back_inserter(left), [&](double ratio) { return rows_left(seed, ratio) > 0; });
    return left;
  }
  [[nodiscard]] std::size_t work() const {
    std::size_t epochs = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed) {
      auto const ratios = ratios_left(seed);
      if (!ratios.empty()) epochs += o_.training.options.epochs + o_.part_epochs * (ratios.size() + 1);
      for (auto const ratio : ratios) epochs += rows_left(seed, ratio) * o_.again_epochs;
    }
    return steps_of(epochs);
  }

  [[nodiscard]] std::filesystem::path path_of(std::string const& name) const {
    return results_.file().folder() / (name + ".safetensors");
  }

  /// Trains on labels, the rate falling along a cosine.
  trained_network train(std::string const& name, std::function<trained_network()> const& start, training_plan const& plan) {
    return train_on_labels({path_of(name), results_.file().settings(), sample_}, start, data_, o_.training, plan, progress_)
        .network;
  }
  /// Trains on labels at a constant rate, with the filters that are to go parted from the others; without any, it is plain training.
  trained_network part(std::string const& name, trained_network const& dense, filters const& going, training_plan const& plan) {
    return train_resumably(
               {path_of(name), results_.file().settings(), sample_}, [&] { return dense; },
               [&](trained_network& network, lnpt::train_state from, std::function<void(lnpt::train_state const&)> const& save) {
                 auto const constant = [](std::size_t, std::size_t, double rate) { return rate; };
                 auto const train = [&](auto&... hook) {
                   return lnpt::train(network, {}, data_.train, data_.test, lnpt::no_guide{}, lnpt::cross_entropy{},
                                      spec_of(o_.training, plan).options, std::move(from), watcher(progress_, plan, save),
                                      constant, hook...);
                 };
                 if (going.empty()) return train();
                 auto hook = parting(going, network, o_.ceiling, steps_of(plan.epochs));
                 return train(hook);
               })
        .network;
  }

  [[nodiscard]] filters lowest(trained_network& of, double ratio) const {
    auto const layers = lnpt::inner_filters(of, sample_);
    if (layers.empty())
      refuse(o_.arch, " has no filters that could go: it takes convolutions behind the first, each with a batch norm of its own");
    return lnpt::lowest_filters(of.parameters(), layers, ratio);
  }

  /// What is known of a network as it is.
  [[nodiscard]] trainability_row measured(trained_network& network, std::string const& method, double removed,
                                          std::uint64_t seed) const {
    std::vector<std::size_t> first(std::min(o_.samples, data_.test.size()));
    std::iota(first.begin(), first.end(), std::size_t{0});
    auto const batches = lnpt::plain_batches(data_.test, first, first.size());
    auto const jacobian = lnpt::trainability(network, batches.front().input);
    auto const size = lnpt::count(network, sample_);
    auto const accuracy = lnpt::accuracy(network, data_.test);
    return {.method = method,
            .removed = removed,
            .seed = seed,
            .accuracy_before = accuracy,
            .accuracy = accuracy,
            .parameters = size.size(),
            .multiply_adds = size.multiply_adds(),
            .jacobian_mean = jacobian.mean,
            .jacobian_condition = jacobian.condition};
  }

  void run_seed(std::uint64_t seed) {
    auto const file = [&](std::string const& name) { return fmt::format("{}-seed{}", name, seed); };
    auto const say = [&](std::string const& what) { return fmt::format("seed {}: {}", seed, what); };
    auto dense = train(file("dense"), [&] { return make_fresh_network<trained_network>(arch_, around(data_.train), seed); },
                       {say("the dense network"), seed, o_.training.options.epochs, o_.training.options.learning_rate});
    if (!results_.contains(dense_method, 0, 0, seed)) {
      auto const row = measured(dense, dense_method, 0, seed);
      progress_.milestone(say(fmt::format("dense: {:.1f} %", 100 * row.accuracy)));
      results_.add(row);
      write_page();
    }
    // What is pruned by its norms has had as many steps as what is parted.
    auto plain = part(file("plain"), dense, {}, {say("training without parting"), seed + 1, o_.part_epochs, o_.part_rate});
    for (auto const ratio : ratios_left(seed)) {
      auto const name = fmt::format("parted-{:g}", ratio);
      auto const going = lowest(dense, ratio);
      auto whole = part(file(name), dense, going,
                        {say(fmt::format("parting {:g} %", 100 * ratio)), seed + 1, o_.part_epochs, o_.part_rate});
      train_again(without_filters(whole, sample_, going), parted, ratio, seed);
      auto const least = lowest(plain, ratio);
      train_again(without_filters(plain, sample_, least), by_norm, ratio, seed);
      auto small = without_filters(dense, sample_, going);
      lnpt::initialize(small, seed);
      train_again(small, fresh, ratio, seed);
      std::filesystem::remove(path_of(file(name)));
    }
    for (auto const* const name : {"dense", "plain"}) std::filesystem::remove(path_of(file(name)));
  }

  /// The smaller network, trained again at every rate.
  void train_again(trained_network small, std::string const& method, double ratio, std::uint64_t seed) {
    auto row = measured(small, method, ratio, seed);
    for (auto const rate : rates_) {
      if (results_.contains(method, ratio, rate, seed)) continue;
      auto const who = fmt::format("seed {}: {} without {:g} %, trained at {:g}", seed, method, 100 * ratio, rate);
      auto const file = fmt::format("{}-{:g}-{:g}-seed{}", method, ratio, rate, seed);
      auto trained = train(file, [&] { return small; }, {who, seed + 2, o_.again_epochs, rate});
      row.rate = rate;
      row.accuracy = lnpt::accuracy(trained, data_.test);
      results_.add(row);
      write_page();
      progress_.milestone(fmt::format("{}: {:.1f} %", who, 100 * row.accuracy));
      std::filesystem::remove(path_of(file));
    }
  }

  trainability_options const& o_;
  architecture arch_;
  std::vector<double> ratios_, rates_;
  lnpt::io::data_set data_;
  lnpt::shape sample_;
  trainability_results results_;
  progress progress_;
  page_of_study page_;
};

void describe(CLI::App& command, trainability_options& o) {
  command.add_option("--arch", o.arch, std::string("Network: ") + architecture_forms)->capture_default_str();
  command.add_option("--data", o.images.data, std::string("Data set: ") + data_forms)->required();
  command.add_option("--epochs", o.training.options.epochs, "Epochs of the dense network")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--part-epochs", o.part_epochs, "Epochs in which filters are parted, or plain training goes on")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--part-lr", o.part_rate, "Learning rate of them, constant")->capture_default_str()->check(above_zero());
  command.add_option("--ceiling", o.ceiling, "What the strength of parting grows to")->capture_default_str()->check(above_zero());
  command.add_option("--ratios", o.ratios, "Fractions of the inner filters that go")->capture_default_str();
  command.add_option("--again-epochs", o.again_epochs, "Epochs of the smaller networks")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--rates", o.rates, "First learning rates of them")->capture_default_str();
  command.add_option("--samples", o.samples, "Test images whose Jacobians are decomposed")
      ->capture_default_str()
      ->check(above_zero());
  o.describe_study(command);
  o.training.describe_augmentation(command);
  o.images.describe_images(command);
  o.training.describe_labelled(command);
}

void run(trainability_options const& o) { run_study<trainability_study>(o); }

}  // namespace

void add_trainability_study(CLI::App& study) {
  add_command<trainability_options>(
      study,
      {"trainability", "Prune by TPP, by the norms of filters and to fresh weights, and train what is left at several rates",
       "A network learns --data with labels. Then a share of the filters inside its blocks goes physically: after TPP has parted "
       "them\n"
       "from the others (tpp), by their norms after as many plain steps (l1), or to a network of that shape with fresh weights\n"
       "(scratch). Results go to OUT/trainability.csv and .svg; run the same command again to continue after an interruption.\n\n"
       "  lnpt study trainability --data cifar10:cifar-10-batches-bin --epochs 60 --out runs/trainability"},
      describe, run);
}

}  // namespace cli
