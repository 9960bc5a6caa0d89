// lnpt compare: the main job.
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/data_set.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/recalibrate.hpp>
#include <lnpt/structure/shrink.hpp>

#include "asked_recorder.hpp"
#include "command.hpp"
#include "comparison.hpp"
#include "course_recorder.hpp"
#include "data_digest.hpp"
#include "engine.hpp"
#include "engine_setting.hpp"
#include "figures.hpp"
#include "latency.hpp"
#include "loading.hpp"
#include "network_digest.hpp"
#include "output_files.hpp"
#include "progress.hpp"
#include "report_page.hpp"
#include "seed_masks.hpp"
#include "seeds.hpp"
#include "shrinking.hpp"
#include "typed_flags.hpp"

namespace cli {

namespace {

/// Students start at weights of their own, or at those of the teacher, as methods do that prune a trained network.
constexpr char const* start_trained = "teacher";

/// What is compared where nobody names criteria, beside `random`.
constexpr char const* criteria_of_fresh =
    "teacher_guided,feature_map_synaptic,feature_map_synaptic:rounds=10,snip,snip:loss=pseudo_label,grasp,synflow,magnitude";
/// The same of trained networks, which differ from their teacher in nothing that a loss of the two could see.
constexpr char const* criteria_of_trained = "snip:loss=pseudo_label,snip,taylor,synflow,magnitude";
/// What is no better than chance; of channels, whose sums say how many weights they have, by one number each.
constexpr char const* chance_of_weights = "random";
constexpr char const* chance_of_channels = "random:channel-score=first";

struct compare_options : common_options {
  std::string arch = "resnet:20:16,32,64";
  std::size_t teacher_epochs = 8;
  std::optional<std::string> criteria;  ///< else those of fresh or of trained networks
  std::string sparsities = "0.95";
  std::string budgets;  ///< such as flops:.5,.65: whole channels go; empty: single weights, --sparsities of them
  std::string start = start_fresh;
  std::size_t seeds = 3;
  std::size_t samples = 10;
  std::string sample_by = "pseudo-label";
  std::string learn_from = learn_from_teacher;
  std::string features;
  std::vector<std::string> teacher_regularisers;
  bool keep_weights = false;
  std::string out;
  std::string report;
  std::string diagnostics;
  data_options images{.data = "synthetic"};
  training_spec training{.options = {.epochs = 4}};
  engine_choice engine;
  typed_flags typed;
};

/// What the numbers of a seed are drawn for; each purpose has a stream of its own.
enum class purpose : std::uint64_t { teacher_weights, teacher_training, student_weights, student_training, sample, scoring };

std::uint64_t seed_for(std::uint64_t seed, purpose what) { return lnpt::random_bits(seed, static_cast<std::uint64_t>(what)); }

std::string default_criteria(compare_options const& o) {
  return fmt::format("{},{}", o.start == start_trained ? criteria_of_trained : criteria_of_fresh,
                     o.budgets.empty() ? chance_of_weights : chance_of_channels);
}

std::vector<pruning_method> parse_methods(compare_options const& o) {
  std::vector<pruning_method> methods;
  auto const list = o.criteria ? *o.criteria : default_criteria(o);
  for (auto const text : split(list, ',')) methods.push_back(parse_method(text));
  require_distinct("--criteria", methods, [](auto const& each) { return each.text; });
  return methods;
}

std::vector<double> parse_sparsities(std::string const& list) {
  auto const sparsities = parse_numbers<double>("sparsity", list);
  for (auto const s : sparsities)
    if (!(s >= 0 && s < 1)) refuse("a sparsity of ", s, " is outside [0, 1): pass fractions such as .9,.95");
  require_distinct("--sparsities", sparsities, shortest_text);
  return sparsities;
}

/// What `--budgets unit:fractions` asks for.
struct removal {
  removed_unit unit;  ///< none: single weights
  std::vector<double> fractions;
};

removal parse_removal(compare_options const& o) {
  if (o.budgets.empty()) return {std::nullopt, parse_sparsities(o.sparsities)};
  auto const colon = o.budgets.find(':');
  if (colon == std::string::npos)
    refuse("\"", o.budgets, "\" are no budgets: write a unit and what of it goes, such as flops:.5,.65");
  auto const unit = parse_choice("unit of a budget", budget_units, o.budgets.substr(0, colon));
  auto const fractions = parse_numbers<double>("budget", o.budgets.substr(colon + 1));
  for (auto const f : fractions)
    if (!(f > 0 && f < 1)) refuse("a budget of ", f, " is outside (0, 1): write what goes, such as flops:.5,.65");
  require_distinct("--budgets", fractions, shortest_text);
  return {unit, fractions};
}

/// What the answers of a seed's teacher may take in memory; beyond, it is asked again.
constexpr std::size_t most_remembered = std::size_t{1} << 30;

/// How long training takes, without what was noted on the way.
class stopwatch {
 public:
  /// Runs `f` off the clock.
  template <class F>
  void leave_out(F f) {
    auto const start = clock::now();
    f();
    start_ += clock::now() - start;
  }
  /// Seconds per epoch, without `others` of them; 0 of no epoch.
  [[nodiscard]] double per_epoch(std::size_t epochs, double others = 0) const {
    std::chrono::duration<double> const whole = clock::now() - start_;
    return epochs == 0 ? 0 : std::max(0.0, whole.count() - others) / static_cast<double>(epochs);
  }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point start_ = clock::now();
};

/// One run of the command.
class comparison {
 public:
  explicit comparison(compare_options const& o)
      : o_(o),
        methods_(parse_methods(o)),
        removal_(parse_removal(o)),
        sparsities_(removal_.fractions),
        asked_(parse_diagnostics(o.diagnostics)),
        sample_by_(parse_choice("way of sampling", sample_names, o.sample_by)),
        arch_(parse_architecture(o.arch, o.features)),
        engine_(open_training_engine(o.engine, o.threads)),
        data_(open_labelled_data(o.images, own_classes(arch_))),
        results_(o.out, settings()),
        progress_(work()) {
    if (o.keep_weights && !std::holds_alternative<exported_model>(arch_.form))
      refuse("--keep-weights keeps those of a .pt2 network, and ", o.arch, " has none: leave it out, or name one with --model");
    for (auto const& method : methods_) require_fit(method);
    for (auto const& text : o.teacher_regularisers) teacher_hooks_.push_back(parse_regulariser(text));
    require_distinct("--teacher-regulariser", teacher_hooks_, [](auto const& each) { return each.name; });
    constexpr std::string_view of_teachers[]{"--alpha", "--temperature"};
    if (o.learn_from == learn_from_labels)
      o.typed.refuse(of_teachers, " is of what a teacher says, and students learn --learn-from labels: leave it out");
  }

