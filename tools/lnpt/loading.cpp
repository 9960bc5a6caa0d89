#include "loading.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/io/network_description.hpp>
#include <lnpt/train/sampling.hpp>

#include "packed_weights.hpp"

namespace cli {

CLI::Option* scoring_options::describe(CLI::App& command) {
  typed = typed_flags(command);
  auto* const network = command.add_option("--arch,--model", arch, std::string("Network: ") + architecture_forms);
  command.add_option("--classes", classes, classes_flag_text)->check(above_zero());
  auto* const given =
      command.add_option("--weights", weights, "The network's state_dict, safetensors; default: fresh weights drawn from --seed");
  command
      .add_option("--weights-prefix", weights_prefix,
                  "What its names begin with, such as \"student.\"; files that are written name tensors without it")
      ->needs(given);
  auto* const guide = command.add_option("--teacher", teacher, "A teacher's state_dict, for losses that compare with one");
  command.add_option("--teacher-prefix", teacher_prefix, "What its names begin with, such as \"teacher.\"")->needs(guide);
  command.add_option("--teacher-arch,--teacher-model", teacher_arch, "The teacher's network; default: as --arch");
  command.add_option("--features", features, features_flag_text);
  command.add_option("--teacher-features", teacher_features,
                     "The same of the teacher; default: as --features where it is the same network");
  auto* const scored_on = command.add_option("--data", images.data, std::string("What to score on: ") + data_forms + batch_forms);
  command.add_option("--samples", samples, "How many training images to score on, drawn by --seed")
      ->capture_default_str()
      ->check(above_zero());
  images.describe_images(command);
  for (auto const* const of_images : {"--samples", "--train-limit", "--test-limit", "--mean", "--std"})
    command.get_option(of_images)->needs(scored_on);
  names.describe(command);
  command.add_option("--input", input,
                     "Shape of one input for criteria that read no data; default: the network's own, else 3,32,32");
  command.add_option(
      "--criterion", criterion,
      "teacher_guided (default), feature_map_synaptic (or lnpt), snip, grasp, synflow, taylor, movement, obd, fisher, "
      "filter_norm, bn_scale, hrank, nisp, qsfm, magnitude or random");
  command.add_option(
      "--curvature", curvature,
      "Of feature_map_synaptic and obd: gauss_newton, gauss_newton_exact, hessian_diagonal or, of the first, hessian_gradient");
  command.add_option("--probes", probes, "Random probes of gauss_newton");
  command.add_option("--loss", loss,
                     "cross_entropy, pseudo_label, distillation, feature_gap, feature_mse or total (pseudo_label + feature_mse); "
                     "default: the criterion's own");
  command.add_option("--temperature", temperature, "The loss's temperature; default: the criterion's or the loss's own");
  command.add_option("--batch-norm", batch_norm, "Batch norm while scoring: train, frozen or eval; default: the criterion's own");
  command.add_option("--rounds", rounds, "Score, prune and score again so many times; default: 100 for synflow, else 1");
  command.add_option("--schedule", schedule,
                     "How density falls over the rounds: one_shot, linear, exponential (default) or cubic");
  command.add_option(
      "--layer-floor", layer_floor,
      "What each layer keeps whatever its scores, of its even part; default: .02 for teacher_guided, which leaves a layer "
      "that no shortcut leads around .7 of an equal part, else 0");
  command.add_option("--channel-score", channel_score,
                     "How a channel, with all that goes with it, is scored by its weights: sum (default), mean, max, l2, first "
                     "(that of its first weight, for random) or normalized (the mean in units of each layer's own)");
  command.add_option("--sparsity", sparsity, "Fraction of the weights to remove")->check(fraction());
  engine.describe(command);
  return network;
}

void scoring_options::note_unread(criterion_spec const& by, bool runs) const {
  if (by.data_free() && !images.data.empty() && !runs)
    fmt::print(stderr, "lnpt: {} reads no data: of {} only the shape of an input counts\n", by.text, images.data);
  if (!by.reads().teacher && (!teacher.empty() || names_exported(teacher_arch)))
    fmt::print(stderr, "lnpt: {} compares with no teacher: {} is not read\n", by.text, teacher.empty() ? teacher_arch : teacher);
}

criterion_spec scoring_options::asked_criterion() const {
  auto spec = parse_criterion(criterion.empty() ? "teacher_guided" : criterion);
  auto const set = [&](char const* key, std::string const& value) { set_by_flag(spec, key, value); };
  set("curvature", curvature);
  set("probes", probes);
  set("loss", loss);
  set("temperature", temperature);
  set("batch-norm", batch_norm);
  set("rounds", rounds);
  set("schedule", schedule);
  set("layer-floor", layer_floor);
  set("channel-score", channel_score);
  check(spec);
  require_use_of_schedule(spec);
  return spec;
}

namespace {

/// The height of the classifier in a file of weights; 0 where it has none that we know.
std::size_t classes_in(lnpt::io::safetensors::file const& file, lnpt::io::state_dict_options const& names) {
  lnpt::io::tensor_names const known(file, names);
  for (auto const* const name : {"fc.weight", "classifier.weight", "linear.weight"}) {
    auto const* const stored = known.find(name);
    if (auto const extents = stored_shape(file, stored ? *stored : names.prefix + name); extents && extents->size() == 2)
      return extents->front();
  }
  return 0;
}

/// As many as a network of that description has outputs.
std::size_t classes_of(described_network const& described) {
  auto const [network, input] = lnpt::io::build_network<lnpt::cpu::backend<float>>(described.parsed());
  auto extents = input;
  extents.insert(extents.begin(), 1);
  return lnpt::size_of(network.predict(lnpt::cpu::filled<float>(extents, 0)).output);
}

}  // namespace

std::size_t own_classes(architecture const& arch, std::optional<lnpt::io::safetensors::file> const& weights,
                        lnpt::io::state_dict_options const& names) {
  if (auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form)) return sizes->back();
  if (auto const* const exported = std::get_if<exported_model>(&arch.form)) return exported_shape_of(exported->path).classes;
  if (auto const* const described = std::get_if<described_network>(&arch.form)) return classes_of(*described);
  return weights ? classes_in(*weights, names) : 0;
}

