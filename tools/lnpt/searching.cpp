#include "searching.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <span>

#include "progress.hpp"
#include "shrinking.hpp"
#include "text.hpp"

namespace cli {

namespace {

enum class judge_kind { agreement, labels };
constexpr spelling<judge_kind> judge_names[]{{"agreement", judge_kind::agreement}, {"labels", judge_kind::labels}};

}  // namespace

void search_choice::describe(CLI::App& command) {
  command.add_option("--candidates", options.candidates, "With --method eagle_eye: how many shapes are judged")
      ->capture_default_str();
  command.add_option("--tolerance", options.tolerance, "How far the multiply-adds of a shape may be from --budget")
      ->capture_default_str();
  command.add_option("--most", options.most, "The largest fraction of a layer that a shape goes without")->capture_default_str();
  command
      .add_option("--judge", judge,
                  "What a shape is judged by: agreement with the network before, which reads no labels, or labels")
      ->capture_default_str();
}

bool search_choice::reads_labels() const { return parse_choice("judge", judge_names, judge) == judge_kind::labels; }

template <class T>
search_summary search(cpu_network<T>& network, scoring_data<lnpt::cpu::array<T>> const& data, search_choice const& choice,
                      std::string const& budget, std::uint64_t seed) {
  auto const pieces = split(budget, ':');
  if (pieces.size() != 2 || pieces[0] != "flops") refuse("eagle_eye removes multiply-adds: give --budget, such as flops:0.5");
  auto options = choice.options;
  options.removed = parse_number<double>("budget", pieces[1]);
  options.seed = seed;
  count_progress along("judging shapes");
  options.progress = std::ref(along);
  auto const by_labels = choice.reads_labels();
  if (by_labels && !data.labels) refuse("--judge labels reads labels and there are none: give the data labels, or leave it out");
  std::vector<lnpt::cpu::array<T>> images;
  for (auto const& batch : data.batches) images.push_back(batch.input);
  std::span<lnpt::cpu::array<T> const> const parts(images);
  auto found = by_labels ? lnpt::eagle_eye(network, parts, *data.labels, options) : lnpt::eagle_eye(network, parts, options);
  search_summary summary{lnpt::count(network, data.sample),
                         lnpt::count(found.model, data.sample),
                         found.images,
                         found.draws,
                         found.best,
                         std::move(found.agreeing),
                         by_labels};
  network = std::move(found.model);
  return summary;
}
template search_summary search(cpu_network<float>&, scoring_data<lnpt::cpu::array<float>> const&, search_choice const&,
                               std::string const&, std::uint64_t);
template search_summary search(cpu_network<double>&, scoring_data<lnpt::cpu::array<double>> const&, search_choice const&,
                               std::string const&, std::uint64_t);

void print(search_summary const& s) {
  print_sizes(s.before, s.after, {});
  fmt::print("the best of {} shapes ({} draws) {} on {} of {} images\n", s.agreeing.size(), s.draws,
             s.by_labels ? "is right" : "decides as before", s.agreeing[s.best], s.images);
  if (s.agreeing.size() > 1 && std::ranges::count(s.agreeing, s.agreeing[s.best]) == std::ssize(s.agreeing))
    fmt::print("warning: all shapes do alike, so that the first was taken: give more images, or other ones\n");
}

nlohmann::ordered_json as_json(search_summary const& s) {
  auto all = sizes_as_json(s.before, s.after, {});
  all["images"] = s.images;
  all["agreeing"] = s.agreeing;
  all["best"] = s.best;
  all["draws"] = s.draws;
  all["by_labels"] = s.by_labels;
  return all;
}

}  // namespace cli
