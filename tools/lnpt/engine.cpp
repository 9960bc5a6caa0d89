#include "engine.hpp"

#include "engine_setting.hpp"
#include <lnpt/loss/count_right.hpp>

#include "other_engines.hpp"

namespace cli {

namespace {

enum class engine_kind { cpu, torch, cudnn };
constexpr spelling<engine_kind> engine_names[]{
    {"cpu", engine_kind::cpu}, {"torch", engine_kind::torch}, {"cudnn", engine_kind::cudnn}};
constexpr spelling<precision_kind> precision_names[]{{"double", precision_kind::twice},
                                                     {first_precision, precision_kind::single},
                                                     {"fp32", precision_kind::single},
                                                     {"tf32", precision_kind::tf32},
                                                     {"bf16", precision_kind::bf16}};
constexpr spelling<lnpt::execution> execution_names[]{
    {first_execution, lnpt::execution::automatic}, {"dense", lnpt::execution::dense}, {"sparse", lnpt::execution::sparse}};

/// The CPU engine, behind the interface of those that score or of those that train too.
template <class T, class Interface>
class cpu_engine : public Interface {
 public:
  using array = lnpt::cpu::array<T>;

  lnpt::score_set<array> score(cpu_network<T>& network, scoring_data<array> const& data,
                               pruning_spec const& spec) const override {
    return score_in_rounds(network, data, spec);
  }
  lnpt::prune_result prune(cpu_network<T>& network, scoring_data<array> const& data, pruning_spec const& spec) const override {
    return prune_network(network, data, spec);
  }
  predictor<T> open(cpu_network<T>& network, lnpt::norm_mode mode) const override {
    return [&network, mode](array const& input) { return predict_on_host<T>(network, input, mode); };
  }
  predictor<T> open_masked(cpu_network<T>& network, lnpt::mask_set const& masks, lnpt::execution how) const override {
    network.keep_only(masks, how);
    return open(network, lnpt::norm_mode::eval);
  }
};

class cpu_training_engine final : public cpu_engine<float, training_engine> {
 public:
  lnpt::train_state train(trained_network& student, lnpt::io::data_set const& data, lesson const& from, training_spec const& spec,
                          training_run run) const override {
    return train_on_cpu(student, data, from, spec, std::move(run));
  }
};

engine_kind kind_of(engine_choice const& choice) {
  auto const kind = parse_choice("engine", engine_names, choice.name);
  if (kind == engine_kind::cpu && !choice.device.empty())
    refuse("--device is where LibTorch or cuDNN computes: add --engine torch or --engine cudnn, or leave --device out");
  if (kind != engine_kind::cpu && !choice.execution.empty())
    refuse("--execution is how the cpu engine multiplies: leave it out, or --engine ", choice.name);
  (void)choice.arithmetic();
  return kind;
}

}  // namespace

void engine_choice::describe(CLI::App& command) {
  command.add_option("--engine", name, "What computes: cpu, lnpt's own engine, cudnn, the same on a GPU, or torch, LibTorch")
      ->capture_default_str();
  command.add_option("--device", device, "Where LibTorch (cpu, the default, cuda or cuda:N) or cudnn (cuda or cuda:N) computes");
  command
      .add_option("--precision", precision,
                  std::string(precision == first_precision ? "" : "double, ") +
                      "float (or fp32), or tf32 or bf16, in which --engine cudnn computes convolutions on tensor cores")
      ->capture_default_str();
  command.add_flag("--fastest", fastest,
                   "Of cuDNN's plans for a convolution take the fastest, timed, even if not every run gives the same bits");
}

void engine_choice::describe_execution(CLI::App& command) {
  command.add_option(
      "--execution", execution,
      "How the cpu engine multiplies by masked weights: automatic (default; whatever costs less, layer by layer), dense "
      "or sparse (by kept weights alone)");
}

lnpt::execution engine_choice::how() const { return parse_choice("execution", execution_names, execution_name()); }

precision_kind engine_choice::arithmetic() const {
  auto const kind = parse_choice("precision", precision_names, precision);
  bool const is_cudnn = parse_choice("engine", engine_names, name) == engine_kind::cudnn;
  if (!is_cudnn && (kind == precision_kind::tf32 || kind == precision_kind::bf16))
    refuse("--precision ", precision, " is for convolutions on a GPU: add --engine cudnn, or take ", first_precision);
  if (!is_cudnn && fastest) refuse("--fastest is about cuDNN's plans: add --engine cudnn, or leave it out");
  return kind;
}

std::string engine_choice::precision_name() const { return std::string(spell(precision_names, arithmetic())); }

std::string engine_choice::execution_name() const { return execution.empty() ? first_execution : execution; }

namespace {

/// Calls `use(plan, logits)` for all images in batches, in their order.
template <class Use>
void for_each_logits(predictor<float> const& predict, lnpt::io::image_set const& images, Use use) {
  for (std::size_t begin = 0; begin < images.size(); begin += lnpt::evaluation_batch) {
    lnpt::batch_plan plan;
    for (auto i = begin; i < std::min(begin + lnpt::evaluation_batch, images.size()); ++i) plan.images.push_back(i);
    use(plan, predict(lnpt::gather_images<float>(images, plan)).output);
  }
}

}  // namespace

std::vector<std::int64_t> decide(predictor<float> const& predict, lnpt::io::image_set const& images) {
  std::vector<std::int64_t> decisions;
  for_each_logits(predict, images, [&](lnpt::batch_plan const&, auto const& logits) {
    auto const here = lnpt::decided_classes(logits);
    decisions.insert(decisions.end(), here.begin(), here.end());
  });
  return decisions;
}

std::size_t count_right(predictor<float> const& predict, lnpt::io::image_set const& images) {
  std::size_t right = 0;
  for_each_logits(predict, images, [&](lnpt::batch_plan const& plan, auto const& logits) {
    right += lnpt::count_right(logits, lnpt::gather_labels(images, plan.images), plan.images.front());
  });
  return right;
}

template <class T>
std::unique_ptr<scoring_engine<T>> open_scoring_engine(engine_choice const& choice, std::size_t threads) {
  switch (kind_of(choice)) {
    case engine_kind::torch: return open_torch_scoring_engine<T>(choice.device, threads);
    case engine_kind::cudnn: return open_cudnn_scoring_engine<T>(choice, threads);
    case engine_kind::cpu: break;
  }
  return std::make_unique<cpu_engine<T, scoring_engine<T>>>();
}
template std::unique_ptr<scoring_engine<float>> open_scoring_engine(engine_choice const&, std::size_t);
template std::unique_ptr<scoring_engine<double>> open_scoring_engine(engine_choice const&, std::size_t);

std::unique_ptr<training_engine> open_training_engine(engine_choice const& choice, std::size_t threads) {
  if (choice.arithmetic() == precision_kind::twice)
    refuse("--precision double is for score and prune: everything else computes in ", first_precision);
  switch (kind_of(choice)) {
    case engine_kind::torch: return open_torch_training_engine(choice.device, threads);
    case engine_kind::cudnn: return open_cudnn_training_engine(choice, threads);
    case engine_kind::cpu: break;
  }
  return std::make_unique<cpu_training_engine>();
}

}  // namespace cli
