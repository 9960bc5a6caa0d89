/// The engine on a GPU: training steps and scores at the sizes of the papers, and small ones (`small/`) for the double of CUDA's libraries.
#include <utility>

#include <lnpt/cudnn.hpp>
#include <lnpt/nn/on_backend.hpp>
#include <lnpt/train/masked_sgd.hpp>

#include "rows.hpp"

namespace {

using namespace bench_nets;
using backend = cudnn::backend<float>;
using device_array = backend::array;

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
  network<backend> net;
  labelled_batch<device_array> batch;
  known_predictions<device_array> guide;

  scene(size const& of, std::string const& name) : scene(of.make(name), labelled_noise(of.samples)) {}

 private:
  scene(network<cpu::backend<float>> host, labelled_batch<array> const& images)
      : net(on_backend<backend>(host)),
        batch{there(images.input), images.labels},
        guide({there(teacher_output(host, images, 0)), there(teacher_output(host, images, 1))}) {}

  static device_array there(array const& values) { return convert<device_array>(values, {}); }
  /// Noise for a teacher's features or logits: `axis` 1 or 0 of the classifier.
  static array teacher_output(network<cpu::backend<float>>& host, labelled_batch<array> const& images, std::size_t axis) {
    auto const classifier = shape_of(*(host.parameters().end() - 2)->value);
    return bench_nets::noise({images.labels.size(), classifier[axis]}, 8 + axis);
  }
};

/// Times passes, each until the device is done.
template <class Pass>
void time_on_device(benchmark::State& state, Pass const& pass) {
  auto const whole = [&] {
    pass();
    cudnn::detail::runtime::current().flush();
    cudnn::detail::check(cudaStreamSynchronize(cudnn::detail::runtime::current().stream()), "cudaStreamSynchronize");
  };
  time_passes(state, whole);
}

/// Forward, loss, backward and the optimiser's step under masks.
void train_step_row(benchmark::State& state, size const& of, std::string const& name) {
  scene on(of, name);
  mask_set masks;
  for (auto const& p : on.net.parameters())
    if (p.role == role::weight) masks.add({p.name, shape_of(*p.value), true});
  masked_sgd<backend> sgd(on.net, masks);
  time_on_device(state, [&] {
    auto trace = on.net.forward(on.batch.input, {norm_mode::train});
    on.net.update_running_statistics(trace);
    auto const slope = cross_entropy{}.cotangent(prediction_of(on.net, trace), target<device_array>{&on.batch.labels});
    sgd.step(on.net, on.net.backward(std::move(trace), slope, which_gradients::all),
             {.learning_rate = 1e-4, .weight_decay = 5e-4});
  });
}
void pass_row(benchmark::State& state, size const& of, std::string const& name) {
  scene on(of, name);
  time_on_device(state, [&] {
    auto trace = on.net.forward(on.batch.input, {norm_mode::train});
    auto const slope = cross_entropy{}.cotangent(prediction_of(on.net, trace), target<device_array>{&on.batch.labels});
    benchmark::DoNotOptimize(on.net.backward(std::move(trace), slope, which_gradients::all));
  });
}
template <class Criterion>
void device_score_row(benchmark::State& state, size const& of, std::string const& name) {
  scene on(of, name);
  time_on_device(state, [&] { benchmark::DoNotOptimize(score<Criterion>(on.net, on.batch, on.guide, score_options{})); });
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
  row(named("forward_backward"), of.passes, [=](auto& state) { pass_row(state, of, net); });
  row(named("train_step"), of.passes, [=](auto& state) { train_step_row(state, of, net); });
  row(named("score/snip"), of.passes, [=](auto& state) { device_score_row<snip>(state, of, net); });
  row(named("score/feature_map_synaptic"), of.passes,
      [=](auto& state) { device_score_row<feature_map_synaptic<>>(state, of, net); });
  row(named("score/grasp"), of.passes, [=](auto& state) { device_score_row<grasp>(state, of, net); });
}

bool const registered = [] {
  for (std::string const net : {"resnet32", "vgg19"}) register_rows(paper, net);
  register_rows(small, "resnet8");
  for (auto const& [prefix, n] : {std::pair{"", std::size_t{100'000'000}}, std::pair{"small/", std::size_t{2000}}}) {
    row(std::string(prefix) + "select", 5, [=](auto& state) { select_row(state, n); });
    row(std::string(prefix) + "copy", 5, [=](auto& state) { copy_row(state, n); });
  }
  return true;
}();

}  // namespace
