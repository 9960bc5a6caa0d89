// lnpt train: masked training, label-free under a teacher.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lnpt/io/checkpoint.hpp>
#include <lnpt/io/packed.hpp>

#include "batch_counters.hpp"
#include "command.hpp"
#include "engine.hpp"
#include "engine_setting.hpp"
#include "found_masks.hpp"
#include "loading.hpp"
#include "naming.hpp"
#include "network_digest.hpp"
#include "output_files.hpp"
#include "progress.hpp"
#include "typed_flags.hpp"
#include "written_state.hpp"

namespace cli {

namespace {

struct train_command_options : common_options {
  std::string arch, features;
  std::string teacher, teacher_prefix, teacher_arch, teacher_features, teacher_cache;
  std::string init, init_prefix, mask, resume, out, packed;
  std::string augment;      ///< empty: as the teacher cache says, else crop and flip
  std::size_t classes = 0;  ///< 0: as the networks or the labels say
  data_options images;
  naming names;
  std::string checkpoint;
  std::vector<std::string> regularisers;
  std::string dynamic;
  training_spec training;
  engine_choice engine;
  typed_flags typed;

  /// The file that the run is known by.
  [[nodiscard]] std::string const& written() const { return out.empty() ? packed : out; }
  [[nodiscard]] bool has_teacher() const { return !teacher.empty() || names_exported(teacher_arch); }
  [[nodiscard]] lnpt::io::state_dict_options init_names() const { return names.under(init_prefix); }
  [[nodiscard]] architecture student_network() const { return parse_architecture(arch, features); }
  [[nodiscard]] architecture teacher_network() const { return parse_teacher(arch, features, teacher_arch, teacher_features); }
};

std::string checkpoint_path(train_command_options const& o) {
  return o.checkpoint.empty() ? o.written() + ".checkpoint" : o.checkpoint;
}

/// Who guides: nobody, a network, or what one said.
struct guidance {
  std::optional<trained_network> teacher;
  std::optional<lnpt::io::teacher_cache> cache;
  std::string text = "labels";

