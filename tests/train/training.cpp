/// Masked training: one step by hand, exact zeros, resuming to the bit, no label read, and learning something.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <tuple>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/io/synthetic.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/regulariser/group_lasso.hpp>
#include <lnpt/regulariser/preserve_trainability.hpp>
#include <lnpt/regulariser/soft_masks.hpp>
#include <lnpt/regulariser/structure_selection.hpp>
#include <lnpt/train/deep_rewiring.hpp>
#include <lnpt/train/remembered_answers.hpp>
#include <lnpt/train/rigl.hpp>
#include <lnpt/train/train.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/resnet.hpp>

using namespace lnpt;
using backend = cpu::backend<float>;
using array = cpu::array<float>;

namespace {

io::data_set const& shapes() {
  static auto const set = io::synthetic({.classes = 4, .side = 16, .train = 512, .test = 200, .seed = 1});
  return set;
}

network<backend> convolutional(std::uint64_t seed) {
  return zoo::resnet<backend>({.depth = 8, .widths = {8, 12, 16}, .classes = 4}, seed);
}

mask_set pruned(network<backend>& model) {
  std::vector<std::size_t> const few{0, 1, 2, 3, 4, 5, 6, 7};
  labelled_batch const batch{gather_images<float>(shapes().train, {few, {}}), gather_labels(shapes().train, few)};
  return prune<snip>(model, batch, {.budget = sparsity{0.9}}).masks;
}

std::vector<std::vector<float>> state_of(network<backend>& model) {
  std::vector<std::vector<float>> state;
  for (auto const& p : model.parameters()) state.push_back(values_of(*p.value));
  for (auto const& b : model.buffers()) state.push_back(values_of(*b.value));
  return state;
}

train_options const brief{.epochs = 4, .batch = 64, .learning_rate = 0.05, .seed = 3};

/// Images that say nothing about their classes.
struct unlabelled_images {
  std::size_t channels, height, width;
  std::vector<float> mean, stddev;
  io::image_set const* source;

  explicit unlabelled_images(io::image_set const& set)
      : channels(set.channels), height(set.height), width(set.width), mean(set.mean), stddev(set.stddev), source(&set) {}
  std::size_t size() const { return source->size(); }
  std::span<std::uint8_t const> image(std::size_t i) const { return source->image(i); }
};

/// Images whose labels must not be looked at.
struct guarded_images : unlabelled_images {
  struct {
    std::int64_t operator[](std::size_t) const { throw std::logic_error("a label was read"); }
  } labels;
  using unlabelled_images::unlabelled_images;
};

}  // namespace

TEST_CASE("two steps from θ = 2 with g = 1, μ = 0.9, λ = 0.1, lr = 0.5: 1.4, then 0.29") {
  std::vector<std::size_t> const sizes{2, 1};
  auto model = zoo::mlp<backend>(sizes);
  auto const& weight = *model.parameters()[0].value;
  *model.parameters()[0].value = tensor_traits<array>::make({1, 2}, std::vector<float>{2, 2});
  mask_set masks;
  masks.add({"fc.weight", {1, 2}, true});
  masks.begin()->set(1, false);

  masked_sgd<backend> sgd(model, masks);
  CHECK(weight.data()[1] == 0);  // at once
  gradients<array> const g{tensor_traits<array>::make({1, 2}, std::vector<float>{1, 1}), std::nullopt};
  sgd.step(model, g, {.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.1});
  CHECK(weight.data()[0] == doctest::Approx(1.4));  // v = 1 + 0.1·2 = 1.2
  sgd.step(model, g, {.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.1});
  CHECK(weight.data()[0] == doctest::Approx(0.29));  // v = 0.9·1.2 + 1 + 0.1·1.4 = 2.22
  CHECK(weight.data()[1] == 0);
  CHECK(sgd.velocity(model)[0].data()[1] == 0);
}

TEST_CASE("the learning rate falls along half a cosine") {
  CHECK(schedule::cosine{}(0, 8, 0.1) == 0.1);
  CHECK(schedule::cosine{}(4, 8, 0.1) == doctest::Approx(0.05));
  CHECK(schedule::cosine{}(8, 8, 0.1) == doctest::Approx(0).epsilon(1e-15));
}