std::size_t choose_classes(std::size_t asked, std::size_t own, std::initializer_list<std::size_t> others) {
  if (asked != 0 && own != 0 && asked != own)
    refuse("--classes says ", asked, ", and the network tells ", own, " classes apart: leave --classes out");
  if (asked != 0) return asked;
  if (own != 0) return own;
  auto const* const known = std::ranges::find_if(others, [](std::size_t n) { return n != 0; });
  return known == others.end() ? 0 : *known;
}

template <class T>
void read_batches(lnpt::io::safetensors::file const& file, scoring_data<lnpt::cpu::array<T>>& data, std::size_t size,
                  bool with_labels) {
  auto extents = file.info("input").shape;
  if (extents.size() < 2 || extents.size() > 4)
    lnpt::fail(file.name(), ": input has shape ", lnpt::list(extents),
               ": give it [samples, channels, height, width], [samples, channels, length] or [samples, features]");
  if (extents.size() == 3) extents.insert(extents.begin() + 2, 1);  // a line is an image of height 1
  data.sample.assign(extents.begin() + 1, extents.end());
  auto const values = file.read<T>("input");
  auto const samples = extents[0], width = lnpt::element_count(data.sample);
  std::vector<std::int64_t> labels;
  if (with_labels && file.contains("labels")) {
    labels = file.read<std::int64_t>("labels");
    if (labels.size() != samples)
      lnpt::fail(file.name(), " holds ", labels.size(), " labels for ", samples, " samples; give one for each");
    data.labels.emplace();
  }
  for (std::size_t begin = 0; begin < samples; begin += extents[0]) {
    extents[0] = std::min(size, samples - begin);
    auto const part = std::span(values).subspan(begin * width, extents[0] * width);
    data.batches.push_back({lnpt::tensor_traits<lnpt::cpu::array<T>>::make(extents, part)});
    if (data.labels)
      data.labels->emplace_back(labels.begin() + static_cast<std::ptrdiff_t>(begin),
                                labels.begin() + static_cast<std::ptrdiff_t>(begin + extents[0]));
  }
}
template void read_batches(lnpt::io::safetensors::file const&, scoring_data<lnpt::cpu::array<float>>&, std::size_t, bool);
template void read_batches(lnpt::io::safetensors::file const&, scoring_data<lnpt::cpu::array<double>>&, std::size_t, bool);

template <class T>
void check_channels(cpu_network<T>& network, lnpt::shape const& sample, std::string const& data,
                    lnpt::io::safetensors::file const& weights, lnpt::io::state_dict_options const& names) {
  auto const first = *network.parameters().begin();
  auto const known = lnpt::io::tensor_names(weights, names);
  auto const* const stored = known.find(first.name);
  auto const found = stored_shape(weights, stored ? *stored : first.name);
  if (!found || sample.size() != 3) return;
  auto const& extents = *found;
  if (extents.size() != 4 || extents[1] == sample[0]) return;
  lnpt::fail(data.empty() ? "--input" : data, ": a sample of shape ", lnpt::list(sample), " has ", sample[0],
             " channels, but the first layer of ", weights.name(), " reads ", extents[1],
             sample[2] == extents[1] ? ": this is [height, width, channels]; give [channels, height, width]"
                                     : ": give [channels, height, width] with as many channels");
}
template void check_channels(cpu_network<float>&, lnpt::shape const&, std::string const&, lnpt::io::safetensors::file const&,
                             lnpt::io::state_dict_options const&);