  void run() {
    if (students_left() > 0) rehearse();
    recall_teachers();
    results_.begin();
    if (auto const alone = results_.rows_alone(); alone > 0)
      progress_.milestone(
          fmt::format("results.json is missing, and with it the names of emptied layers, the course of training and what masks "
                      "share, of {} students: restore it, or take their lines out of results.csv to train them again",
                      alone));
    require_output({"--report", o_.report, file_kind::page}, {});  // which may lie in --out, now that this is there
    write_page();
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (students_left(seed) > 0) run_seed(seed);
    progress_.finish();
  }

  void print() const {
    // A mean over other seeds than those asked for would stand beside means over these.
    auto asked = results_.record();
    seed_range const seeds{o_.seed, o_.seeds};
    std::erase_if(asked.rows, [&](auto const& row) { return !seeds.contains(row.seed); });
    std::erase_if(asked.teachers, [&](auto const& each) { return !seeds.contains(each.first); });
    if (!o_.json) return print_comparison(asked, methods_, sparsities_);
    std::erase_if(asked.rows, [&](auto const& row) { return !is_asked(row); });
    fmt::print("{}\n", to_json(asked).dump(2));
  }

 private:
  /// Whether a row is of a criterion and a sparsity that were asked for: the folder may hold others.
  [[nodiscard]] bool is_asked(comparison_row const& row) const {
    auto const is_its = [&](auto const& method) { return method.text == row.criterion; };
    return std::ranges::any_of(methods_, is_its) && std::ranges::find(sparsities_, row.sparsity) != sparsities_.end();
  }

