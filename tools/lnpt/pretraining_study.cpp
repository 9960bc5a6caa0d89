// lnpt study pretraining: how much further a network can be pruned that was trained on other data before.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/structure/channel_map.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/groups_by_norm.hpp>
#include <lnpt/structure/remove.hpp>

#include "command.hpp"
#include "data_digest.hpp"
#include "loading.hpp"
#include "network_digest.hpp"
#include "pretraining_results.hpp"
#include "progress.hpp"
#include "studies.hpp"
#include "study_training.hpp"

namespace cli {

namespace {

struct pretraining_options : study_options {
  std::string arch = "vgg:16:16";
  data_options target, source;  ///< without a source, the first half of the target's classes
  std::size_t pretrain_epochs = 20, fine_tune_epochs = 2, steps = 9;
  double fine_tune_rate = 0.01;
  double step = 0.1;
  double delta = 0.01;
  training_spec training;
};

/// Some of the classes of a data set.
struct class_range {
  std::size_t begin, end;

  [[nodiscard]] std::size_t count() const { return end - begin; }
};

/// The images of some classes, which are numbered from 0 again, for a network of so many.
lnpt::io::image_set of_classes(lnpt::io::image_set const& all, class_range const& wanted, std::size_t of_network) {
  auto result = all;
  result.classes = of_network;
  result.pixels.clear();
  result.labels.clear();
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto const label = static_cast<std::size_t>(all.labels[i]);
    if (label < wanted.begin || label >= wanted.end) continue;
    auto const image = all.image(i);
    result.pixels.insert(result.pixels.end(), image.begin(), image.end());
    result.labels.push_back(static_cast<std::int64_t>(label - wanted.begin));
  }
  return result;
}

/// The same of a data set; `own` are the classes of a network that comes with some, which may be more, else 0.
lnpt::io::data_set of_classes(lnpt::io::data_set const& all, class_range const& wanted, std::size_t own) {
  auto const of_network = own == 0 ? wanted.count() : own;
  return {of_classes(all.train, wanted, of_network), of_classes(all.test, wanted, of_network), all.name};
}

/// What is trained on first, and what both arms are for.
struct study_data {
  lnpt::io::data_set source, target;
};

study_data open_study_data(pretraining_options const& o) {
  auto const own = own_classes(parse_architecture(o.arch));
  if (o.source.data.empty()) {
    auto const all = open_labelled_data(o.target, 0);
    auto const half = all.train.classes / 2;
    class_range const first{0, half}, others{half, all.train.classes};
    if (half < 2) refuse(o.target.data, " has too few classes to part: name the data to pre-train on with --pretrain");
    if (own != 0 && own < others.count())
      refuse(o.arch, " tells ", own, " classes apart, and the halves of ", o.target.data, " have ", first.count(), " and ",
             others.count(), ": name a network of ", others.count(), " or more");
    return {of_classes(all, first, own), of_classes(all, others, own)};
  }
  study_data data{open_labelled_data(o.source, own), open_labelled_data(o.target, own)};
  auto const from = around(data.source.train).input;
  auto const to = around(data.target.train).input;
  if (from != to)
    refuse("images of ", o.source.data, " have the shape ", lnpt::list(from), " and those of ", o.target.data, " ",
           lnpt::list(to), ": pre-train on images of the same shape");
  return data;
}

/// One run of the command.
class pretraining_study {
 public:
  explicit pretraining_study(pretraining_options const& o)
      : o_(o),
        arch_(parse_architecture(o.arch)),
        data_(open_study_data(o)),
        results_(o.out, settings(), {o.seed, o.seeds}),
        progress_(work()),
        page_{o.report, fmt::format("{} pruned step by step, from scratch and pre-trained", o.arch)} {}

  void run() {
    begin_study(page_, results_.file(), [this] { rehearse(); });
    write_page();
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      for (auto const* const arm : {scratch_arm, pretrained_arm})
        if (steps_done(arm, seed) <= o_.steps) run_arm(arm, seed);
    draw(results_.findings(o_.delta), results_.file());
    progress_.finish();
  }
  void print() const {
    if (o_.json) return fmt::print("{}\n", results_.json(o_.delta).dump(2));
    cli::print(results_.findings(o_.delta));
  }