TEST_CASE("the loss of every second of five steps and of the last is looked at: 1, 3 and 5") {
  loss_meter meter(0, 5, 2);
  for (std::size_t step = 0; step < 5; ++step)
    if (meter.looks_at(step)) meter.add(static_cast<double>(step) + 1);
  CHECK(meter.mean() == 3);
  CHECK(loss_meter(0, 5, 0).looks_at(4));
  CHECK_FALSE(loss_meter(0, 5, 0).looks_at(0));
}

namespace {

/// Holds a parameter still.
struct hold {
  std::string name;
  void before_step(auto& step) {
    for (std::size_t i = 0; i < step.parameters.size(); ++i)
      if (step.parameters[i].name == name) step.gradients[i] = 0.0f * *step.gradients[i];
  }
};

/// Prunes the first weight of a parameter after the first step.
struct prune_later {
  std::string name;
  std::size_t steps_seen = 0;
  void after_step(auto& step) {
    if (steps_seen++ != 0 || step.epoch != 0) return;
    mask_set masks;
    masks.add({name, shape_of(*step.parameters[0].value), true});
    masks.begin()->set(0, false);
    step.set_masks(std::move(masks));
  }
};

/// Every weight goes by the learning rate against the sign of its gradient.
struct sign_descent {
  struct running {
    mask_set held;
    void step(auto& model, auto const& g, double rate) {
      for (std::size_t i = 0; auto const& p : model.parameters())
        for (std::size_t k = 0, at = i++; k < p.value->size(); ++k)
          p.value->data()[k] -= static_cast<float>(rate) * static_cast<float>((g[at]->data()[k] > 0) - (g[at]->data()[k] < 0));
    }
    [[nodiscard]] mask_set const& masks() const { return held; }
    void set_masks(auto&, mask_set masks) { held = std::move(masks); }
  };
  [[nodiscard]] running start(auto&, mask_set const& masks) const { return {masks}; }
};

}  // namespace

TEST_CASE("hooks act on gradients and masks in the order given; schedule and optimiser are arguments") {
  std::vector<std::size_t> const sizes{3 * 16 * 16, 4};
  auto const born = state_of(*std::make_unique<network<backend>>(zoo::mlp<backend>(sizes)));
  auto const run = [&](auto&&... policies) {
    auto model = zoo::mlp<backend>(sizes);
    train(model, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{},
          {.epochs = 1, .batch = 128, .learning_rate = 0.01, .weight_decay = 0}, {}, {}, policies...);
    return state_of(model);
  };
  auto const plain = run();
  CHECK(plain[1] != born[1]);
  prune_later later{"fc.weight"};
  auto const held = run(hold{"fc.bias"}, later);
  CHECK(held[1] == born[1]);
  CHECK(later.steps_seen == 4);
  CHECK((held[0][0] == 0 && !std::signbit(held[0][0])));
  CHECK(plain[0][0] != 0);
  CHECK(run([](std::size_t, std::size_t, double) { return 0.0; }) == born);
  auto const by_signs = run(sign_descent{}, [](std::size_t step, std::size_t, double) { return step == 0 ? 0.25 : 0.0; });
  for (std::size_t k = 0; k < 4; ++k) CHECK(std::abs(by_signs[1][k]) == 0.25);
}

TEST_CASE("pruned weights and their momentum are exactly +0 after training") {
  auto student = convolutional(1), trained = convolutional(2);
  auto const masks = pruned(student);
  auto const state =
      train(student, masks, shapes().train, shapes().test, teacher(trained), pseudo_label{} + feature_mse{}, brief);
  auto const parameters = student.parameters();
  std::size_t zeros = 0, moving = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto const* const kept = masks.find(parameters[i].name);
    if (!kept) continue;
    for (std::size_t k = 0; k < kept->size(); ++k) {
      auto const w = parameters[i].value->data()[k], v = state.velocity[i].data()[k];
      moving += (*kept)[k] && v != 0;
      if ((*kept)[k]) continue;
      ++zeros;
      if (w != 0 || v != 0 || std::signbit(w) || std::signbit(v))
        FAIL_CHECK(parameters[i].name << " [" << k << "] is " << w << " with momentum " << v);
    }
  }
  CHECK(zeros > 1000);
  CHECK(moving > 100);
}

