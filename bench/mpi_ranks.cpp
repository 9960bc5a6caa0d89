/// What several processes cost and gain, in ratios whose two sides take turns: run by bench/ranks.sh under mpirun, which says on how many.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <mpi.h>
#include <span>
#include <tbb/global_control.h>
#include <vector>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/io/synthetic.hpp>
#include <lnpt/lnpt.hpp>
#include <lnpt/mask/select.hpp>
#include <lnpt/mpi.hpp>

namespace {

using backend = lnpt::cpu::backend<float>;
using array = lnpt::cpu::array<float>;
using batches = std::vector<lnpt::labelled_batch<array>>;
constexpr int pairs = 21;

/// Seconds of this process's processors, and on the wall.
struct seconds {
  double processor, wall;
};

seconds now() {
  std::timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  auto const wall = std::chrono::steady_clock::now().time_since_epoch();
  return {static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec), std::chrono::duration<double>(wall).count()};
}

seconds time_of(std::function<void()> const& work) {
  auto const begin = now();
  work();
  auto const end = now();
  return {end.processor - begin.processor, end.wall - begin.wall};
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

/// Median ratios of what this rank takes for two kinds of work that take turns, its largest and its sum over ranks.
struct ratios {
  double slowest_processor, all_processors, wall;
};

ratios compare(lnpt::mpi::communicator& ranks, std::function<void()> const& shared, std::function<void()> const& alone) {
  std::vector<double> slowest, all, wall;
  for (int pair = 0; pair <= pairs; ++pair) {
    std::vector<double> mine(2 * ranks.size());
    auto const s = time_of(shared);
    mine[2 * ranks.rank()] = s.processor;
    seconds a{};
    if (ranks.rank() == 0) a = time_of(alone);
    mine[2 * ranks.rank() + 1] = s.wall;
    std::vector<double> others{a.processor, a.wall};
    ranks.sum(std::span(mine));
    ranks.sum(std::span(others));
    if (pair == 0) continue;  // caches fill
    double most = 0, sum = 0, longest = 0;
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      most = std::max(most, mine[2 * r]);
      sum += mine[2 * r];
      longest = std::max(longest, mine[2 * r + 1]);
    }
    slowest.push_back(most / others[0]);
    all.push_back(sum / others[0]);
    wall.push_back(longest / others[1]);
  }
  return {median(slowest), median(all), median(wall)};
}

void print(lnpt::mpi::communicator const& ranks, char const* what, ratios const& r) {
  if (ranks.rank() == 0)
    std::printf("%zu | %s | %.3f | %.3f | %.3f\n", ranks.size(), what, r.slowest_processor, r.all_processors, r.wall);
}

auto network(std::uint64_t seed) { return lnpt::zoo::resnet<backend>({.depth = 20, .widths = {16, 32, 64}}, seed); }

/// 64 images in parts of 8, so that every rank has as many.
batches images() {
  batches parts;
  for (std::uint64_t p = 0; p < 8; ++p) {
    std::vector<float> pixels(std::size_t{8} * 3 * 32 * 32);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(lnpt::normal(p, 7, i).first);
    parts.push_back({lnpt::make_tensor<array>({8, 3, 32, 32}, pixels, {}), {0, 1, 2, 3, 4, 5, 6, 7}});
  }
  return parts;
}

void scoring(lnpt::mpi::communicator& ranks) {
  auto student = network(1);
  auto trained = network(2);
  auto const all = images();
  auto const share = all.size() / ranks.size();
  batches const mine(all.begin() + static_cast<std::ptrdiff_t>(ranks.rank() * share),
                     all.begin() + static_cast<std::ptrdiff_t>((ranks.rank() + 1) * share));
  lnpt::teacher const guide(trained);
  print(ranks, "score snip",
        compare(
            ranks, [&] { (void)lnpt::score<lnpt::snip>(student, lnpt::shard(mine, ranks)); },
            [&] { (void)lnpt::score<lnpt::snip>(student, all); }));
  using criterion = lnpt::feature_map_synaptic<>;
  print(ranks, "score feature_map_synaptic",
        compare(
            ranks, [&] { (void)lnpt::score<criterion>(student, lnpt::shard(mine, ranks), guide); },
            [&] { (void)lnpt::score<criterion>(student, all, guide); }));
}

void threshold(lnpt::mpi::communicator& ranks) {
  constexpr std::size_t n = std::size_t{1} << 23;
  std::vector<float> scores(n);
  for (std::size_t i = 0; i < n; ++i) scores[i] = std::abs(static_cast<float>(lnpt::normal(3, 1, i).first));
  auto const share = n / ranks.size() / lnpt::mask::word_bits * lnpt::mask::word_bits;
  auto const first = ranks.rank() * share;
  auto const count = ranks.rank() + 1 == ranks.size() ? n - first : share;
  std::vector<lnpt::mask::word> part_words(count / lnpt::mask::word_bits + 1), words(n / lnpt::mask::word_bits + 1);
  lnpt::scores_at<float> const mine{0, first, {std::span(scores).subspan(first, count), part_words, {}}};
  lnpt::ranked_scores<float> const whole{scores, words, {}};
  print(ranks, "threshold of 8 M scores",
        compare(
            ranks, [&] { (void)lnpt::keep_largest(std::span(&mine, 1), n / 20, ranks); },
            [&] { (void)lnpt::keep_largest(std::span(&whole, 1), n / 20); }));
}

void training(lnpt::mpi::communicator& ranks) {
  auto const set = lnpt::io::synthetic({.classes = 4, .side = 16, .train = 64, .test = 4, .seed = 1});
  lnpt::train_options const options{.epochs = 1, .batch = 32, .seed = 3};
  auto const shared = [&] {
    auto model = lnpt::zoo::resnet<backend>({.depth = 8, .widths = {16, 32, 64}, .classes = 4}, 1);
    (void)lnpt::train_together(ranks, model, {}, set.train, set.test, lnpt::no_guide{}, lnpt::cross_entropy{}, options);
  };
  auto const alone = [&] {
    auto model = lnpt::zoo::resnet<backend>({.depth = 8, .widths = {16, 32, 64}, .classes = 4}, 1);
    (void)lnpt::train(model, {}, set.train, set.test, lnpt::no_guide{}, lnpt::cross_entropy{}, options);
  };
  print(ranks, "train an epoch", compare(ranks, shared, alone));
}

}  // namespace

int main() {
  tbb::global_control const one_thread(tbb::global_control::max_allowed_parallelism, 1);
  MPI_Init(nullptr, nullptr);
  {
    lnpt::mpi::communicator ranks(MPI_COMM_WORLD, std::chrono::minutes(5));
    scoring(ranks);
    threshold(ranks);
    training(ranks);
  }
  MPI_Finalize();
}
