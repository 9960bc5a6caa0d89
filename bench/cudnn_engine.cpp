/// The engine on a GPU: training steps and scores at the sizes of the papers, in each precision, and small ones (`small/`) for the double of
/// CUDA's libraries. Counters of a pass: `gflop`, and `gbyte` that convolutions move if each reads its operands and writes its result once.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/cudnn.hpp>
#include <lnpt/nn/on_backend.hpp>
#include <lnpt/train/masked_sgd.hpp>

#include "rows.hpp"

namespace {

using namespace bench_nets;
using backend = cudnn::backend<float>;
using device_array = backend::array;

/// How convolutions compute, and by which plans.
struct setting {
  std::string name;
  cudnn::precision how;
  cudnn::plan_choice plans = cudnn::plan_choice::first;
};
std::vector<setting> const settings{{"fp32", cudnn::precision::fp32},
                                    {"tf32", cudnn::precision::tf32},
                                    {"bf16", cudnn::precision::bf16},
                                    {"fp32_fastest", cudnn::precision::fp32, cudnn::plan_choice::fastest},
                                    {"tf32_fastest", cudnn::precision::tf32, cudnn::plan_choice::fastest},
                                    {"bf16_fastest", cudnn::precision::bf16, cudnn::plan_choice::fastest}};

/// What a row runs on: a network and a batch that its teacher spoke of.
struct size {
  std::string prefix;
  std::size_t samples;
  int passes;
  network<cpu::backend<float>> (*make)(std::string const& name);
};
size const paper{"", 128, 20, [](std::string const& name) { return make<>(name, 1); }};
size const small{"small/", 2, 1,
                 [](std::string const&) { return zoo::resnet<cpu::backend<float>>({.depth = 8, .widths = {4, 4, 4}}, 1); }};

struct scene {
  double gflop = 0, gbyte = 0;  ///< of one forward and backward pass
  network<backend> net;
  labelled_batch<device_array> batch;
  known_predictions<device_array> guide;

  scene(size const& of, std::string const& name) : scene(of.make(name), labelled_noise(of.samples)) {}

 private:
  scene(network<cpu::backend<float>> host, labelled_batch<array> const& images)
      : net(on_backend<backend>(host)),
        batch{there(images.input), images.labels},
        guide({there(teacher_output(host, images, 0)), there(teacher_output(host, images, 1))}) {
    auto const samples = static_cast<double>(images.labels.size());
    shape const image{3, 32, 32};
    for (auto const n : multiply_adds(host, image)) gflop += 3 * 2 * samples * static_cast<double>(n) / 1e9;
    auto const outputs = node_shapes(host, image);
    auto const weights = parameter_shapes(host);
    for (std::size_t i = 1; i < outputs.size(); ++i)
      if (auto const* const layer = std::get_if<nn::conv2d<cudnn::conv_geometry>>(&host.nodes()[i].rules)) {
        auto const images_moved = samples * static_cast<double>(element_count(outputs[layer->input]) + element_count(outputs[i]));
        gbyte += 3 * sizeof(float) * (images_moved + static_cast<double>(element_count(weights[layer->weight]))) / 1e9;
      }
  }