  /// Refuses a method that does not go with what is to be removed, and of what network.
  void require_fit(pruning_method const& method) const {
    if (method.criterion() && method.criterion()->scores_filters() && !removal_.unit)
      refuse(method.text,
             " scores whole filters, so that single weights would be chosen by place alone: prune whole channels, as "
             "with --budgets flops:.5, or leave the criterion out");
    if (method.criterion() && method.criterion()->per_channel && !removal_.unit)
      refuse(method.text, " has a channel score, and single weights are pruned: give --budgets, such as flops:.5");
    if (!method.search()) return;
    if (removal_.unit != lnpt::counted::flops) refuse(method.text, " removes multiply-adds: give --budgets, such as flops:.5");
    if (o_.start != start_trained)
      refuse(method.text, " judges shapes by what is still decided, and fresh weights decide nothing: give --start teacher");
  }

  /// What decides a row beside its criterion, sparsity and seed.
  [[nodiscard]] std::map<std::string, std::string> settings() const {
    auto all = o_.training.settings();
    note_images(all, o_.images, data_);
    if (removal_.unit) all[budget_setting] = std::string(spell(budget_units, *removal_.unit));
    if (o_.start != start_fresh) all[start_setting] = o_.start;
    note_network(all, o_.arch, o_.keep_weights ? network_part::weights_too : network_part::layers);
    if (o_.keep_weights) all["keep-weights"] = "1";
    if (o_.learn_from != learn_from_teacher) all[learn_from_setting] = o_.learn_from;
    if (!o_.features.empty()) all["features"] = o_.features;
    if (auto const precision = o_.engine.precision_name(); precision != first_precision) all[precision_setting] = precision;
    if (!o_.teacher_regularisers.empty())
      all[teacher_regulariser_setting] = fmt::format("{}", fmt::join(o_.teacher_regularisers, " + "));
    all["teacher-epochs"] = std::to_string(o_.teacher_epochs);
    all["samples"] = std::to_string(o_.samples);
    all[sample_setting] = std::string(spell(sample_names, sample_by_));
    all[engine_setting] = o_.engine.name;
    all[execution_setting] = o_.engine.execution_name();
    return all;
  }

  [[nodiscard]] std::size_t students_left(std::uint64_t seed) const {
    std::size_t left = 0;
    for (auto const sparsity : sparsities_)
      for (auto const& method : methods_) left += !results_.contains(method.text, sparsity, seed);
    return left;
  }

  [[nodiscard]] std::size_t students_left() const {
    std::size_t left = 0;
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed) left += students_left(seed);
    return left;
  }

  void write_page() const {
    if (o_.report.empty()) return;
    write_atomically(o_.report, report_page({results_.record()}, results_.record().rows.size() + students_left()));
  }

  /// Prunes a student by every criterion, in one round and on one image per class, so that what cannot be pruned as asked is refused before
  /// the teacher is trained. The teacher has other weights than the student, as after training, but where students start at its own.
  void rehearse() const {
    require_batch(o_.training, data_.train);
    auto teacher = make_fresh_network<trained_network>(arch_, around(data_.train), seed_for(o_.seed, purpose::teacher_weights));
    if (o_.start == start_trained) settle(teacher);
    auto student = o_.start == start_trained ? teacher : fresh_network(seed_for(o_.seed, purpose::student_weights));
    (void)training_hooks(teacher_hooks_, teacher, teachers_run());
    auto const labels = std::ranges::any_of(methods_, [](auto const& each) { return each.reads_labels(); });
    seed_masks const masks(*engine_, data_.train, {sample_kind::random, 1, labels}, removal_.unit, o_.seed, o_.seed, teacher);
    for (auto const& method : methods_)
      for (auto const sparsity : sparsities_) try {
          (void)masks.make(method.shortened(), sparsity, student);
        } catch (lnpt::error const& reason) {
          refuse(method.text, " at ", 100 * sparsity, " %: ", reason.what());
        }
  }

  /// Gives batch norm the statistics of some images, as training would: a deep network of fresh weights is else so sure of one class that no
  /// loss has a slope.
  void settle(trained_network& network) const {
    lnpt::batch_plan plan;
    for (std::size_t i = 0; i < std::min<std::size_t>(data_.train.size(), 32); ++i) plan.images.push_back(i);
    std::vector<lnpt::cpu::array<float>> const images{lnpt::gather_images<float>(data_.train, plan)};
    lnpt::recalibrate(network, std::span(images));
  }

