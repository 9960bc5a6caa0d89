#include "loading.hpp"

namespace cli {

void scoring_options::describe(CLI::App& command) {
  command.add_option("--arch,--model", arch, std::string("Network: ") + architecture_forms)->required();
  command.add_option("--classes", classes, "Number of classes; default: as the weights or the architecture say, else 10")
      ->check(CLI::PositiveNumber);
  command.add_option("--weights", weights, "The network's state_dict, safetensors; default: fresh weights drawn from --seed");
  command.add_option("--weights-prefix", weights_prefix, "What its names begin with, such as \"student.\"");
  command.add_option("--teacher", teacher, "A teacher's state_dict, for losses that compare with one");
  command.add_option("--teacher-prefix", teacher_prefix, "What its names begin with, such as \"teacher.\"");
  command.add_option("--teacher-arch,--teacher-model", teacher_arch, "The teacher's network; default: as --arch");
  command.add_option(
      "--data", data,
      "Scoring batch: a safetensors file with input [B,C,H,W] or [B,F] and, for losses that read them, labels [B]");
  command.add_option("--input", input, "Shape of one input for criteria that read no data")->capture_default_str();
  command.add_option("--criterion", criterion, "feature_map_synaptic, snip, grasp, synflow, taylor, obd, magnitude or random")
      ->capture_default_str();
  command.add_option(
      "--curvature", curvature,
      "Of feature_map_synaptic and obd: gauss_newton, gauss_newton_exact, hessian_diagonal or, of the first, hessian_gradient");
  command.add_option("--probes", probes, "Random probes of gauss_newton");
  command.add_option("--loss", loss,
                     "cross_entropy, pseudo_label, distillation, feature_gap or feature_mse; default: the criterion's own");
  command.add_option("--temperature", temperature, "The loss's temperature; default: the criterion's or the loss's own");
  command.add_option("--batch-norm", batch_norm, "Batch norm while scoring: train, frozen or eval; default: the criterion's own");
  command.add_option("--rounds", rounds, "Score, prune and score again so many times; default: 100 for synflow, else 1");
  command.add_option("--schedule", schedule,
                     "How density falls over the rounds: one_shot, linear, exponential (default) or cubic");
  command.add_option("--sparsity", sparsity, "Fraction of the weights to remove")->check(CLI::Range(0.0, 1.0));
  command.add_option("--precision", precision, "float or double")->capture_default_str();
  engine.describe(command);
}

criterion_spec scoring_options::asked_criterion() const {
  auto spec = parse_criterion(criterion);
  auto const set = [&](char const* key, std::string const& value) {
    if (!value.empty()) set_option(spec, key, value);
  };
  set("curvature", curvature);
  set("probes", probes);
  set("loss", loss);
  set("temperature", temperature);
  set("batch-norm", batch_norm);
  set("rounds", rounds);
  set("schedule", schedule);
  check(spec);
  return spec;
}

std::size_t classes_in(lnpt::io::safetensors::file const& file, std::string const& prefix) {
  for (auto const* const name : {"fc.weight", "classifier.weight", "linear.weight"})
    if (file.contains(prefix + name) && file.info(prefix + name).shape.size() == 2) return file.info(prefix + name).shape[0];
  return 0;
}

namespace {

std::size_t classes_of(scoring_options const& o, architecture const& arch,
                       std::optional<lnpt::io::safetensors::file> const& weights) {
  if (o.classes != 0) return o.classes;
  if (auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form)) return sizes->back();
  if (auto const* const exported = std::get_if<exported_model>(&arch.form)) return exported_shape_of(exported->path).classes;
  auto const found = weights ? classes_in(*weights, o.weights_prefix) : 0;
  return found != 0 ? found : 10;
}

/// Fresh weights as single precision holds them, so that a double network and a file of them are the same.
template <class T>
void round_to_float(cpu_network<T>& network) {
  for (auto const& p : network.parameters())
    for (auto& value : lnpt::tensor_traits<lnpt::cpu::array<T>>::view(*p.value))
      value = static_cast<T>(static_cast<float>(value));
}

template <class T>
void read_batch(lnpt::io::safetensors::file const& file, scoring_data<lnpt::cpu::array<T>>& data, bool labels) {
  auto const& extents = file.info("input").shape;
  if (extents.size() != 2 && extents.size() != 4)
    lnpt::fail(file.name(), ": input has shape ", lnpt::list(extents),
               ": give it [samples, channels, height, width] or [samples, features]");
  data.sample.assign(extents.begin() + 1, extents.end());
  data.batches.push_back({lnpt::tensor_traits<lnpt::cpu::array<T>>::make(extents, file.read<T>("input"))});
  if (labels && file.contains("labels")) data.labels = {{file.read<std::int64_t>("labels")}};
}

template <class T>
void ask_teacher(scoring_options const& o, surroundings const& around, scoring_engine<T> const& engine,
                 scoring_data<lnpt::cpu::array<T>>& data) {
  auto const arch = parse_architecture(o.teacher_arch.empty() ? o.arch : o.teacher_arch);
  auto network = make_network<cpu_network<T>>(arch, around, 0);
  if (!o.teacher.empty()) lnpt::io::load_state_dict(network, o.teacher, o.teacher_prefix);
  auto const predict = engine.open(network);
  data.teacher_prediction.emplace();
  for (auto const& batch : data.batches) data.teacher_prediction->push_back(predict(batch.input));
}

}  // namespace

template <class T>
scoring_case<T> load_case(scoring_options const& o, criterion_spec const& criterion, scoring_engine<T> const& engine) {
  auto const arch = parse_architecture(o.arch);
  std::optional<lnpt::io::safetensors::file> weights;
  if (!o.weights.empty()) weights = lnpt::io::safetensors::open(o.weights);

  auto const reads = criterion.reads();
  if (o.data.empty() && !criterion.data_free()) refuse(criterion.text, " scores on data: name a file with --data");
  if (o.teacher.empty() && !names_exported(o.teacher_arch) && reads.teacher)
    refuse(criterion.text,
           " compares with a teacher and there is none: name its weights with --teacher, or --teacher-model net.pt2");
  scoring_data<lnpt::cpu::array<T>> data;
  if (!o.data.empty())
    read_batch<T>(lnpt::io::safetensors::open(o.data), data, reads.labels);
  else if (auto const* const sizes = std::get_if<std::vector<std::size_t>>(&arch.form))
    data.sample = {sizes->front()};
  else if (auto const* const exported = std::get_if<exported_model>(&arch.form))
    data.sample = exported_shape_of(exported->path).input;
  else
    data.sample = parse_numbers<std::size_t>("input extent", o.input);

  surroundings const around{data.sample, classes_of(o, arch, weights)};
  if (reads.teacher) ask_teacher<T>(o, around, engine, data);
  scoring_case<T> result{make_network<cpu_network<T>>(arch, around, o.seed), std::move(data)};
  if (weights)
    lnpt::io::load_state_dict(result.student, *weights, o.weights_prefix);
  else if (!std::holds_alternative<exported_model>(arch.form))
    round_to_float(result.student);
  return result;
}

template scoring_case<float> load_case(scoring_options const&, criterion_spec const&, scoring_engine<float> const&);
template scoring_case<double> load_case(scoring_options const&, criterion_spec const&, scoring_engine<double> const&);

}  // namespace cli