template void check_channels(cpu_network<double>&, lnpt::shape const&, std::string const&, lnpt::io::safetensors::file const&,
                             lnpt::io::state_dict_options const&);

namespace {

/// Fresh weights as single precision holds them, so that a double network and a file of them are the same.
template <class T>
void round_to_float(cpu_network<T>& network) {
  for (auto const& p : network.parameters())
    for (auto& value : lnpt::tensor_traits<lnpt::cpu::array<T>>::view(*p.value))
      value = static_cast<T>(static_cast<float>(value));
}

/// Some training images of a data set, normalised, in batches; returns its number of classes. Labels, where they are read, are of so many
/// classes, or of any where these are 0.
template <class T>
std::size_t draw_batches(scoring_options const& o, scoring_data<lnpt::cpu::array<T>>& data, bool labels, std::size_t classes) {
  constexpr std::size_t batch = 100;
  auto const images = open_data(o.images).train;
  if (labels && classes != 0) require_labels_below(classes, images.labels, o.images.data);
  auto const drawn = lnpt::sample_at_random(images.size(), o.samples, o.seed).indices;
  data.sample = around(images).input;
  data.batches = lnpt::plain_batches<T>(images, std::span(drawn), batch);
  if (labels && images.has_labels()) data.labels = label_batches(images, drawn, batch);
  return images.classes;
}

/// The classes that the teacher tells apart, where one is asked and by its own account.
std::size_t classes_of_teacher(scoring_options const& o, criterion_spec const& criterion) {
  if (!criterion.reads().teacher) return 0;
  std::optional<lnpt::io::safetensors::file> weights;
  if (!o.teacher.empty()) weights = open_weights(o.teacher, "--teacher", "--teacher-model");
  return own_classes(o.teacher_network(), weights, o.teacher_names());
}

/// A teacher may know other classes than its student where only features are compared.
template <class T>
void ask_teacher(scoring_options const& o, criterion_spec const& criterion, surroundings around, scoring_engine<T> const& engine,
                 scoring_data<lnpt::cpu::array<T>>& data) {
  auto const arch = o.teacher_network();
  std::optional<lnpt::io::safetensors::file> weights;
  if (!o.teacher.empty()) weights = open_weights(o.teacher, "--teacher", "--teacher-model");
  auto const classes = own_classes(arch, weights, o.teacher_names());
  if (classes != 0 && classes != around.classes && criterion.compares_classes())
    refuse("the teacher ", weights ? o.teacher : o.teacher_arch, " knows ", classes, " classes and the student ", around.classes,
           ", and ", criterion.text, " compares classes: choose a loss that compares features, feature_gap or feature_mse");
  if (classes != 0) around.classes = classes;
  auto network = make_network<cpu_network<T>>(arch, around, 0);
  if (weights) load_weights(network, arch, *weights, o.teacher_names(), teacher_naming_flags);
  auto const predict = engine.open(network);
  data.teacher_fingerprint = lnpt::fingerprint_of(network);
  data.teacher_prediction.emplace();
  for (auto const& batch : data.batches) data.teacher_prediction->push_back(predict(batch.input));
}

/// Refuses labels of classes that the network does not tell apart.
template <class T>
void require_labels_of(scoring_data<lnpt::cpu::array<T>> const& data, std::size_t classes, std::string const& name) {
  if (!data.labels) return;
  std::size_t first = 0;
  for (auto const& batch : *data.labels) {
    require_labels_below(classes, batch, name, first);
    first += batch.size();
  }
}

/// Whether a sample is an image with its channels last, by extents that no [channels, height, width] is likely to have.
bool is_channels_last(lnpt::shape const& sample) {
  constexpr std::size_t most_channels = 4;
  if (sample.size() != 3 || sample[0] <= most_channels || sample[1] <= most_channels) return false;
  return sample[2] == 3 || (sample[0] == sample[1] && (sample[2] == 1 || sample[2] == most_channels));
}

/// Refuses a shape that was typed and is not that of the samples, and images whose channels come last where no weights say how many
/// channels there are.
void check_sample(scoring_options const& o, lnpt::shape const& sample, architecture const& arch, bool has_weights) {
  if (!o.input.empty() && parse_numbers<std::size_t>("input extent", o.input) != sample)
    refuse("--input says ", o.input, ", but ", o.images.data.empty() ? "inputs of " + o.arch : "the samples of " + o.images.data,
           " have the shape ", lnpt::list(sample), ": leave --input out");
  auto const takes_any_channels = std::holds_alternative<lnpt::zoo::vgg_options>(arch.form) ||
                                  std::holds_alternative<lnpt::zoo::resnet_options>(arch.form) ||
                                  std::holds_alternative<lnpt::zoo::mobilenet_options>(arch.form);
  if (takes_any_channels && !has_weights && is_channels_last(sample))
    refuse(o.images.data.empty() ? "--input" : o.images.data, ": a sample of shape ", lnpt::list(sample),
           " would be an image of ", sample[0], " channels: this is [height, width, channels]; give [channels, height, width]");
}

}  // namespace