TEST_CASE("training on kept weights is training under masks to rounding, and hides nothing from those who look") {
  auto const run = [](execution how) {
    auto student = convolutional(3);
    auto const masks = pruned(student);
    auto options = brief;
    options.execution = how;
    options.epochs = 1;
    auto const views = student.parameters();
    std::size_t looked = 0;
    train_observer observer;
    observer.on_step = [&](std::size_t, std::size_t step, std::size_t) {
      if (step == 3) looked = student.parameters()[0].value->size();  // in the middle of an epoch
    };
    auto const state = train(student, masks, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options, {}, observer);
    CHECK(looked == views[0].value->size());
    std::vector<std::vector<float>> result;
    for (std::size_t i = 0; i < views.size(); ++i) {
      CHECK(shape_of(state.velocity[i]) == shape_of(*views[i].value));
      result.push_back(values_of(*views[i].value));
      result.push_back(values_of(state.velocity[i]));
    }
    return result;
  };
  auto const dense = run(execution::dense), sparse = run(execution::sparse);
  for (std::size_t i = 0; i < dense.size(); ++i)
    for (std::size_t j = 0; j < dense[i].size(); ++j) {
      CHECK(std::abs(dense[i][j] - sparse[i][j]) < 1e-3f);
      if (dense[i][j] == 0) CHECK(sparse[i][j] == 0);
    }
}

TEST_CASE(
    "students that share a teacher's answers train as with the teacher, to the bit, and it is asked about each batch once") {
  struct counting_teacher {
    teacher<network<backend>> asked;
    std::size_t* times;
    [[nodiscard]] prediction<array> predict(array const& input) const { return ++*times, asked.predict(input); }
  };
  auto guide = convolutional(9);
  std::size_t times = 0;
  auto const brief_loss = pseudo_label{} + 1.0 * feature_mse{};
  auto const student_of = [&](auto const& by, train_options const& options) {
    auto student = convolutional(1);
    train(student, {}, shapes().train, shapes().test, by, brief_loss, options);
    return state_of(student);
  };
  train_options const two{.epochs = 2, .batch = 64, .seed = 3};
  auto const expected = student_of(teacher{guide}, two);
  remembered_answers<counting_teacher, array> const shared({teacher{guide}, &times}, 1 << 20);
  CHECK(student_of(shared, two) == expected);
  CHECK(times == 2 * 8);
  CHECK(shared.bytes() > 2 * 512 * (4 + 16) * sizeof(float));
  CHECK(student_of(shared, two) == expected);
  CHECK(times == 2 * 8);
  // Other views of the same images are asked about, and so is what is more than memory may take.
  auto plain = two;
  plain.augment = false;
  CHECK(student_of(shared, plain) == student_of(teacher{guide}, plain));
  CHECK(times == 2 * 2 * 8);
  times = 0;
  remembered_answers<counting_teacher, array> const forgetful({teacher{guide}, &times}, 8 * 1024);
  CHECK(student_of(forgetful, two) == expected);
  CHECK(student_of(forgetful, two) == expected);
  CHECK(forgetful.bytes() <= 8 * 1024);
  CHECK(times > 2 * 8);
  CHECK(times < 2 * 2 * 8);
}

TEST_CASE("a run resumed from a saved state equals the run not interrupted, to the bit") {
  auto student = convolutional(1), trained = convolutional(2);
  auto const masks = pruned(student);
  std::optional<std::pair<network<backend>, train_state>> saved;
  train_observer const save{.on_epoch = [&](train_state const& state) {
    if (state.epoch == 2) saved.emplace(student, state);
  }};
  auto const loss = pseudo_label{} + feature_mse{};
  auto const whole = train(student, masks, shapes().train, shapes().test, teacher(trained), loss, brief, {}, save);
  auto& [resumed, state] = saved.value();
  CHECK(state_of(resumed) != state_of(student));
  auto const rest = train(resumed, masks, shapes().train, shapes().test, teacher(trained), loss, brief, state);
  CHECK(state_of(resumed) == state_of(student));
  CHECK(rest.velocity == whole.velocity);
  CHECK(rest.last_accuracy == whole.last_accuracy);
  CHECK(rest.best_accuracy == whole.best_accuracy);
  CHECK(rest.last_loss == whole.last_loss);
}