 private:
  [[nodiscard]] std::map<std::string, std::string> settings() const {
    auto all = o_.training.settings();
    note_network(all, o_.arch);
    note_images(all, o_.target, data_.target);
    all["pretrain"] = o_.source.data.empty() ? "" : data_kind(o_.source.data);
    all["pretrain-digest"] = digest_of(data_.source);
    all["pretrain-images"] = std::to_string(data_.source.train.size());
    all["pretrain-epochs"] = std::to_string(o_.pretrain_epochs);
    all["fine-tune-epochs"] = std::to_string(o_.fine_tune_epochs);
    all["fine-tune-lr"] = shortest_text(o_.fine_tune_rate);
    all["steps"] = std::to_string(o_.steps);
    all["step"] = shortest_text(o_.step);
    return all;
  }
  void write_page() const {
    std::size_t left = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      for (auto const* const arm : {scratch_arm, pretrained_arm})
        left += o_.steps + 1 - std::min(steps_done(arm, seed), o_.steps + 1);
    page_.write(results_.findings(o_.delta), results_.file(), left);
  }
  /// What has no filters that could go is refused before anything is trained.
  void rehearse() const {
    for (auto const* const data : {&data_.source, &data_.target}) {
      (void)make_fresh_network<trained_network>(arch_, around(data->train), o_.seed);
      require_batch(o_.training, data->train);
    }
    auto const sample = around(data_.target.train).input;
    auto network = make_fresh_network<trained_network>(arch_, around(data_.target.train), o_.seed);
    auto smaller = remove_filters(network, sample, sizes_of_groups(network, sample));
    if (lnpt::count(smaller, sample).size() == lnpt::count(network, sample).size())
      refuse(o_.arch, " has no filters that could go: name a network with hidden layers of more than one unit");
  }
  [[nodiscard]] std::size_t steps_of(lnpt::io::data_set const& data) const {
    return data.train.size() / o_.training.options.batch;
  }
  /// How many networks of an arm have their rows.
  [[nodiscard]] std::size_t steps_done(std::string const& arm, std::uint64_t seed) const { return results_.of(arm, seed).size(); }
  [[nodiscard]] std::size_t work() const {
    std::size_t steps = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      for (auto const* const arm : {scratch_arm, pretrained_arm}) {
        auto const done = steps_done(arm, seed);
        steps += (o_.steps + 1 - std::max<std::size_t>(done, 1)) * o_.fine_tune_epochs * steps_of(data_.target);
        if (done > 0) continue;
        steps += o_.training.options.epochs * steps_of(data_.target);
        if (arm == pretrained_arm) steps += o_.pretrain_epochs * steps_of(data_.source);
      }
    return steps;
  }

  [[nodiscard]] std::filesystem::path path_of(std::string const& name) const {
    return results_.file().folder() / (name + ".safetensors");
  }

  /// Trains on labels, in a file of its own.
  network_in_training train(std::string const& name, std::function<trained_network()> const& start,
                            lnpt::io::data_set const& data, training_plan const& plan) {
    return train_on_labels({path_of(name), results_.file().settings(), around(data.train).input}, start, data, o_.training, plan,
                           progress_);
  }

  /// A network for the target with everything but the classifier from one that was trained on the source.
  [[nodiscard]] trained_network pretrained(trained_network fresh, std::uint64_t seed) {
    auto source =
        train(fmt::format("pretraining-seed{}", seed),
              [&] { return make_fresh_network<trained_network>(arch_, around(data_.source.train), seed); }, data_.source,
              {fmt::format("seed {}: pre-training", seed), seed, o_.pretrain_epochs, o_.training.options.learning_rate})
            .network;
    auto const from = source.parameters();
    auto const to = fresh.parameters();
    auto const classifier = std::ranges::find(to, lnpt::role::classifier_weight, &lnpt::parameter<lnpt::cpu::array<float>>::role);
    auto const layer_of = [](std::string const& name) { return name.substr(0, name.rfind('.')); };
    for (std::size_t i = 0; i < to.size(); ++i)
      if (classifier == to.end() || layer_of(to[i].name) != layer_of(classifier->name)) *to[i].value = *from[i].value;
    auto const statistics = source.buffers();
    auto const buffers = fresh.buffers();
    for (std::size_t i = 0; i < buffers.size(); ++i) *buffers[i].value = *statistics[i].value;
    return fresh;
  }

  [[nodiscard]] trained_network fresh_network(std::string const& arm, std::uint64_t seed) {
    auto network = make_fresh_network<trained_network>(arch_, around(data_.target.train), seed);
    return arm == pretrained_arm ? pretrained(std::move(network), seed) : network;
  }

  /// Goes on behind the last row of the arm whose network is still there.
  void run_arm(std::string const& arm, std::uint64_t seed) {
    auto const name = [&](std::size_t step) { return fmt::format("{}-seed{}-step{}", arm, seed, step); };
    auto const sample = around(data_.target.train).input;
    auto whole = make_fresh_network<trained_network>(arch_, around(data_.target.train), seed);
    auto const at_first = sizes_of_groups(whole, sample);
    auto const done = steps_done(arm, seed);
    auto const first = done > 0 && std::filesystem::exists(path_of(name(done - 1))) ? done - 1 : 0;
    std::optional<trained_network> network;
    for (auto step = first; step <= o_.steps; ++step) {
      auto const who = fmt::format("seed {}: {}, step {}", seed, arm, step);
      auto trained = step == 0 ? train(name(0), [&] { return fresh_network(arm, seed); }, data_.target,
                                       {who, seed, o_.training.options.epochs, o_.training.options.learning_rate})
                               : train(name(step), [&] { return remove_filters(*network, sample, at_first); }, data_.target,
                                       {who, seed + step, o_.fine_tune_epochs, o_.fine_tune_rate});
      network = std::move(trained.network);
      auto const size = lnpt::count(*network, sample);
      results_.add({arm, seed, step, trained.state.last_accuracy, size.size(), size.multiply_adds()});
      write_page();
      progress_.milestone(fmt::format("{}: {:.1f} %, {} parameters", who, 100 * trained.state.last_accuracy, size.size()));
      std::filesystem::remove(path_of(step == 0 ? fmt::format("pretraining-seed{}", seed) : name(step - 1)));
    }
    std::filesystem::remove(path_of(name(o_.steps)));
  }