  [[nodiscard]] std::size_t steps_per_epoch() const { return data_.train.size() / o_.training.options.batch; }
  /// What the hooks of a teacher's training go by.
  [[nodiscard]] hooked_run teachers_run(std::uint64_t seed = 0) const {
    return {around(data_.train).input, o_.teacher_epochs * steps_per_epoch(), false, seed};
  }

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
    auto const all = around(data_.train);
    return o_.keep_weights ? make_network<trained_network>(arch_, all, seed)
                           : make_fresh_network<trained_network>(arch_, all, seed);
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

  /// Takes from the files of teachers what results.json does not know of them, where no student is left to be trained.
  void recall_teachers() {
    for (auto seed = o_.seed; seed < o_.seed + o_.seeds; ++seed)
      if (!results_.knows_teacher(seed) && students_left(seed) == 0 && teacher_epochs_left(seed) == 0) (void)make_teacher(seed);
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
    training_hooks hooks(teacher_hooks_, teacher, teachers_run(spec.options.seed));
    stopwatch const watch;
    auto const from = at.state.epoch;
    auto const who = fmt::format("seed {}: teacher", seed);
    auto const state = about(who, [&] {
      return engine_->train(teacher, data_, {}, spec,
                            {at.masks, at.state, watcher(who, o_.teacher_epochs, save), hooks.empty() ? nullptr : &hooks});
    });
    results_.set_teacher(seed, state.last_accuracy, watch.per_epoch(state.epoch - from));
    return teacher;
  }

  [[nodiscard]] seed_masks draw_images(std::uint64_t seed, trained_network& teacher) {
    bool const labels = std::ranges::any_of(methods_, [](auto const& each) { return each.reads_labels(); });
    seed_masks masks(*engine_, data_.train, {sample_by_, o_.samples, labels}, removal_.unit, seed_for(seed, purpose::sample),
                     seed_for(seed, purpose::scoring), teacher);
    auto const& found = masks.found_per_class();
    if (auto const short_of = std::ranges::count_if(found, [&](auto n) { return n < o_.samples; }); short_of > 0)
      progress_.milestone(fmt::format("seed {}: {} of {} classes have fewer than {} scoring images: {} per class", seed, short_of,
                                      found.size(), o_.samples, fmt::join(found, " ")));
    return masks;
  }

  /// What the students of a seed have in common.
  struct seed_parts {
    trained_network& teacher;
    lesson from;  ///< what they learn from: the teacher, or labels
    seed_masks& masks;
    gap_probe const& probe;
  };

  void run_seed(std::uint64_t seed) {
    auto teacher = make_teacher(seed);
    auto masks = draw_images(seed, teacher);
    gap_probe const probe(*engine_, data_.test, teacher);
    teacher_answers const answers(lnpt::teacher{teacher}, most_remembered);
    seed_parts parts{teacher, {}, masks, probe};
    if (o_.learn_from == learn_from_teacher) parts.from = {.teacher = &teacher, .answers = &answers};
    for (auto const sparsity : sparsities_)
      for (auto const& method : methods_)
        if (!results_.contains(method.text, sparsity, seed)) run_student(seed, method, sparsity, parts);
    if (answers.seconds() > 0)
      progress_.milestone(
          fmt::format("seed {}: the teacher's answers took {:.1f} s, once for all students", seed, answers.seconds()));
  }

  /// What is known of a student's masks beside their report.
  [[nodiscard]] student_details details_of(std::uint64_t seed, pruning_method const& method, double sparsity,
                                           trained_network& student, lnpt::prune_result const& pruned, seed_masks& all) {
    student_details details{.emptied = pruned.report.emptied};
    std::vector<compared_layer> layers;
    for (auto const& layer : pruned.report.layers) {
      layers.push_back({layer.name, layer.total});
      details.kept.push_back(layer.kept);
    }
    results_.set_layers(std::move(layers));
    details.stability = all.stability(method, sparsity, student, pruned.masks);
    for (auto const& other : methods_)
      if (results_.contains(other.text, sparsity, seed))
        details.overlap[other.text] = all.overlap(other, sparsity, student, pruned.masks);
    all.keep(method, sparsity, pruned.masks);
    return details;
  }