TEST_CASE("so does a run with hooks that carry numbers and set masks") {
  auto const run_twice = [](auto make) {
    auto student = convolutional(1);
    std::optional<std::pair<network<backend>, train_state>> saved;
    train_observer const save{.on_epoch = [&](train_state const& state) {
      if (state.epoch == 1) saved.emplace(student, state);
    }};
    train_options const options{.epochs = 2, .batch = 64, .learning_rate = 0.05, .seed = 3};
    auto const learn = [&](network<backend>& model, train_state const& from, train_observer const& observer) {
      return std::apply(
          [&](auto... hooks) {
            return train(model, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options, from, observer,
                         hooks...);
          },
          make(model));
    };
    auto const whole = learn(student, {}, save);
    auto& [resumed, state] = saved.value();
    CHECK_FALSE((state.hooks.empty() && state.masks.empty()));
    auto const rest = learn(resumed, state, {});
    CHECK(state_of(resumed) == state_of(student));
    CHECK(rest.hooks == whole.hooks);
    CHECK(rest.masks == whole.masks);
    CHECK(rest.velocity == whole.velocity);
    return whole;
  };
  run_twice([](auto&) { return std::tuple(structure_selection(1e-2), regularise{group_lasso{1e-3}}); });
  run_twice([](auto&) { return std::tuple(soft_masks(0.1)); });
  run_twice([](auto&) { return std::tuple(prune_later{"conv1.weight"}); });
  run_twice([](auto& model) {
    std::vector<std::pair<std::string, std::string>> const filters{{"layer1.0.conv1", "layer1.0.bn1"}};
    return std::tuple(preserve_trainability({lowest_filters(model.parameters(), filters, 0.5)}, {5e-5, 1, 1e-4}, 1));
  });
}

namespace {

/// One masked parameter as hooks see it at step t of a run, 8 steps to an epoch.
struct one_step {
  array weights;
  mask_set masks;
  training_step<array> at;

  one_step(std::vector<float> const& w, std::vector<float> const& g, std::string const& bits, std::size_t t, double rate)
      : weights(tensor_traits<array>::make({w.size()}, w)), at{t / 8, t % 8, 8, rate, {{"w", &weights}}, {}, &masks} {
    masks.add({"w", {w.size()}, false});
    for (std::size_t i = 0; i < w.size(); ++i) masks.begin()->set(i, bits[i] == '1');
    at.gradients.emplace_back(tensor_traits<array>::make({w.size()}, g));
  }
  [[nodiscard]] std::string bits() const {
    std::string text;
    auto const& kept = *(at.next_masks ? *at.next_masks : masks).begin();
    for (std::size_t i = 0; i < kept.size(); ++i) text += kept[i] ? '1' : '0';
    return text;
  }
};

}  // namespace

TEST_CASE("by hand: at t = 4 of 8 RigL moves half of its fraction: the two smallest of four go, the two largest slopes come") {
  rigl const hook(8, 2, 1);
  CHECK(hook.moved_share(4) == doctest::Approx(0.5));
  auto const after = [&](std::size_t t) {
    one_step step({4, -1, 3, 2, 0, 0, 0, 0}, {9, 0, 9, 9, 1, -5, 2, 3}, "11110000", t, 0.1);
    hook.before_step(step.at);
    return step.bits();
  };
  CHECK(after(4) == "10110100");  // −1 and 2 go; slopes 9, where 2 was, and −5 come
  CHECK(after(3) == "11110000");
  CHECK(after(0) == "11110000");
  CHECK(after(8) == "11110000");
}

