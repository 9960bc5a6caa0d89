// lnpt compare: the main job.
#include <cmath>
#include <fmt/format.h>

#include <lnpt/core/random.hpp>
#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/data_set.hpp>
#include <lnpt/nn/initialize.hpp>
#include <lnpt/train/sampling.hpp>

#include "command.hpp"
#include "comparison.hpp"
#include "engine.hpp"
#include "engine_setting.hpp"
#include "progress.hpp"
#include "teacher_memory.hpp"

namespace cli {

namespace {

enum class sample_kind { pseudo_label, label, random };
constexpr spelling<sample_kind> sample_names[]{
    {"pseudo-label", sample_kind::pseudo_label}, {"label", sample_kind::label}, {"random", sample_kind::random}};

constexpr char const* learn_from_teacher = "teacher";

struct compare_options : common_options {
  std::string arch = "resnet:20:16,32,64";
  std::size_t teacher_epochs = 8;
  std::string criteria =
      "teacher_guided,feature_map_synaptic,feature_map_synaptic:rounds=10,snip,snip:loss=pseudo_label,grasp,synflow,random,"
      "magnitude";
  std::string sparsities = "0.95";
  std::size_t seeds = 3;
  std::size_t samples = 10;
  std::string sample_by = "pseudo-label";
  std::string augment = augment_on;
  std::string learn_from = learn_from_teacher;
  std::string features;
  bool keep_weights = false;
  std::string out;
  data_options images{.data = "synthetic"};
  training_spec training{.options = {.epochs = 4}};
  engine_choice engine;
};

/// What the numbers of a seed are drawn for; each purpose has a stream of its own.
enum class purpose : std::uint64_t { teacher_weights, teacher_training, student_weights, student_training, sample, scoring };

std::uint64_t seed_for(std::uint64_t seed, purpose what) { return lnpt::random_bits(seed, static_cast<std::uint64_t>(what)); }

std::vector<criterion_spec> parse_criteria(std::string const& list) {
  std::vector<criterion_spec> criteria;
  for (auto const text : split(list, ',')) criteria.push_back(parse_criterion(text));
  return criteria;
}

std::vector<double> parse_sparsities(std::string const& list) {
  auto const sparsities = parse_numbers<double>("sparsity", list);
  for (auto const s : sparsities)
    if (!(s >= 0 && s <= 1)) refuse("a sparsity of ", s, " is outside [0, 1]: pass fractions such as .9,.95");
  return sparsities;
}

/// One run of the command.
class comparison {
 public:
  explicit comparison(compare_options const& o)
      : o_(o),
        criteria_(parse_criteria(o.criteria)),
        sparsities_(parse_sparsities(o.sparsities)),
        sample_by_(parse_choice("way of sampling", sample_names, o.sample_by)),
        arch_(parse_architecture(o.arch, o.features)),
        engine_(open_training_engine(o.engine, o.threads)),
        data_(open_data(o.images)),
        results_(o.out, settings()),
        progress_(work()) {}

  void run() {
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (students_left(seed) > 0) run_seed(seed);
  }

  void print() const {
    if (o_.json)
      fmt::print("{}\n", results_.json().dump(2));
    else
      print_comparison(results_, criteria_, sparsities_);
  }

 private:
  /// What decides a row beside its criterion, sparsity and seed.
  [[nodiscard]] std::map<std::string, std::string> settings() const {
    auto all = o_.training.settings();
    all["data"] = data_kind(o_.images.data);
    all["mean"] = o_.images.mean;
    all["std"] = o_.images.stddev;
    all["train-images"] = std::to_string(data_.train.size());
    all["test-images"] = std::to_string(data_.test.size());
    all["arch"] = o_.arch;
    if (o_.keep_weights) all["keep-weights"] = "1";
    if (o_.learn_from != learn_from_teacher) all[learn_from_setting] = o_.learn_from;
    if (!o_.features.empty()) all["features"] = o_.features;
    all["teacher-epochs"] = std::to_string(o_.teacher_epochs);
    all["samples"] = std::to_string(o_.samples);
    all["sample-by"] = o_.sample_by;
    all[engine_setting] = o_.engine.name;
    return all;
  }

  [[nodiscard]] std::size_t students_left(std::uint64_t seed) const {
    std::size_t left = 0;
    for (auto const sparsity : sparsities_)
      for (auto const& criterion : criteria_) left += !results_.contains(criterion.text, sparsity, seed);
    return left;
  }

  [[nodiscard]] std::size_t steps_per_epoch() const { return data_.train.size() / o_.training.options.batch; }

  /// All training steps still to be done.
  [[nodiscard]] std::size_t work() const {
    std::size_t epochs = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (auto const students = students_left(seed)) epochs += students * o_.training.options.epochs + teacher_epochs_left(seed);
    return epochs * steps_per_epoch();
  }

