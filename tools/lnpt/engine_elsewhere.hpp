#pragma once
/// An engine whose tensors do not lie in the library's own arrays: networks and data go there, results come back.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <lnpt/core/guide.hpp>
#include <lnpt/io/cached_guide.hpp>
#include <lnpt/nn/running_statistics.hpp>

#include "engine.hpp"
#include "text.hpp"

namespace cli {

/// The number N of "cuda:N", 0 for "cuda"; empty for anything else.
[[nodiscard]] inline std::optional<std::size_t> cuda_device(std::string const& text) {
  auto const pieces = split(text, ':');
  if (pieces.empty() || pieces[0] != "cuda" || pieces.size() > 2) return std::nullopt;
  return pieces.size() == 2 ? parse_number<std::size_t>("number of a device", pieces[1]) : 0;
}

/// Scoring data as tensors `To`, made where `near` is.
template <class To, class T>
[[nodiscard]] scoring_data<To> moved(scoring_data<lnpt::cpu::array<T>> const& data, To const& near) {
  auto const move = [&](lnpt::cpu::array<T> const& values) { return lnpt::convert<To>(values, near); };
  scoring_data<To> result{.sample = data.sample, .labels = data.labels, .teacher_fingerprint = data.teacher_fingerprint};
  for (auto const& batch : data.batches) result.batches.push_back({move(batch.input)});
  if (!data.teacher_prediction) return result;
  result.teacher_prediction.emplace();
  for (auto const& predicted : *data.teacher_prediction)
    result.teacher_prediction->push_back({move(predicted.output), move(*predicted.features)});
  return result;
}

template <class T, class From>
[[nodiscard]] lnpt::score_set<lnpt::cpu::array<T>> on_host(lnpt::score_set<From> const& scores) {
  lnpt::score_set<lnpt::cpu::array<T>> result{{}, scores.unreached, scores.seconds};
  for (auto const& p : scores.parameters)
    result.parameters.push_back(
        {p.name, lnpt::convert<lnpt::cpu::array<T>>(p.values, {}), p.role, p.output_axis, p.output_groups, p.of_filters});
  return result;
}

/// A teacher cache, whose words are needed where the student is.
template <class Tensor>
class moved_cache {
 public:
  explicit moved_cache(lnpt::io::cached_guide const& cache) : cache_(cache) {}

  [[nodiscard]] lnpt::augmentation plan(std::size_t epoch, std::size_t image) const { return cache_.plan(epoch, image); }
  [[nodiscard]] lnpt::prediction<Tensor> predict(Tensor const& input, lnpt::batch_plan const& plan, std::size_t epoch) const {
    auto const predicted = cache_.predict({}, plan, epoch);
    auto const move = [&](auto const& values) { return lnpt::convert<Tensor>(values, input); };
    return {move(predicted.output), move(*predicted.features)};
  }

 private:
  lnpt::io::cached_guide cache_;
};

/// The engine of a `Place`, behind the interface of engines that score or of those that train too. A place has
///
///     Place(where, threads)              refuses a device that is not there
///     template <class T> class network   made from (place, cpu_network<T>&): `model()`, and `write_back()` for what training moved
///     near<T>()                          a tensor that lies there
///     plainly(f)                         f(), with the place's own errors as lnpt::error
///     train_options
template <class Place, class T, class Interface>
class engine_elsewhere : public Interface {
 public:
  using array = lnpt::cpu::array<T>;
  using network = typename Place::template network<T>;

  template <class Where>
  engine_elsewhere(Where const& where, std::size_t threads) : place_(where, threads) {}

  lnpt::score_set<array> score(cpu_network<T>& net, scoring_data<array> const& data, pruning_spec const& spec) const override {
    return place_.plainly([&] {
      network there(place_, net);
      return on_host<T>(score_in_rounds(there.model(), moved(data, place_.template near<T>()), spec));
    });
  }
  lnpt::prune_result prune(cpu_network<T>& net, scoring_data<array> const& data, pruning_spec const& spec) const override {
    return place_.plainly([&] {
      network there(place_, net);
      return prune_network(there.model(), moved(data, place_.template near<T>()), spec);
    });
  }
  predictor<T> open(cpu_network<T>& net, lnpt::norm_mode mode) const override {
    auto const there = place_.plainly([&] { return std::make_shared<network>(place_, net); });
    return [there, mode, this](array const& input) {
      return place_.plainly([&] { return predict_on_host<T>(there->model(), input, mode); });
    };
  }

 protected:
  Place place_;
};

template <class Place>
class training_engine_elsewhere final : public engine_elsewhere<Place, float, training_engine> {
 public:
  using base = engine_elsewhere<Place, float, training_engine>;
  using base::base;

  lnpt::train_state train(trained_network& student, lnpt::io::data_set const& data, lesson const& from, training_spec const& spec,
                          training_run run) const override {
    auto const& place = this->place_;
    for (auto const& node : student.nodes())
      if (auto const* const norm = std::get_if<lnpt::nn::batch_norm>(&node.rules)) lnpt::nn::require_moving(*norm, node.name);
    return place.plainly([&] {
      typename base::network there(place, student);
      auto observer = run.observer;
      observer.on_epoch = [&](lnpt::train_state const& state) {
        there.write_back();
        if (run.observer.on_epoch) run.observer.on_epoch(state);
      };
      auto const train = [&](auto const& guide, auto const& loss) {
        auto const with = [&](auto&... hooks) {
          return lnpt::train(there.model(), run.masks, data.train, data.test, guide, loss,
                             typename Place::train_options{spec.options}, std::move(run.from), observer, hooks...);
        };
        return run.hooks ? with(*run.hooks) : with();
      };
      if (from.teacher) {
        typename base::network teacher(place, *from.teacher);
        return train(lnpt::teacher(teacher.model()), spec.loss());
      }
      using tensor = lnpt::tensor_of<std::remove_reference_t<decltype(there.model())>>;
      if (from.cache) return train(moved_cache<tensor>({*from.cache, data.train, spec.options.augment}), spec.loss());
      return train(lnpt::no_guide{}, lnpt::cross_entropy{});
    });
  }
};

}  // namespace cli