  /// The trained student without its channels, which equals its masks, beside the network it came from.
  [[nodiscard]] compared_size size_of(trained_network& student, lnpt::mask_set const& masks, seed_masks const& all) const {
    auto const& batch = all.scoring().batches.front().input;
    auto const sample = all.scoring().sample;
    auto smaller = lnpt::shrink(student, masks, lnpt::rows(batch, 0, std::min<std::size_t>(32, lnpt::shape_of(batch).at(0))));
    auto const before = lnpt::count(student, sample);
    auto const after = lnpt::count(smaller.model, sample);
    return {after.size(),
            after.multiply_adds(),
            before.size(),
            before.multiply_adds(),
            least_milliseconds(engine_->open(smaller.model), sample, 1),
            least_milliseconds(engine_->open(student), sample, 1)};
  }

  /// Scores, prunes and trains one student. All students of a seed start from the same weights.
  void run_student(std::uint64_t seed, pruning_method const& method, double sparsity, seed_parts const& of) {
    auto const who = fmt::format("seed {}: {} at {:g} %", seed, method.text, 100 * sparsity);
    progress_.doing(who + ", scoring");
    auto student = o_.start == start_trained ? of.teacher : fresh_network(seed_for(seed, purpose::student_weights));
    auto const pruned = about(who, [&] { return of.masks.make(method, sparsity, student); });
    for (auto const& warning : pruned.report.warnings) progress_.milestone(fmt::format("{}: warning: {}", who, warning));
    if (auto const warning = collapse_warning(student, pruned.masks, of.masks.scoring().sample); !warning.empty())
      progress_.milestone(fmt::format("{}: {}", who, warning));
    auto details = details_of(seed, method, sparsity, student, pruned, of.masks);

    lnpt::apply(pruned.masks, student);
    course_recorder recorder(*engine_, of.probe, of.teacher, student);
    asked_recorder asked(asked_, of.masks.scoring().batches.front().input, of.teacher, student);
    auto spec = o_.training;
    spec.options.seed = seed_for(seed, purpose::student_training);
    stopwatch watch;
    auto const seconds_asked = [&] { return of.from.answers ? of.from.answers->seconds() : 0.0; };
    auto const asked_before = seconds_asked();
    auto const note = [&](lnpt::train_state const& at) { watch.leave_out([&] { recorder.note(at); }); };
    auto const state = about(who, [&] {
      return engine_->train(student, data_, of.from, spec, {pruned.masks, {}, watcher(who, spec.options.epochs, note)});
    });
    details.epoch_seconds = watch.per_epoch(state.epoch, seconds_asked() - asked_before);
    asked.note();
    details.course = recorder.course();
    details.asked = asked.found();
    if (removal_.unit) details.size = size_of(student, pruned.masks, of.masks);
    results_.add({method.text, sparsity, seed, state.last_accuracy, state.best_accuracy, pruned.report.emptied.size(),
                  pruned.report.seconds, std::move(details)});
    write_page();
    progress_.milestone(
        fmt::format("{}: last {:.1f} %, best {:.1f} %", who, 100 * state.last_accuracy, 100 * state.best_accuracy));
  }