  [[nodiscard]] std::filesystem::path teacher_path(std::uint64_t seed) const {
    return results_.folder() / fmt::format("teacher-seed{}.safetensors", seed);
  }
  [[nodiscard]] std::size_t teacher_epochs_left(std::uint64_t seed) const {
    if (!std::filesystem::exists(teacher_path(seed))) return o_.teacher_epochs;
    auto const done = lnpt::io::checkpoint_epoch(lnpt::io::safetensors::open(teacher_path(seed)));
    return o_.teacher_epochs - std::min(done, o_.teacher_epochs);
  }

  [[nodiscard]] trained_network fresh_network(std::uint64_t seed) const {
    auto network = make_network<trained_network>(arch_, around(data_.train), seed);
    if (std::holds_alternative<exported_model>(arch_.form) && !o_.keep_weights) lnpt::initialize(network, seed);
    return network;
  }

  [[nodiscard]] lnpt::train_observer watcher(std::string const& who, std::size_t epochs,
                                             std::function<void(lnpt::train_state const&)> on_epoch = nullptr) {
    return {.on_step =
                [this, who, epochs](std::size_t epoch, std::size_t step, std::size_t) {
                  if (step == 0) progress_.doing(fmt::format("{}, epoch {} of {}", who, epoch + 1, epochs));
                  progress_.advance();
                },
            .on_epoch = std::move(on_epoch)};
  }

  /// The teacher of a seed, trained with labels; saved after every epoch, so that an interrupted run goes on where it was.
  trained_network make_teacher(std::uint64_t seed) {
    auto teacher = fresh_network(seed_for(seed, purpose::teacher_weights));
    auto const path = teacher_path(seed);
    lnpt::io::checkpoint at{.settings = settings()};
    if (std::filesystem::exists(path)) {
      auto const file = lnpt::io::safetensors::open(path);
      require_settings(file, at.settings);
      at = lnpt::io::load_checkpoint(teacher, file);
    }
    auto spec = o_.training;
    spec.options.epochs = o_.teacher_epochs;
    spec.options.seed = seed_for(seed, purpose::teacher_training);
    auto const save = [&](lnpt::train_state const& state) {
      lnpt::io::save_checkpoint(path, teacher, {state, {}, at.settings});
      progress_.milestone(fmt::format("seed {}: teacher, epoch {} of {}: {:.1f} %", seed, state.epoch, o_.teacher_epochs,
                                      100 * state.last_accuracy));
    };
    auto const state = engine_->train(
        teacher, data_, {}, spec, {at.masks, at.state, watcher(fmt::format("seed {}: teacher", seed), o_.teacher_epochs, save)});
    results_.set_teacher_accuracy(seed, state.last_accuracy);
    return teacher;
  }

  [[nodiscard]] std::vector<std::size_t> draw_sample(std::uint64_t seed, predictor<float> const& teacher) {
    auto const draw = seed_for(seed, purpose::sample);
    auto const classes = data_.train.classes;
    if (sample_by_ == sample_kind::random) return lnpt::sample_at_random(data_.train.size(), o_.samples * classes, draw).indices;
    auto const sample = sample_by_ == sample_kind::label
                            ? lnpt::sample_by_label(data_.train, classes, o_.samples, draw)
                            : lnpt::sample_by_pseudo_label(decide(teacher, data_.train), classes, o_.samples, draw);
    auto const short_of = std::ranges::count_if(sample.found_per_class, [&](auto found) { return found < o_.samples; });
    if (short_of > 0)
      progress_.milestone(fmt::format("seed {}: {} of {} classes have fewer than {} scoring images: {} per class", seed, short_of,
                                      classes, o_.samples, fmt::join(sample.found_per_class, " ")));
    return sample.indices;
  }

  /// The scoring images, what the teacher says of them and, where a criterion reads them, their labels.
  [[nodiscard]] scoring_data<lnpt::cpu::array<float>> make_scoring_data(std::uint64_t seed, trained_network& teacher) {
    constexpr std::size_t batch = 100;
    auto const predict = engine_->open(teacher);
    auto const indices = draw_sample(seed, predict);
    scoring_data<lnpt::cpu::array<float>> scoring{.sample = around(data_.train).input,
                                                  .batches = lnpt::plain_batches(data_.train, std::span(indices), batch)};
    scoring.teacher_prediction.emplace();
    for (auto const& each : scoring.batches) scoring.teacher_prediction->push_back(predict(each.input));
    if (std::ranges::any_of(criteria_, [](auto const& c) { return c.reads().labels; }))
      scoring.labels = label_batches(data_.train, indices, batch);
    return scoring;
  }

  void run_seed(std::uint64_t seed) {
    auto teacher = make_teacher(seed);
    auto const scoring = make_scoring_data(seed, teacher);
    teacher_memory memory(teacher);
    for (auto const sparsity : sparsities_)
      for (auto const& criterion : criteria_)
        if (!results_.contains(criterion.text, sparsity, seed))
          run_student(seed, criterion, sparsity, lesson_of(teacher, memory), scoring);
  }