TEST_CASE("by hand: at lr α = 0.1 deep rewiring lets |w| = 0.05 and a weight that changed its sign rest, and wakes two others") {
  one_step step({0.5, 0.05f, -1, 0, 0, 0}, {0, 0, 0, 0, 0, 0}, "111000", 0, 0.1);
  deep_rewiring hook(1);
  hook.before_step(step.at);
  step.weights.data()[2] = 0.25f;  // the optimiser's step
  hook.after_step(step.at);
  CHECK(step.weights.data()[0] == doctest::Approx(0.4));
  CHECK(step.weights.data()[1] == 0);
  CHECK(step.weights.data()[2] == 0);
  auto const bits = step.bits();
  CHECK(bits[0] == '1');
  CHECK(std::count(bits.begin(), bits.end(), '1') == 3);
}

TEST_CASE("masks do not move by what is no number, and a network that computes none is never right") {
  auto const nan = std::nanf("");
  one_step slopes({4, -1, 3, 2, 0, 0, 0, 0}, {9, 0, 9, 9, nan, -5, 2, 3}, "11110000", 4, 0.1);
  CHECK_THROWS_WITH_AS(rigl(8, 2, 1).before_step(slopes.at),
                       doctest::Contains("1 of 8 values of the gradient of w are NaN or infinite"), lnpt::error);
  one_step weights({0.5, nan, -1, 0, 0, 0}, {0, 0, 0, 0, 0, 0}, "111000", 0, 0.1);
  deep_rewiring hook(1);
  hook.before_step(weights.at);
  CHECK_THROWS_WITH_AS(hook.after_step(weights.at), doctest::Contains("1 of 6 values of w are NaN or infinite"), lnpt::error);
  CHECK(weights.weights.data()[0] == 0.5F);
  auto student = convolutional(1);
  student.parameters().front().value->data()[0] = nan;
  CHECK_THROWS_WITH_AS((void)accuracy(student, shapes().test), doctest::Contains("so they decide nothing"), lnpt::error);
}

TEST_CASE("a label that is no class of the network is refused where it is counted, by the number of its sample") {
  auto student = convolutional(1);
  auto other = shapes().test;
  CHECK(accuracy(student, other) >= 0);
  for (std::int64_t const beyond : {4, -1, 1 << 19}) {
    other.labels.back() = beyond;
    auto const said = "label " + std::to_string(beyond) + " of sample 199 is out of range: the model has 4 classes";
    CHECK_THROWS_WITH_AS((void)accuracy(student, other), doctest::Contains(said.c_str()), lnpt::error);
  }
}

TEST_CASE("masks that move keep their counts, and resume to the bit") {
  auto const run_twice = [](auto hook) {
    auto student = convolutional(1);
    auto const masks = pruned(student);
    train_options const options{.epochs = 2, .batch = 64, .learning_rate = 0.05, .seed = 3};
    std::optional<std::pair<network<backend>, train_state>> saved;
    train_observer const save{.on_epoch = [&](train_state const& state) {
      if (state.epoch == 1) saved.emplace(student, state);
    }};
    auto first = hook;
    auto const whole =
        train(student, masks, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options, {}, save, first);
    REQUIRE(whole.masks.size() == masks.size());
    CHECK(whole.masks != masks);
    for (auto const& kept : whole.masks) CHECK(kept.count() == masks.find(kept.name())->count());
    auto& [resumed, state] = saved.value();
    auto second = hook;
    auto const rest =
        train(resumed, masks, shapes().train, shapes().test, no_guide{}, cross_entropy{}, options, state, {}, second);
    CHECK(rest.masks == whole.masks);
    CHECK(state_of(resumed) == state_of(student));
  };
  run_twice(rigl(16, 3));
  run_twice(deep_rewiring(1e-3, 1e-7, 5));
  auto student = convolutional(1);
  CHECK_THROWS_WITH_AS(train(student, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, brief, {}, {}, rigl(9)),
                       doctest::Contains("rigl moves masks, and there are none"), lnpt::error);
  CHECK_THROWS_WITH_AS(rigl(0), doctest::Contains("pass a fraction in (0, 1]"), lnpt::error);
}

