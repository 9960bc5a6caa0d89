// One table out of the JSON that the benchmarks wrote: each row a ratio of two of them, what it should reach, and whether it does.
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

/// Seconds by benchmark name, over all files.
class results {
 public:
  void read(std::string const& path) {
    std::ifstream in(path);
    if (!in) return;
    auto const all = nlohmann::json::parse(in);
    for (auto const& each : all.at("benchmarks")) {
      auto const name = without_settings(each.at("name").get<std::string>());
      if (each.contains("real_time"))
        seconds_[name] = each.at("real_time").get<double>() * unit(each.at("time_unit").get<std::string>());
    }
  }
  [[nodiscard]] std::optional<double> seconds(std::string const& name) const {
    auto const found = seconds_.find(name);
    return found == seconds_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  /// Google Benchmark writes how it measured behind the name.
  static std::string without_settings(std::string name) {
    for (std::string const setting : {"/iterations:", "/process_time", "/real_time", "/manual_time"})
      if (auto const at = name.find(setting); at != std::string::npos) name.resize(at);
    return name;
  }
  static double unit(std::string const& name) { return name == "ms" ? 1e-3 : name == "us" ? 1e-6 : name == "ns" ? 1e-9 : 1; }

  std::map<std::string, double> seconds_;
};

struct row {
  std::string subject, unit;
  double reach;
  bool at_least = false;  ///< of a speed-up: the larger, the better
};

std::vector<row> rows() {
  std::vector<row> all;
  for (std::string const net : {"resnet32", "vgg19", "mobilenet"})
    for (std::string const batch : {"", "/batch:8", "/batch:1"})
      for (std::string const provider : {"", "onednn/"}) {
        auto const name = "forward_backward/" + net + batch;
        all.push_back({provider + name, "libtorch/" + name, net == "resnet32" && batch.empty() ? 0.9 : 1.0});
      }
  for (std::string const net : {"resnet32", "vgg19"}) {
    auto const own = "forward_backward/" + net;
    auto const torch = "libtorch/" + own;
    all.push_back({"score/snip/" + net, own, 1.05});
    all.push_back({"score/feature_map_synaptic/" + net, own, 1.8});
    all.push_back({"score/grasp/" + net, own, 3.1});
    all.push_back({"score/hessian_gradient/" + net, own, 3.1});
    all.push_back({"score/synflow_100_rounds/" + net, torch, 4});
    all.push_back({"train_step/" + net, "memcpy/train_step/" + net, 1.3});
    all.push_back({own + "/threads:1", own, 1.8, true});
    all.push_back({"libtorch/score/snip/" + net, torch, 1.05});
    all.push_back({"libtorch/score/feature_map_synaptic/" + net, torch, 2.3});
    all.push_back({"libtorch/score/grasp/" + net, torch, 3.8});
    all.push_back({"libtorch/score/synflow/" + net, torch, 10});
  }
  for (std::string const n : {"100000", "1000000", "10000000", "20000000", "140000000"})
    all.push_back({"select/global/" + n, "select/copy/" + n, 2.5});
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  results measured;
  for (int i = 1; i < argc; ++i) measured.read(argv[i]);
  std::printf("%-44s %11s   %-40s %11s %7s %7s\n", "subject", "ms", "in units of", "ms", "ratio", "reach");
  int absent = 0;
  for (auto const& r : rows()) {
    auto const subject = measured.seconds(r.subject), unit = measured.seconds(r.unit);
    if (!subject || !unit) {
      ++absent;
      continue;
    }
    auto const ratio = *subject / *unit;
    auto const met = r.at_least ? ratio >= r.reach : ratio <= r.reach;
    std::printf("%-44s %11.2f   %-40s %11.2f %7.2f %s%6.2f %s\n", r.subject.c_str(), 1e3 * *subject, r.unit.c_str(), 1e3 * *unit,
                ratio, r.at_least ? ">" : "<", r.reach, met ? "met" : "NOT MET");
  }
  if (absent != 0) std::printf("%d rows need a rival that is not installed (LibTorch, oneDNN) and are left out\n", absent);
}