  static device_array there(array const& values) { return convert<device_array>(values, {}); }
  /// Noise for a teacher's features or logits: `axis` 1 or 0 of the classifier.
  static array teacher_output(network<cpu::backend<float>>& host, labelled_batch<array> const& images, std::size_t axis) {
    auto const classifier = shape_of(*(host.parameters().end() - 2)->value);
    return bench_nets::noise({images.labels.size(), classifier[axis]}, 8 + axis);
  }
};

/// Times passes, each until the device is done, in fp32 unless another setting is named; a device that has not that precision says so.
template <class Pass>
void time_on_device(benchmark::State& state, Pass const& pass, setting const& with = settings.front()) try {
  cudnn::use_precision(with.how);
  cudnn::use_plans(with.plans);
  auto const whole = [&] {
    pass();
    cudnn::detail::runtime::current().flush();
    cudnn::detail::check(cudaStreamSynchronize(cudnn::detail::runtime::current().stream()), "cudaStreamSynchronize");
  };
  time_passes(state, whole);
} catch (lnpt::error const& e) {
  state.SkipWithError(e.what());
}

void count(benchmark::State& state, scene const& on) {
  state.counters["gflop"] = on.gflop;
  state.counters["gbyte"] = on.gbyte;
}

/// Forward, loss, backward and the optimiser's step under masks.
void train_step_row(benchmark::State& state, size const& of, std::string const& name, setting const& with) {
  scene on(of, name);
  mask_set masks;
  for (auto const& p : on.net.parameters())
    if (p.role == role::weight) masks.add({p.name, shape_of(*p.value), true});
  masked_sgd<backend> sgd(on.net, masks);
  count(state, on);
  auto const step = [&] {
    auto trace = on.net.forward(on.batch.input, {norm_mode::train});
    on.net.update_running_statistics(trace);
    auto const slope = cross_entropy{}.cotangent(prediction_of(on.net, trace), target<device_array>{&on.batch.labels});
    sgd.step(on.net, on.net.backward(std::move(trace), slope, which_gradients::all),
             {.learning_rate = 1e-4, .weight_decay = 5e-4});
  };
  time_on_device(state, step, with);
}
void pass_row(benchmark::State& state, size const& of, std::string const& name, setting const& with) {
  scene on(of, name);
  count(state, on);
  auto const pass = [&] {
    auto trace = on.net.forward(on.batch.input, {norm_mode::train});
    auto const slope = cross_entropy{}.cotangent(prediction_of(on.net, trace), target<device_array>{&on.batch.labels});
    benchmark::DoNotOptimize(on.net.backward(std::move(trace), slope, which_gradients::all));
  };
  time_on_device(state, pass, with);
}
template <class Criterion>
void device_score_row(benchmark::State& state, size const& of, std::string const& name) {
  scene on(of, name);
  time_on_device(state, [&] { benchmark::DoNotOptimize(score<Criterion>(on.net, on.batch, on.guide, score_options{})); });
}

/// SynFlow as published: 100 rounds on the exponential schedule, masks included.
void synflow_row(benchmark::State& state, size const& of, std::string const& name) {
  scene on(of, name);
  time_on_device(state, [&] { benchmark::DoNotOptimize(prune<synflow>(on.net, {3, 32, 32}, {.budget = sparsity{0.99}})); });
}

/// The most operations that convolutions do here: one of 1×1 over many channels.
void ceiling_row(benchmark::State& state, std::size_t channels, setting const& with) {
  auto const x = convert<device_array>(bench_nets::noise({channels, 32, 32, 32}, 3), {});
  auto const w = convert<device_array>(bench_nets::noise({channels, channels, 1, 1}, 4), {});
  device_array y;
  state.counters["gflop"] = 2 * 32.0 * 32 * 32 * static_cast<double>(channels * channels) / 1e9;
  time_on_device(state, [&] { backend::conv2d(x, w, {}, y, false); }, with);
}

/// The best tenth of scores, ranked where they are, and beside it a copy of as many.
void select_row(benchmark::State& state, std::size_t n) {
  auto const scores =
      cudnn::detail::unary(cudnn::detail::unary_operation::square, convert<device_array>(bench_nets::noise({n}, 3), {}));
  std::vector<mask::word> kept((n + mask::word_bits - 1) / mask::word_bits);
  ranked_tensor<device_array> const part{&scores, kept, {}};
  time_on_device(state, [&] {
    benchmark::DoNotOptimize(tensor_traits<device_array>::keep_largest(std::span(&part, 1), n / 10, keep_end::highest));
  });
}
void copy_row(benchmark::State& state, std::size_t n) {
  auto const from = convert<device_array>(bench_nets::noise({n}, 3), {});
  device_array to({n});
  time_on_device(state, [&] { cudnn::detail::copy(to.written(), from.data(), n * sizeof(float), cudaMemcpyDeviceToDevice); });
}

void register_rows(size const& of, std::string const& net) {
  auto const named = [&](std::string const& what) { return of.prefix + what + '/' + net; };
  for (auto const& with : settings) {
    row(named("forward_backward") + '/' + with.name, of.passes, [=](auto& state) { pass_row(state, of, net, with); });
    row(named("train_step") + '/' + with.name, of.passes, [=](auto& state) { train_step_row(state, of, net, with); });
  }
  row(named("score/snip"), of.passes, [=](auto& state) { device_score_row<snip>(state, of, net); });
  row(named("score/feature_map_synaptic"), of.passes,
      [=](auto& state) { device_score_row<feature_map_synaptic<>>(state, of, net); });
  row(named("synflow_100_rounds"), 1, [=](auto& state) { synflow_row(state, of, net); });
  row(named("score/grasp"), of.passes, [=](auto& state) { device_score_row<grasp>(state, of, net); });
}

bool const registered = [] {
  for (std::string const net : {"resnet32", "vgg19"}) register_rows(paper, net);
  register_rows(small, "resnet8");
  for (auto const& [prefix, n] : {std::pair{"", std::size_t{100'000'000}}, std::pair{"small/", std::size_t{2000}}}) {
    row(std::string(prefix) + "select", 5, [=](auto& state) { select_row(state, n); });
    for (auto const& with : settings)
      row(std::string(prefix) + "ceiling/" + with.name, 5,
          [=, channels = std::size_t{*prefix == 0 ? 2048U : 8U}](auto& state) { ceiling_row(state, channels, with); });
    row(std::string(prefix) + "copy", 5, [=](auto& state) { copy_row(state, n); });
  }
  return true;
}();

}  // namespace