TEST_CASE("label-free training takes images without labels, and reads none where there are some") {
  static_assert(!labelled_images<unlabelled_images> && labelled_images<guarded_images>);
  auto trained = convolutional(2);
  auto const run = [&](auto const& images) {
    auto student = convolutional(1);
    train(student, {}, images, shapes().test, teacher(trained), pseudo_label{} + feature_mse{}, {.epochs = 1, .batch = 64});
    return state_of(student);
  };
  guarded_images const guarded(shapes().train);
  CHECK(run(unlabelled_images(shapes().train)) == run(shapes().train));
  CHECK(run(guarded) == run(shapes().train));
  auto student = convolutional(1);
  CHECK_THROWS_AS(train(student, {}, guarded, shapes().test, no_guide{}, cross_entropy{}, {.epochs = 1, .batch = 64}),
                  std::logic_error);
}

TEST_CASE("with labels a small convolutional network learns what a linear model cannot, and a student learns it without any") {
  auto const set = io::synthetic({.classes = 2, .side = 16, .train = 1024, .test = 200, .seed = 1});
  train_options const options{.epochs = 4, .batch = 32, .weight_decay = 1e-4, .augment = false, .seed = 5};
  auto const learn = [&](network<backend>& model, mask_set const& masks, auto const& guide, auto const& loss, double rate) {
    auto own = options;
    own.learning_rate = rate;
    std::vector<double> losses;
    auto const state = train(model, masks, set.train, set.test, guide, loss, own, {},
                             {.on_epoch = [&](train_state const& s) { losses.push_back(s.last_loss); }});
    CHECK(losses.back() < losses.front());
    CHECK(state.best_accuracy >= state.last_accuracy);
    return state.last_accuracy;
  };
  zoo::resnet_options const small{.depth = 8, .widths = {8, 16, 32}, .classes = 2};
  std::vector<std::size_t> const sizes{3 * 16 * 16, 2};
  auto trained = zoo::resnet<backend>(small, 1), student = zoo::resnet<backend>(small, 2);
  auto linear = zoo::mlp<backend>(sizes, 1);
  auto const deep = learn(trained, {}, no_guide{}, cross_entropy{}, 0.1);
  auto const flat = learn(linear, {}, no_guide{}, cross_entropy{}, 0.01);

  std::vector<std::size_t> first(20);
  std::iota(first.begin(), first.end(), std::size_t{0});
  unlabelled_batch const batch{gather_images<float>(set.train, {first, {}})};
  auto const masks = prune<feature_map_synaptic<>>(student, batch, teacher(trained), {.budget = sparsity{0.8}}).masks;
  auto const followed = learn(student, masks, teacher(trained), pseudo_label{} + feature_mse{}, 0.1);
  MESSAGE("accuracy: teacher " << deep << ", linear model " << flat << ", student without labels at 80 % " << followed);
  CHECK(deep > 0.85);
  CHECK(flat < 0.65);
  CHECK(followed > 0.75);
}

TEST_CASE("a batch that the set cannot fill and a loss that explodes are refused in one sentence") {
  auto student = convolutional(1);
  CHECK_THROWS_WITH_AS(train(student, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, {.batch = 513}),
                       "a batch of 513 cannot be drawn from 512 images: choose a batch of 1 to 512", lnpt::error);
  for (train_options const& steps : {train_options{.learning_rate = std::nan("")}, train_options{.learning_rate = -1},
                                     train_options{.momentum = 1}, train_options{.weight_decay = -1e-4}})
    CHECK_THROWS_WITH_AS(train(student, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{}, steps),
                         doctest::Contains("pass finite numbers of at least 0, and a momentum below 1"), lnpt::error);
  std::vector<std::size_t> const sizes{3 * 16 * 16, 4};
  auto linear = zoo::mlp<backend>(sizes);
  std::string predicted;
  try {
    train(linear, {}, shapes().train, shapes().test, no_guide{}, cross_entropy{},
          {.epochs = 1, .batch = 64, .learning_rate = 1e38});
  } catch (lnpt::error const& e) {
    predicted = e.what();
  }
  CHECK(predicted.ends_with("in epoch 1: lower the learning rate"));
}