  /// How many filters each group of coupled filters has, by the first layer that makes them. The groups of a smaller network are others: a
  /// depthwise convolution of one channel is coupled to nothing.
  using group_sizes = std::map<std::string, std::size_t>;

  [[nodiscard]] static group_sizes sizes_of_groups(trained_network& network, lnpt::shape const& sample) {
    group_sizes sizes;
    auto const map = lnpt::channel_map_of(network, sample);
    for (auto const& group : lnpt::groups_by_norm(network, map.set))
      sizes[lnpt::name_of(map.set, map.set.atoms[group.front()])] = group.size();
    return sizes;
  }
  /// Removes of every group of coupled filters a share of what it had at first, those of the smallest Σ|w|, and leaves one.
  [[nodiscard]] trained_network remove_filters(trained_network& network, lnpt::shape const& sample,
                                               group_sizes const& at_first) const {
    auto const map = lnpt::channel_map_of(network, sample);
    std::vector<char> removed(map.set.atoms.size(), 0);
    for (auto const& group : lnpt::groups_by_norm(network, map.set)) {
      auto const whole = at_first.find(lnpt::name_of(map.set, map.set.atoms[group.front()]));
      if (whole == at_first.end()) continue;  // of one filter
      auto const wanted = static_cast<std::size_t>(o_.step * static_cast<double>(whole->second) + 0.5);
      for (std::size_t i = 0; i < std::min(std::max<std::size_t>(wanted, 1), group.size() - 1); ++i) removed[group[i]] = 1;
    }
    return lnpt::without(network, map, removed);
  }

  pretraining_options const& o_;
  architecture arch_;
  study_data data_;
  pretraining_results results_;
  progress progress_;
  page_of_study page_;
};

void describe(CLI::App& command, pretraining_options& o) {
  command.add_option("--arch", o.arch, std::string("Network: ") + architecture_forms)->capture_default_str();
  command.add_option("--data", o.target.data, std::string("What the network is for: ") + data_forms)->required();
  command.add_option("--pretrain", o.source.data,
                     "What one arm is trained on before; default: the first half of the classes of --data, which is then for the "
                     "others alone; a network that comes with classes of its own is to have as many as these, or more");
  command.add_option("--pretrain-epochs", o.pretrain_epochs, "Epochs on it")->capture_default_str()->check(above_zero());
  command.add_option("--epochs", o.training.options.epochs, "Epochs of both arms on --data")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--step", o.step, "Fraction of a layer's filters that goes at a time")
      ->capture_default_str()
      ->check(number_that_is("above 0 and below 1", [](double x) { return x > 0 && x < 1; }));
  command.add_option("--steps", o.steps, "How many times")->capture_default_str()->check(above_zero());
  command.add_option("--fine-tune-epochs", o.fine_tune_epochs, "Epochs after each removal")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--fine-tune-lr", o.fine_tune_rate, "First learning rate of them")
      ->capture_default_str()
      ->check(zero_or_more());
  command.add_option("--delta", o.delta, "Loss of accuracy that is allowed")->capture_default_str()->check(fraction());
  o.describe_study(command);
  o.training.describe_augmentation(command);
  o.target.describe_images(command);
  o.training.describe_labelled(command);
}

void run(pretraining_options const& typed_options) {
  auto o = typed_options;
  o.source.train_limit = o.target.train_limit;
  o.source.test_limit = o.target.test_limit;
  o.source.mean = o.target.mean;
  o.source.stddev = o.target.stddev;
  run_study<pretraining_study>(o);
}

}  // namespace

void add_pretraining_study(CLI::App& study) {
  add_command<pretraining_options>(
      study,
      {"pretraining", "Prune a network trained from scratch and one pre-trained on other data, step by step, side by side",
       "Both arms learn --data with labels; then filters go physically, a share of every layer at a time, each followed by fine-"
       "tuning.\nResults go to OUT/pretraining.csv and .svg; run the same command again to continue after an interruption.\n\n"
       "  lnpt study pretraining --arch vgg:16:16 --data cifar10:cifar-10-batches-bin --epochs 40 --out runs/pretraining\n"
       "  lnpt study pretraining --arch mobilenet:8 --data cifar10:cifar-10-batches-bin --pretrain synthetic --out runs/mobile"},
      describe, run);
}

}  // namespace cli
