// LibTorch as an engine of the command line.
#include <torch/cuda.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include <lnpt/core/guide.hpp>
#include <lnpt/io/cached_guide.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/train/train.hpp>

#include "../engine.hpp"
#include "../text.hpp"
#include "../torch_engines.hpp"
#include <lnpt/torch/module_of.hpp>

namespace cli {

namespace {

using lnpt::torch_tensor;

at::Device parse_device(std::string const& text) {
  auto const pieces = split(text, ':');
  if (text.empty() || text == "cpu") return at::kCPU;
  if (pieces[0] != "cuda" || pieces.size() > 2) refuse("\"", text, "\" is no device: write cpu, cuda or cuda:N");
  auto const index = pieces.size() == 2 ? parse_number<std::size_t>("number of a device", pieces[1]) : 0;
  auto const count = static_cast<std::size_t>(torch::cuda::device_count());  // a byte in newer versions
  if (count == 0)
    refuse("--device ", text, " asks for CUDA, and ",
           at::hasCUDA() ? "LibTorch finds no such GPU" : "this lnpt was built with a LibTorch for the CPU alone",
           ": give --device cpu");
  if (index >= count) refuse("there is no ", text, ": LibTorch finds ", count, " CUDA devices, counted from cuda:0");
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

/// `f()`, with what LibTorch complains of said without its own call stack.
template <class F>
auto plainly(F f) {
  try {
    return f();
  } catch (c10::Error const& reason) {
    lnpt::fail("LibTorch: ", reason.what_without_backtrace());
  }
}

/// A network on a device, as a model to score and train.
template <class T>
struct device_network {
  std::shared_ptr<lnpt::graph_module> module;
  lnpt::torch_model<T> model;

  device_network(cpu_network<T>& network, at::Device device)
      : module(std::make_shared<lnpt::graph_module>(network, device)), model(module) {}
};

template <class T>
scoring_data<torch_tensor<T>> on_device(scoring_data<lnpt::cpu::array<T>> const& data, at::Device device) {
  torch_tensor<T> const near(at::empty({0}, at::TensorOptions(device).dtype(torch_tensor<T>::scalar_type)));
  auto const moved = [&](lnpt::cpu::array<T> const& values) { return lnpt::convert<torch_tensor<T>>(values, near); };
  scoring_data<torch_tensor<T>> result{.sample = data.sample, .labels = data.labels};
  for (auto const& batch : data.batches) result.batches.push_back({moved(batch.input)});
  if (!data.teacher_prediction) return result;
  result.teacher_prediction.emplace();
  for (auto const& predicted : *data.teacher_prediction)
    result.teacher_prediction->push_back({moved(predicted.output), moved(*predicted.features)});
  return result;
}

template <class T>
lnpt::score_set<lnpt::cpu::array<T>> on_host(lnpt::score_set<torch_tensor<T>> const& scores) {
  lnpt::score_set<lnpt::cpu::array<T>> result{{}, scores.unreached, scores.seconds};
  for (auto const& p : scores.parameters)
    result.parameters.push_back({p.name, lnpt::convert<lnpt::cpu::array<T>>(p.values, {}), p.role, p.output_axis});
  return result;
}

/// LibTorch, behind the interface of engines that score or of those that train too.
template <class T, class Interface>
class torch_engine : public Interface {
 public:
  using array = lnpt::cpu::array<T>;

  torch_engine(std::string const& device, std::size_t threads) : device_(parse_device(device)) {
    // LibTorch's own default is the number of cores that it recognises, which in some virtual machines is one.
    at::set_num_threads(static_cast<int>(threads > 0 ? threads : std::max(std::thread::hardware_concurrency(), 1U)));
  }

  lnpt::score_set<array> score(cpu_network<T>& network, scoring_data<array> const& data,
                               pruning_spec const& spec) const override {
    return plainly([&] {
      device_network<T> there(network, device_);
      return on_host(score_in_rounds(there.model, on_device(data, device_), spec));
    });
  }
  lnpt::prune_result prune(cpu_network<T>& network, scoring_data<array> const& data, pruning_spec const& spec) const override {
    return plainly([&] {
      device_network<T> there(network, device_);
      return prune_network(there.model, on_device(data, device_), spec);
    });
  }
  predictor<T> open(cpu_network<T>& network, lnpt::norm_mode mode) const override {
    auto const there = std::make_shared<device_network<T>>(network, device_);
    return [there, mode](array const& input) { return plainly([&] { return predict_on_host<T>(there->model, input, mode); }); };
  }

 protected:
  at::Device device_;
};

/// A teacher cache, whose words are needed where the student is.
class device_cache {
 public:
  explicit device_cache(lnpt::io::cached_guide const& cache) : cache_(cache) {}

  [[nodiscard]] lnpt::augmentation plan(std::size_t epoch, std::size_t image) const { return cache_.plan(epoch, image); }
  [[nodiscard]] lnpt::prediction<torch_tensor<float>> predict(torch_tensor<float> const& input, lnpt::batch_plan const& plan,
                                                              std::size_t epoch) const {
    auto const predicted = cache_.predict({}, plan, epoch);
    auto const moved = [&](auto const& values) { return lnpt::convert<torch_tensor<float>>(values, input); };
    return {moved(predicted.output), moved(*predicted.features)};
  }

 private:
  lnpt::io::cached_guide cache_;
};

class torch_training_engine final : public torch_engine<float, training_engine> {
 public:
  using torch_engine::torch_engine;

  lnpt::train_state train(trained_network& student, lnpt::io::data_set const& data, lesson const& from, training_spec const& spec,
                          training_run run) const override {
    return plainly([&] {
      device_network<float> there(student, device_);
      auto observer = run.observer;
      observer.on_epoch = [&](lnpt::train_state const& state) {
        there.module->write_back();
        if (run.observer.on_epoch) run.observer.on_epoch(state);
      };
      auto const train = [&](auto const& guide, auto const& loss) {
        auto const with = [&](auto&... hooks) {
          return lnpt::train(there.model, run.masks, data.train, data.test, guide, loss, lnpt::torch_train_options{spec.options},
                             std::move(run.from), observer, hooks...);
        };
        return run.hooks ? with(*run.hooks) : with();
      };
      if (from.teacher) {
        device_network<float> teacher(*from.teacher, device_);
        return train(lnpt::teacher(teacher.model), spec.loss());
      }
      if (from.cache) return train(device_cache({*from.cache, data.train.size(), spec.options.augment}), spec.loss());
      return train(lnpt::no_guide{}, lnpt::cross_entropy{});
    });
  }
};

}  // namespace

template <class T>
std::unique_ptr<scoring_engine<T>> open_torch_scoring_engine(std::string const& device, std::size_t threads) {
  return std::make_unique<torch_engine<T, scoring_engine<T>>>(device, threads);
}
template std::unique_ptr<scoring_engine<float>> open_torch_scoring_engine(std::string const&, std::size_t);
template std::unique_ptr<scoring_engine<double>> open_torch_scoring_engine(std::string const&, std::size_t);

std::unique_ptr<training_engine> open_torch_training_engine(std::string const& device, std::size_t threads) {
  return std::make_unique<torch_training_engine>(device, threads);
}

}  // namespace cli