  /// What students learn from: the teacher, or labels.
  [[nodiscard]] lesson lesson_of(trained_network& teacher, teacher_memory& memory) const {
    if (o_.learn_from != learn_from_teacher) return {};
    return {.teacher = &teacher, .memory = &memory};
  }

  /// Scores, prunes and trains one student. All students of a seed start from the same weights.
  void run_student(std::uint64_t seed, criterion_spec const& criterion, double sparsity, lesson const& from,
                   scoring_data<lnpt::cpu::array<float>> const& scoring) {
    auto const who = fmt::format("seed {}: {} at {:g} %", seed, criterion.text, 100 * sparsity);
    progress_.doing(who + ", scoring");
    auto student = fresh_network(seed_for(seed, purpose::student_weights));
    auto const [masks, report] = engine_->prune(student, scoring,
                                                {.criterion = criterion,
                                                 .sparsity = sparsity,
                                                 .unreached = lnpt::unreached::keep_in_budget,
                                                 .seed = seed_for(seed, purpose::scoring)});
    if (auto const warning = collapse_warning(student, masks, scoring.sample); !warning.empty())
      progress_.milestone(fmt::format("{}: {}", who, warning));
    auto spec = o_.training;
    spec.options.seed = seed_for(seed, purpose::student_training);
    auto const state = engine_->train(student, data_, from, spec, {masks, {}, watcher(who, spec.options.epochs)});
    results_.add({criterion.text, sparsity, seed, state.last_accuracy, state.best_accuracy, report.emptied.size(), report.seconds,
                  report.emptied});
    progress_.milestone(
        fmt::format("{}: last {:.1f} %, best {:.1f} %", who, 100 * state.last_accuracy, 100 * state.best_accuracy));
  }

  compare_options const& o_;
  std::vector<criterion_spec> criteria_;
  std::vector<double> sparsities_;
  sample_kind sample_by_;
  architecture arch_;
  std::unique_ptr<training_engine> engine_;
  lnpt::io::data_set data_;
  comparison_results results_;
  progress progress_;
};

void describe(CLI::App& command, compare_options& o) {
  command.add_option("--data", o.images.data, std::string("Data set: ") + data_forms)->capture_default_str();
  command.add_option("--arch,--model", o.arch, std::string("Network of teacher and students: ") + architecture_forms)
      ->capture_default_str();
  command.add_flag("--keep-weights", o.keep_weights,
                   "Start from the weights of a .pt2 network instead of fresh ones from each seed");
  command.add_option("--features", o.features, features_flag_text);
  command.add_option("--teacher-epochs", o.teacher_epochs, "Epochs of the teacher, with labels")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--epochs", o.training.options.epochs, "Epochs of each student, without labels")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option("--criteria", o.criteria, "Criteria, each name[:key=value...]; the keys: " + std::string(criterion_keys))
      ->capture_default_str();
  command.add_option("--sparsities", o.sparsities, "Fractions of weights to remove, such as .9,.95,.98")->capture_default_str();
  command.add_option("--seeds", o.seeds, "How many seeds, from --seed on")->capture_default_str()->check(above_zero());
  command.add_option("--samples", o.samples, "Scoring images per class")->capture_default_str()->check(above_zero());
  command
      .add_option("--sample-by", o.sample_by,
                  "How scoring images are chosen: pseudo-label (the teacher's classes), label or random")
      ->capture_default_str();
  command.add_option("--learn-from", o.learn_from, "What pruned students learn from: teacher (no label is read) or labels")
      ->capture_default_str()
      ->check(CLI::IsMember({learn_from_teacher, "labels"}));
  command.add_option("--augment", o.augment, "Training images: crop+flip or none")
      ->capture_default_str()
      ->check(CLI::IsMember({augment_on, augment_off}));
  command.add_option("--out", o.out, "Folder of teachers and results; a run interrupted there continues")->required();
  o.images.describe_images(command);
  o.training.describe(command);
  o.engine.describe(command);
}

void run(compare_options const& typed_options) {
  auto o = typed_options;
  o.training.options.augment = o.augment == augment_on;
  comparison job(o);
  job.run();
  job.print();
}

}  // namespace

void add_compare(CLI::App& app) {
  add_command<compare_options>(
      app,
      {"compare", "Prune with several criteria, train each student without labels, and print the accuracies side by side",
       "A teacher is trained with labels, then for every seed, sparsity and criterion a student is pruned before training and\n"
       "learns from the teacher alone. All rows keep equal counts of weights. Results go to OUT/results.csv and\n"
       "OUT/results.json; run the same command again to continue after an interruption, or with more criteria or seeds.\n\n"
       "  lnpt compare --data synthetic --arch resnet:8:16,32,64 --out runs/first\n"
       "  lnpt compare --data cifar10:cifar-10-batches-bin --train-limit 12800 --test-limit 2000 --sparsities .95,.98 \\\n"
       "    --criteria feature_map_synaptic,feature_map_synaptic:rounds=10,snip,snip:loss=pseudo_label --out runs/cifar"},
      describe, run);
}

}  // namespace cli