template <class T>
scoring_case<T> load_case(scoring_options const& o, criterion_spec const& criterion, scoring_engine<T> const& engine) {
  auto const arch = o.student_network();
  o.names.require_use({{o.weights, o.weights_prefix}, {o.teacher, o.teacher_prefix}});
  std::optional<lnpt::io::safetensors::file> weights;
  if (!o.weights.empty()) weights = open_weights(o.weights, "--weights", "--model");

  auto const reads = criterion.reads();
  auto const has_teacher = !o.teacher.empty() || names_exported(o.teacher_arch);
  if (o.criterion.empty() && (o.images.data.empty() || !has_teacher))
    refuse("where no --criterion is named, ", criterion.text,
           " scores on --data with a --teacher: give both, or name a criterion that needs less, such as snip (data with labels), "
           "synflow or magnitude");
  if (o.images.data.empty() && !criterion.data_free())
    refuse(criterion.text, " scores on data: name a data set or a file with --data");
  if (reads.teacher && !has_teacher)
    refuse(criterion.text,
           " compares with a teacher and there is none: name its weights with --teacher, or --teacher-model net.pt2");
  scoring_data<lnpt::cpu::array<T>> data;
  auto const of_teacher = classes_of_teacher(o, criterion);
  auto classes =
      choose_classes(o.classes, own_classes(arch, weights, o.weights_names()), {criterion.compares_classes() ? of_teacher : 0});
  if (names_batch_file(o.images)) {
    constexpr std::string_view of_images[]{"--samples"};
    o.typed.refuse(of_images, " is for images, and all that " + o.images.data + " holds is scored on: leave it out");
    read_batches(lnpt::io::safetensors::open(o.images.data), data, lnpt::io::data_set_options::all, reads.labels);
  } else if (!o.images.data.empty()) {
    auto const known = draw_batches<T>(o, data, reads.labels, classes);
    if (classes == 0) classes = known;
  } else if (auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form))
    data.sample = {sizes->front()};
  else if (auto const* const exported = std::get_if<exported_model>(&arch.form))
    data.sample = exported_shape_of(exported->path).input;
  else if (auto const* const described = std::get_if<described_network>(&arch.form))
    data.sample = described->input();
  else
    data.sample = o.input.empty() ? lnpt::shape{3, 32, 32} : parse_numbers<std::size_t>("input extent", o.input);
  check_sample(o, data.sample, arch, weights.has_value());

  surroundings const around{data.sample, choose_classes(classes, 0, {of_teacher, classes_unless_said})};
  require_labels_of(data, around.classes, o.images.data);
  if (reads.teacher) ask_teacher<T>(o, criterion, around, engine, data);
  scoring_case<T> result{make_network<cpu_network<T>>(arch, around, o.seed), std::move(data)};
  if (weights) {
    if (!std::holds_alternative<exported_model>(arch.form))  // whose channels its file has said
      check_channels(result.student, around.input, o.images.data, *weights, o.weights_names());
    load_weights(result.student, arch, *weights, o.weights_names());
  } else if (!std::holds_alternative<exported_model>(arch.form)) {
    round_to_float(result.student);
  }
  return result;
}

trained_network open_network(network_source const& from, naming const& names, std::string const& data, surroundings around) {
  auto const arch = parse_architecture(from.arch);
  std::optional<lnpt::io::safetensors::file> weights;
  if (!from.weights.empty()) weights = open_weights(from.weights, from.weights_flag, from.arch_flag);
  if (!weights && !names_exported(from.arch))
    refuse("the weights of ", from.arch, " are missing: name them with ", from.weights_flag);
  auto const own = own_classes(arch, weights, names.under(from.prefix));
  around.classes = choose_classes(from.classes, own, {around.classes});
  auto network = make_network<trained_network>(arch, around, 0);
  if (!weights) return network;
  if (!std::holds_alternative<exported_model>(arch.form))
    check_channels(network, around.input, data, *weights, names.under(from.prefix));
  load_weights(network, arch, *weights, names.under(from.prefix), from.naming);
  return network;
}

std::string scoring_options::weights_used() const {
  if (!weights.empty()) return weights;
  return names_exported(arch) ? "those of " + arch : fmt::format("fresh, drawn from seed {} (no --weights)", seed);
}

template scoring_case<float> load_case(scoring_options const&, criterion_spec const&, scoring_engine<float> const&);
template scoring_case<double> load_case(scoring_options const&, criterion_spec const&, scoring_engine<double> const&);

}  // namespace cli