  [[nodiscard]] lesson from() { return {.teacher = teacher ? &*teacher : nullptr, .cache = cache ? &*cache : nullptr}; }
};

/// The student's weights, where a file holds them.
std::optional<lnpt::io::safetensors::file> open_init(train_command_options const& o) {
  if (o.init.empty()) return std::nullopt;
  return lnpt::io::safetensors::open(o.init);
}

/// The teacher's weights, where a file other than that of its network holds them.
std::optional<lnpt::io::safetensors::file> open_teacher_weights(train_command_options const& o) {
  if (o.teacher.empty()) return std::nullopt;
  return open_weights(o.teacher, "--teacher", "--teacher-model");
}

/// What guides, and gives the data as many classes as the student, or else who guides it, tells apart.
guidance open_guidance(train_command_options const& o, lnpt::io::data_set& data) {
  guidance by;
  auto const own = own_classes(o.student_network(), open_init(o), o.init_names());
  if (o.has_teacher()) {
    auto const arch = o.teacher_network();
    auto const weights = open_teacher_weights(o);
    auto const names = o.names.under(o.teacher_prefix);
    auto const of_teacher = own_classes(arch, weights, names);
    set_classes(data, choose_classes(o.classes, own, {of_teacher}));
    auto around_teacher = around(data.train);
    if (of_teacher != 0) around_teacher.classes = of_teacher;
    by.teacher = make_network<trained_network>(arch, around_teacher, 0);
    if (weights) load_weights(*by.teacher, arch, *weights, names, teacher_naming_flags);
    by.text = fmt::format("teacher {:016x}", lnpt::fingerprint_of_state(*by.teacher));
  } else if (!o.teacher_cache.empty()) {
    by.cache = lnpt::io::open_teacher_cache(o.teacher_cache);
    auto const& about = by.cache->about();
    if (!about.pixels && about.data_set != data_kind(o.images.data))  // else their digest says more than their name
      refuse(o.teacher_cache, " is about ", about.data_set, " and not ", data_kind(o.images.data),
             ": train on the data it was made for");
    set_classes(data, choose_classes(o.classes, own, {by.cache->output_size()}));
    by.text = fmt::format("cache of {} in {} views, seed {}", about.teacher, about.views, about.seed);
  } else {
    set_classes(data, choose_classes(o.classes, own, {}));
  }
  return by;
}

/// The images, which have labels, for testing too, where no teacher guides.
lnpt::io::data_set open_training_data(train_command_options const& o) {
  auto data = open_data(o.images);
  if (o.has_teacher() || !o.teacher_cache.empty()) return data;
  require_training_labels(data, ", or learn from a --teacher");
  require_test_labels(data);
  return data;
}

/// What the student is held against after every epoch.
enum class yardstick { labels, teacher, nothing };

/// The classes that the teacher decides for on the test images; nothing where a cache does not say.
std::optional<std::vector<std::int64_t>> decisions_of(guidance& by, lnpt::io::data_set const& data,
                                                      training_engine const& engine) {
  if (by.teacher) return decide(engine.open(*by.teacher), data.test);
  auto const& asked = data.test.pixels;
  auto const are_those_of_training =
      data.test.size() <= data.train.size() && std::equal(asked.begin(), asked.end(), data.train.pixels.begin());
  if (by.cache->views() != 0 || !are_those_of_training || data.test.size() > by.cache->images()) return std::nullopt;
  std::vector<std::int64_t> decided;
  for (std::size_t i = 0; i < data.test.size(); ++i) {
    auto const logits = by.cache->entry(i).output;
    decided.push_back(std::ranges::max_element(logits) - logits.begin());
  }
  return decided;
}

/// Puts what the teacher decides in the place of labels that the test images do not have, or leaves out images that nothing is known of.
yardstick choose_yardstick(guidance& by, lnpt::io::data_set& data, training_engine const& engine, progress& along) {
  if (data.test.has_labels()) return yardstick::labels;
  auto decided = decisions_of(by, data, engine);
  along.milestone(
      fmt::format("{} holds no labels to test with: accuracy is not measured{}", data.name,
                  decided ? fmt::format("; how often the student decides as the teacher on {} images is", data.test.size())
                          : ", and the teacher cache does not say what the teacher decides on these images"));
  if (!decided) data.test.pixels.clear();
  data.test.labels = decided ? std::move(*decided) : std::vector<std::int64_t>();
  return decided ? yardstick::teacher : yardstick::nothing;
}

/// How good the student is, as progress and results say it.
std::string measured_text(yardstick by, double share) {
  if (by == yardstick::nothing) return "no accuracy";
  return fmt::format("{} {:.1f} %", by == yardstick::labels ? "accuracy" : "agreement with the teacher", 100 * share);
}

/// Whether images are augmented: as asked, and by default as the teacher cache was.
bool augments(train_command_options const& o, guidance const& by) {
  auto const stored = !by.cache || by.cache->views() != 0;
  auto const wanted = o.augment.empty() ? stored : o.augment == augment_on;
  if (by.cache && wanted && !stored)
    refuse(o.teacher_cache, " holds no augmented views: leave --augment out, or write it with --views 1 or more");
  if (by.cache && !wanted && stored)
    refuse(o.teacher_cache, " holds augmented views: leave --augment out, or write it with --views 0");
  return wanted;
}

/// The weights of --init and, where they are packed, the masks that come with them.
void load_init(train_command_options const& o, trained_network& student, lnpt::mask_set& masks) {
  auto const file = lnpt::io::safetensors::open(o.init);
  load_weights(student, o.student_network(), file, o.init_names(), "--init-prefix, --rename and --ignore-extra");
  if (!is_packed(file)) return;
  auto held = packed_masks(file);
  if (!masks.empty() && masks != held)
    refuse(o.init, " is packed under other masks than those of ", o.mask, ": leave --mask out, or name the same");
  masks = std::move(held);
}

/// The settings that a run must go on with: all of them on the engine that it was begun on. Its state is the same on every engine, so that
/// it may go on on another, which multiplies as that one does.
std::map<std::string, std::string> lasting_settings(std::map<std::string, std::string> all,
                                                    std::map<std::string, std::string> const& begun) {
  auto const engine = begun.find(engine_setting);
  if (all[engine_setting] == (engine == begun.end() ? first_engine : engine->second)) return all;
  for (auto const* const of_engine : {engine_setting, execution_setting, precision_setting}) all.erase(of_engine);
  return all;
}

/// The setting of a checkpoint that holds what the counters of batch norm were before the run.
constexpr char const* counters_setting = "num-batches-tracked";

/// The counters of --init or of a .pt2 network, before any training.
batch_counters counters_before(train_command_options const& o) {
  auto const network = o.student_network();
  if (!o.init.empty()) {
    batch_counters given(lnpt::io::safetensors::open(o.init), o.init_names());
    if (!given.empty()) return given;
  }
  auto const* const exported = std::get_if<exported_model>(&network.form);
  return exported == nullptr ? batch_counters() : batch_counters(*exported);
}

/// Refuses to write over a run that was interrupted, but by what goes on with it.
void require_no_run_lost(train_command_options const& o) {
  auto const path = checkpoint_path(o);
  if (are_one_file(path, o.resume) || !std::filesystem::exists(path) || std::filesystem::file_size(path) == 0) return;
  auto const file = lnpt::io::safetensors::open(path);
  auto const done = lnpt::io::checkpoint_epoch(file);
  auto const planned = lnpt::io::checkpoint_settings(file)["epochs"];
  if (planned.empty() || planned == std::to_string(done)) return;
  refuse(path, " holds a run that was interrupted after ", done, " of ", planned,
         " epochs and would be lost: go on with it by --resume ", path, ", or remove that file to start anew");
}

/// Refuses to go on for other epochs than were planned: the learning rate falls to 0 over all of them, so that each depends on their number.
void require_planned_epochs(train_command_options const& o, std::string const& planned, std::string const& asked) {
  if (planned.empty() || planned == asked) return;
  refuse(o.resume, " is of a run of ", planned, " epochs, over which its learning rate falls to 0, and not of ", asked,
         ": resume it with --epochs ", planned,
         ", and train longer by a run of its own, with the weights that it wrote as --init and the --mask of before");
}

/// Where the run starts: fresh, from given weights and masks, or where an earlier run stopped.
lnpt::io::checkpoint start(train_command_options const& o, trained_network& student,
                           std::map<std::string, std::string> settings) {
  lnpt::io::checkpoint at{.settings = std::move(settings)};
  if (!o.mask.empty()) at.masks = masks_of_file(student, o.mask, o.names);
  if (o.resume.empty()) {
    if (!o.init.empty()) load_init(o, student, at.masks);
    if (auto const counters = counters_before(o); !counters.empty()) at.settings[counters_setting] = counters.text();
    return at;
  }
  auto const file = lnpt::io::safetensors::open(o.resume);
  auto held = lnpt::io::checkpoint_settings(file);
  require_planned_epochs(o, held["epochs"], at.settings["epochs"]);
  auto const lasting = lasting_settings(at.settings, held);
  require_settings(file, lasting);
  auto resumed = lnpt::io::load_checkpoint(student, file);
  for (auto const& [name, value] : at.settings)
    if (!lasting.contains(name)) resumed.settings[name] = value;
  auto const masks_stay = o.dynamic.empty();
  if (!o.mask.empty() && masks_stay && resumed.masks != at.masks)
    refuse(o.resume, " was trained under other masks than those of ", o.mask, ": leave --mask out, or name the same");
  return resumed;
}

std::map<std::string, std::string> settings_of(train_command_options const& o, training_spec const& spec,
                                               lnpt::io::data_set const& data, guidance const& by) {
  auto all = spec.settings();
  note_network(all, o.arch);
  all["features"] = o.features;
  note_images(all, o.images, data);
  all["classes"] = std::to_string(data.train.classes);
  all["input"] = fmt::format("{},{},{}", data.train.channels, data.train.height, data.train.width);
  all["guide"] = by.text;
  all["seed"] = std::to_string(o.seed);
  all[regulariser_setting] = fmt::format("{}", fmt::join(o.regularisers, " + "));
  all[dynamic_setting] = o.dynamic;
  all[engine_setting] = o.engine.name;
  all[execution_setting] = o.engine.execution_name();
  all[precision_setting] = o.engine.precision_name();
  return all;
}

/// What a file of weights says of its network.
std::map<std::string, std::string> described(lnpt::io::checkpoint const& at) {
  std::map<std::string, std::string> about;
  for (auto const* const known : {"arch", "classes", "input"}) about[known] = at.settings.at(known);
  return about;
}

/// The run in a file of its own, then the weights as exactly a state dict, or as the program that the network was read from.
void save(train_command_options const& o, trained_network& student, lnpt::io::checkpoint const& at, std::size_t steps,
          written_names const& names) {
  auto const held = at.settings.find(counters_setting);
  auto const counters = batch_counters(held == at.settings.end() ? std::string() : held->second).after(at.state.epoch * steps);
  lnpt::io::save_checkpoint(checkpoint_path(o), student, at);
  if (!o.packed.empty())
    lnpt::io::save_packed(o.packed, student, at.state.masks.empty() ? at.masks : at.state.masks, described(at));
  if (o.out.empty()) return;
  if (names_exported(o.arch)) return save_program_of(o.arch, student, o.out, counters);
  lnpt::io::safetensors::writer writer;
  add_state<float>(writer, student, names);
  for (auto const& [name, count] : counters) writer.add(names(name), {}, std::vector<std::int64_t>{count});
  for (auto const& [key, value] : described(at)) writer.metadata(key, value);
  writer.save(o.out);
}

void describe(CLI::App& command, train_command_options& o) {
  o.typed = typed_flags(command);
  command.add_option("--arch,--model", o.arch, std::string("Network: ") + architecture_forms)->required();
  command.add_option("--data", o.images.data, std::string("Data set: ") + data_forms)->required();
  command
      .add_option("--classes", o.classes,
                  "Number of classes; default: as the network, its weights, the teacher or else the labels say")
      ->check(above_zero());
  command.add_option("--epochs", o.training.options.epochs, "Epochs, all in all")->capture_default_str()->check(above_zero());
  auto* const teacher =
      command.add_option("--teacher", o.teacher, "A teacher's state_dict: train on what it says; without one, train on labels");
  command.add_option("--teacher-prefix", o.teacher_prefix, "What its names begin with")->needs(teacher);
  command.add_option("--teacher-arch,--teacher-model", o.teacher_arch, "The teacher's network; default: as --arch");
  command.add_option("--features", o.features, features_flag_text);
  command.add_option("--teacher-features", o.teacher_features,
                     "The same of the teacher; default: as --features where it is the same network");
  command.add_option("--teacher-cache", o.teacher_cache, "What a teacher said, written by lnpt teach")->excludes(teacher);
  auto* const init = command.add_option("--init", o.init, "Weights to start from; default: fresh ones drawn from --seed");
  command.add_option("--init-prefix", o.init_prefix, "What their names begin with")->needs(init);
  command.add_option("--mask", o.mask,
                     "Masks to hold, from a file that lnpt prune --masks-out wrote; a packed --init brings its own");
  command.add_option("--augment", o.augment, "crop+flip or none; default: crop+flip, or as the teacher cache was made")
      ->check(CLI::IsMember({augment_on, augment_off}));
  command.add_option(
      "--regulariser", o.regularisers,
      std::string("What is added to the loss, name:key=value,…; may be given several times: ") + regulariser_forms);
  command.add_option("--dynamic", o.dynamic,
                     std::string("How the masks of --mask move during training, name:key=value,…: ") + dynamic_forms);
  command.add_option(
      "--resume", o.resume,
      "Go on from this checkpoint, the file of --checkpoint, whose weights take the place of --init; on another engine "
      "too, which rounds otherwise");
  command.add_option(
      "--out", o.out,
      "File for the weights, safetensors: exactly a state_dict, written after every epoch; of a .pt2 network also .pt2");
  command.add_option("--packed", o.packed,
                     "File for the kept weights alone, 5 bytes each, for devices; written after every epoch");
  command.add_option("--checkpoint", o.checkpoint,
                     "File for weights, masks, momentum and counters, written after every epoch; default: OUT.checkpoint, or "
                     "without --out PACKED.checkpoint");
  o.images.describe_images(command);
  o.names.describe(command);
  o.training.describe(command);
  o.engine.describe(command);
  o.engine.describe_execution(command);
}

/// What is to be said of masks and weights that two files hold; empty where the one file was made from the other.
std::string fit_text(train_command_options const& o, trained_network& student, lnpt::mask_set const& masks) {
  if (o.mask.empty() || (o.init.empty() && !names_exported(o.arch))) return {};
  auto const fit = fit_of(masks, student, o.mask, o.init.empty() ? o.arch : o.init);
  auto const warning = fit.warning();
  return warning.empty() ? fit.note() : "warning: " + warning;
}

/// Of weights that were pruned and are not held at 0; empty where there are none. Training alone leaves next to no weight exactly 0.
std::string regrowth_warning(trained_network& student, lnpt::mask_set const& masks) {
  if (!masks.empty()) return {};
  std::size_t zeros = 0;
  std::size_t all = 0;
  for (auto const& p : student.parameters())
    if (lnpt::is_prunable(p.role)) {
      zeros += static_cast<std::size_t>(std::ranges::count(lnpt::values_of(*p.value), 0.0f));
      all += p.value->size();
    }
  if (100 * zeros <= all) return {};
  return fmt::format("warning: {} of {} weights are exactly 0 and learn again: --mask holds them at 0", zeros, all);
}

/// How many numbers the network's feature map has for one of the images; 0 where it has none.
std::size_t feature_count(trained_network& network, lnpt::io::image_set const& images) {
  auto extents = around(images).input;
  extents.insert(extents.begin(), 1);
  auto const predicted = network.predict(lnpt::cpu::filled<float>(extents, 0));
  return predicted.features ? lnpt::size_of(*predicted.features) : 0;
}

/// Refuses a student whose feature map is not as wide as the teacher's where the two are compared.
void require_features_of_one_width(trained_network& student, guidance& by, training_spec const& spec,
                                   lnpt::io::image_set const& images) {
  if (spec.alpha == 0 || (!by.teacher && !by.cache)) return;
  auto const own = feature_count(student, images);
  auto const said = by.teacher ? feature_count(*by.teacher, images) : by.cache->feature_size();
  if (own != said)
    refuse("the student's feature map has ", own, " numbers and the teacher's ", said,
           ", so that --alpha cannot weigh their distance: give --alpha 0, to learn from the classes that the teacher predicts");
}

/// Refuses flags that are of a teacher where there is none.
void require_teacher_for_its_flags(train_command_options const& o) {
  constexpr std::string_view of_networks[]{"--teacher-arch", "--teacher-features"};
  constexpr std::string_view of_what_is_said[]{"--alpha", "--temperature"};
  if (!o.has_teacher()) o.typed.refuse(of_networks, " is of a teacher, and there is none: name its weights with --teacher");
  if (!o.has_teacher() && o.teacher_cache.empty())
    o.typed.refuse(of_what_is_said, " is of what a teacher says, and there is none: leave it out, or name one with --teacher");
}

/// How training ended.
void print_end(train_command_options const& o, lnpt::train_state const& state, yardstick measured_by) {
  if (o.json) {
    nlohmann::ordered_json all{{"epochs", state.epoch}};
    auto const* const what = measured_by == yardstick::labels ? "accuracy" : "agreement";
    if (measured_by != yardstick::nothing)
      all.update({{std::string("last_") + what, state.last_accuracy}, {std::string("best_") + what, state.best_accuracy}});
    all["last_loss"] = state.last_loss;
    return fmt::print("{}\n", all.dump(2));
  }
  auto const epochs = fmt::format("{} {}", state.epoch, state.epoch == 1 ? "epoch" : "epochs");
  if (measured_by == yardstick::nothing) return fmt::print("{}: loss {:.4f} after {}\n", o.written(), state.last_loss, epochs);
  fmt::print("{}: {} after {}, best {:.1f} %\n", o.written(), measured_text(measured_by, state.last_accuracy), epochs,
             100 * state.best_accuracy);
}

void run(train_command_options const& o) {
  if (o.written().empty())
    refuse("where to write is missing: name a file for the weights with --out, or for the kept ones alone with --packed");
  std::vector<named_file> read{{"--teacher", o.teacher},
                               {"--teacher-arch", o.teacher_arch},
                               {"--teacher-cache", o.teacher_cache},
                               {"--mask", o.mask},
                               {"--data", o.images.data}};
  if (names_exported(o.out) && !names_exported(o.arch))
    refuse(o.out, " is written from a .pt2 network: name one with --model, or write --out to .safetensors");
  require_output({"--out", o.out}, read);
  if (!names_exported(o.out)) require_output({"--out", o.out}, {{"--arch", o.arch}});
  read.insert(read.end(), {{"--arch", o.arch}, {"--init", o.init}});  // which --out may replace: weights are trained in place
  if (!o.resume.empty()) (void)lnpt::io::checkpoint_epoch(lnpt::io::safetensors::open(o.resume));  // a fault of it is its own
  require_output({"--checkpoint", checkpoint_path(o), file_kind::checkpoint}, read);
  require_no_run_lost(o);
  require_output({"--out", o.out}, {{"--checkpoint", o.checkpoint}, {"--resume", o.resume}, {"--packed", o.packed}});
  require_output({"--packed", o.packed}, read);
  require_output({"--packed", o.packed}, {{"--checkpoint", checkpoint_path(o)}, {"--resume", o.resume}});
  o.names.require_use({{o.init, o.init_prefix}, {o.teacher, o.teacher_prefix}, {o.mask, ""}});
  std::vector<hook_spec> specs;
  for (auto const& text : o.regularisers) specs.push_back(parse_regulariser(text));
  require_distinct("--regulariser", specs, [](auto const& each) { return each.name; });
  if (!o.dynamic.empty()) specs.push_back(parse_dynamic(o.dynamic));
  require_teacher_for_its_flags(o);
  auto const engine = open_training_engine(o.engine, o.threads);
  auto data = open_training_data(o);
  auto by = open_guidance(o, data);
  auto student = make_network<trained_network>(o.student_network(), around(data.train), o.seed);
  auto spec = o.training;
  spec.options.seed = o.seed;
  spec.options.execution = o.engine.how();
  if (spec.options.execution == lnpt::execution::sparse && !(o.regularisers.empty() && o.dynamic.empty()))
    refuse(o.dynamic.empty() ? "--regulariser" : "--dynamic",
           " reads all weights of a layer, and --execution sparse holds those that are kept: leave one of them out");
  spec.options.augment = augments(o, by);
  require_features_of_one_width(student, by, spec, data.train);
  auto at = start(o, student, settings_of(o, spec, data, by));
  auto const epochs = spec.options.epochs, steps = data.train.size() / spec.options.batch;
  auto hooks = training_hooks(specs, student, {around(data.train).input, epochs * steps, !at.masks.empty(), o.seed});
  progress along((epochs - std::min(at.state.epoch, epochs)) * steps);
  written_names const names(o.init, o.init_names());  // before --out takes the place of --init
  auto const measured_by = choose_yardstick(by, data, *engine, along);
  auto const on_step = [&](std::size_t epoch, std::size_t step, std::size_t) {
    if (step == 0) along.doing(fmt::format("epoch {} of {}", epoch + 1, epochs));
    along.advance();
  };
  auto const on_epoch = [&](lnpt::train_state const& state) {
    save(o, student, {state, at.masks, at.settings}, steps, names);
    along.milestone(fmt::format("epoch {} of {}: loss {:.4f}, {}{}", state.epoch, epochs, state.last_loss,
                                measured_text(measured_by, state.last_accuracy), hooks.text()));
  };
  if (!o.packed.empty() && at.masks.empty() && o.regularisers.empty())
    refuse("--packed writes kept weights, and there are no masks: name them with --mask, or a packed --init");
  if (auto const warning = collapse_warning(student, at.masks, around(data.train).input); !warning.empty())
    along.milestone(warning);
  if (auto const warning = regrowth_warning(student, at.masks); at.state.epoch == 0 && !warning.empty()) along.milestone(warning);
  if (auto const text = fit_text(o, student, at.masks); o.resume.empty() && !text.empty()) along.milestone(text);
  auto const from = std::exchange(at.state, {});
  auto const state =
      engine->train(student, data, by.from(), spec, {at.masks, from, {on_step, on_epoch}, hooks.empty() ? nullptr : &hooks});
  if (from.epoch >= epochs) save(o, student, {state, at.masks, at.settings}, steps, names);
  along.finish();
  print_end(o, state, measured_by);
}

}  // namespace

void add_train(CLI::App& app) {
  add_command<train_command_options>(
      app,
      {"train", "Train a network under masks, from a teacher's word or from labels",
       "With a teacher the loss is pseudo_label + alpha * feature_mse and no label is read but for the accuracy that is "
       "printed.\n\n"
       "  lnpt train --arch resnet:20:16,32,64 --data cifar10:cifar-10-batches-bin --epochs 8 --out teacher.safetensors\n"
       "  lnpt train --arch resnet:20:16,32,64 --data cifar10:cifar-10-batches-bin --epochs 4 --teacher teacher.safetensors \\\n"
       "    --init pruned.safetensors --mask masks.safetensors --out student.safetensors\n"
       "  lnpt train --arch vgg:11 --data cifar10:cifar-10-batches-bin --epochs 60 --lr 1e-3 --init trained.safetensors --out "
       "ready.safetensors \\\n"
       "    --regulariser tpp:pruned=0.5,every=1,step=1e-3\n"
       "  lnpt train --arch vgg:11 --data cifar10:cifar-10-batches-bin --mask masks.safetensors --dynamic rigl:every=100 --out "
       "rigged.safetensors\n"
       "  (interrupted: the same command with --resume student.safetensors.checkpoint)"},
      describe, run);
}

}  // namespace cli