  compare_options const& o_;
  std::vector<pruning_method> methods_;
  std::vector<hook_spec> teacher_hooks_;
  removal removal_;
  std::vector<double> const& sparsities_;
  diagnostic_choice asked_;
  sample_kind sample_by_;
  architecture arch_;
  std::unique_ptr<training_engine> engine_;
  lnpt::io::data_set data_;
  comparison_results results_;
  progress progress_;
};

void describe(CLI::App& command, compare_options& o) {
  o.typed = typed_flags(command);
  command.add_option("--data", o.images.data, std::string("Data set: ") + data_forms)->capture_default_str();
  command.add_option("--arch,--model", o.arch, std::string("Network of teacher and students: ") + architecture_forms)
      ->capture_default_str();
  command.add_flag("--keep-weights", o.keep_weights,
                   "Start from the weights of a .pt2 network instead of fresh ones from each seed");
  command.add_option("--features", o.features, features_flag_text);
  command.add_option("--teacher-epochs", o.teacher_epochs, "Epochs of the teacher, with labels")
      ->capture_default_str()
      ->check(above_zero());
  command.add_option(
      "--teacher-regulariser", o.teacher_regularisers,
      std::string("What is added to the teacher's loss, name:key=value,…; may be given several times: ") + regulariser_forms);
  command.add_option("--epochs", o.training.options.epochs, "Epochs of each student, without labels")
      ->capture_default_str()
      ->check(above_zero());
  command
      .add_option(
          "--criteria", o.criteria,
          fmt::format("Criteria, each name[:key=value...]; the keys: {}. With --budgets flops and --start teacher also the "
                      "search eagle_eye; its keys: {}. Of --start teacher they are else {},{}; with --budgets {} takes the "
                      "place of {}",
                      criterion_keys, search_keys, criteria_of_trained, chance_of_weights, chance_of_channels, chance_of_weights))
      ->default_str(default_criteria({}));
  auto* const sparsities = command.add_option("--sparsities", o.sparsities, "Fractions of weights to remove, such as .9,.95,.98")
                               ->capture_default_str();
  command
      .add_option("--budgets", o.budgets,
                  "Instead: whole channels go, with all that is coupled to them, and the smaller networks are counted and timed: "
                  "channels, parameters or flops and what of them goes, such as flops:.5,.65")
      ->excludes(sparsities);
  command
      .add_option("--start", o.start,
                  "Where students start: fresh (weights of their own) or teacher (its weights, as methods have it that prune a "
                  "trained network)")
      ->capture_default_str()
      ->check(CLI::IsMember({start_fresh, start_trained}));
  command.add_option("--seeds", o.seeds, "How many seeds, from --seed on")->capture_default_str()->check(above_zero());
  command.add_option("--samples", o.samples, "Scoring images per class")->capture_default_str()->check(above_zero());
  command
      .add_option("--sample-by", o.sample_by,
                  "How scoring images are chosen: pseudo-label (the teacher's classes), label or random")
      ->capture_default_str();
  command.add_option("--learn-from", o.learn_from, "What pruned students learn from: teacher (no label is read) or labels")
      ->capture_default_str()
      ->check(CLI::IsMember({learn_from_teacher, learn_from_labels}));
  o.training.describe_augmentation(command);
  command.add_option("--report", o.report, "A page of tables and figures for a browser, .html, written anew after every student");
  command.add_option(
      "--diagnostics", o.diagnostics,
      "What takes passes of its own, before and after each training: ntk (drift of the tangent kernel), linear (error of "
      "J d, the learning gap to first order) or both, ntk,linear");
  command.add_option("--out", o.out, "Folder of teachers and results; a run interrupted there continues")->required();
  o.images.describe_images(command);
  o.training.describe(command);
  o.engine.describe(command);
  o.engine.describe_execution(command);
}

void run(compare_options const& typed_options) {
  auto o = typed_options;
  require_seeds(o.seed, o.seeds);
  if (!o.report.empty() && !lnpt::io::has_ending(o.report, ".html"))
    refuse("--report is a page and ends in .html, not as \"", o.report, '"');
  o.training.options.execution = o.engine.how();
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
       "OUT/results.json; run the same command again to continue after an interruption, or with more criteria or seeds.\n"
       "--report makes a page of it, which can be looked at while the run goes on; lnpt report makes it again later.\n\n"
       "  lnpt compare --data synthetic --arch resnet:8:16,32,64 --out runs/first\n"
       "  lnpt compare --data cifar10:cifar-10-batches-bin --train-limit 12800 --test-limit 2000 --sparsities .95,.98 \\\n"
       "    --criteria feature_map_synaptic,feature_map_synaptic:rounds=10,snip,snip:loss=pseudo_label --out runs/cifar\n"
       "  lnpt compare --data cifar10:cifar-10-batches-bin --arch resnet:56:16,32,64:a --budgets flops:.5,.65 \\\n"
       "    --start teacher --criteria filter_norm,hrank,nisp,qsfm,bn_scale,snip --out runs/channels"},
      describe, run);
}

}  // namespace cli
