#pragma once
/// The oracle's networks and criteria as arguments of the command line, whose scores and masks must be the oracle's.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <lnpt/io/safetensors.hpp>

#include "../oracle/oracle.hpp"
#include "support.hpp"

namespace cli_test {

inline std::string arch_of(std::string const& name) {
  if (name == "mlp") return "mlp:12,16,10,5";
  if (name == "vgg11_w2_nobn") return "vgg:11:2:nobn";
  if (name == "vgg11_w2_bn_eval") return "vgg:11:2";
  return name == "resnet8_w4_bn_train" ? "resnet:8:4,6,8" : "resnet:20:8,16,32";
}

/// What score and prune are given: everything comes from the one file.
inline std::string inputs(std::string const& name) {
  auto const file = (oracle::folder() / (name + ".safetensors")).string();
  return "--arch " + arch_of(name) + " --weights " + file + " --weights-prefix student. --teacher " + file +
         " --teacher-prefix teacher. --data " + file;
}

struct asked {
  std::string reference;  ///< the oracle's name
  std::string flags;
  double sign = 1;
};

/// The criteria a file holds, in the batch-norm mode it holds them in.
inline std::vector<asked> criteria_of(lnpt::io::safetensors::file const& file) {
  auto const mode = file.metadata().at("bn_mode") == "train" ? std::string("train") : std::string("eval");
  auto const frozen = mode == "train" ? std::string("frozen") : std::string("eval");
  std::vector<asked> all{{"magnitude", "--criterion magnitude"},
                         {"snip", "--criterion snip --batch-norm " + mode},
                         {"snip_pseudo_label", "--criterion snip --loss pseudo_label --batch-norm " + mode},
                         {"grasp", "--criterion grasp --batch-norm " + mode, -1},
                         {"grasp_t1", "--criterion grasp --temperature 1 --batch-norm " + mode, -1},
                         {"synflow", "--criterion synflow --rounds 1"},
                         {"lnpt.gauss_newton", "--criterion lnpt --curvature gauss_newton_exact --batch-norm " + frozen},
                         {"lnpt.hessian_gradient", "--criterion lnpt --curvature hessian_gradient --batch-norm " + frozen}};
  auto const holds = [&](std::string const& start) {
    return std::ranges::any_of(file.entries(), [&](auto const& tensor) { return tensor.name.starts_with("score." + start); });
  };
  if (holds("lnpt.exact_diagonal."))
    all.push_back({"lnpt.exact_diagonal", "--criterion lnpt --curvature hessian_diagonal --batch-norm " + frozen});
  if (holds("lnpt_batch_norm_train.gauss_newton."))
    all.push_back({"lnpt_batch_norm_train.gauss_newton", "--criterion lnpt --curvature gauss_newton_exact --batch-norm train"});
  return all;
}

/// As a fraction of the largest of `b`.
inline double largest_difference(std::vector<double> const& a, std::vector<double> const& b, double sign) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(sign * a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return largest == 0 ? worst : worst / largest;
}

/// Which of the scores are the n largest; of equal ones the first.
inline std::vector<char> keep_largest_naively(std::vector<double> const& scores, std::size_t n) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  std::vector<char> kept(scores.size());
  for (std::size_t i = 0; i < n; ++i) kept[order[i]] = 1;
  return kept;
}

/// Prunes with these arguments and compares the masks, bit by bit, with those of the oracle's scores.
inline void compare_masks(std::string const& arguments, asked const& each, lnpt::io::safetensors::file const& reference,
                          std::vector<std::string> const& parameters, std::string const& sparsity, std::string const& out) {
  auto const masks_file = out + ".masks";
  REQUIRE(run("prune " + arguments + " --sparsity " + sparsity + " --out " + out + " --masks-out " + masks_file).status == 0);
  auto const pruned = lnpt::io::safetensors::open(masks_file);
  std::vector<double> scores;
  std::vector<char> masks;
  for (auto const& p : parameters) {
    for (auto const s : reference.read<double>("score." + each.reference + '.' + p)) scores.push_back(each.sign * s);
    for (auto const bit : pruned.read<std::uint8_t>("mask." + p)) masks.push_back(static_cast<char>(bit));
  }
  auto const kept =
      static_cast<std::size_t>(std::floor((1 - std::stod(sparsity)) * static_cast<double>(scores.size()) + 0.5 + 1e-6));
  CHECK(masks == keep_largest_naively(scores, kept));
}

/// Scores every case and prunes it to each sparsity, with these flags on top, and compares with the oracle.
inline void compare_with_oracle(std::string const& flags, std::vector<std::string> const& sparsities,
                                std::vector<std::string> const& names = oracle::names) {
  support::temporary_folder const folder;
  auto const out = (folder / "scores.safetensors").string();
  for (auto const& name : names) {
    auto const reference = lnpt::io::safetensors::open(oracle::folder() / (name + ".safetensors"));
    for (auto const& each : criteria_of(reference)) {
      auto const arguments = inputs(name) + ' ' + each.flags + ' ' + flags;
      CAPTURE(arguments);
      REQUIRE(run("score " + arguments + " --out " + out).status == 0);
      auto const scores = lnpt::io::safetensors::open(out);
      std::vector<std::string> parameters;  // in the model's order, which is that of the mask's ranking
      for (auto const& p : oracle::network_of<double>(name).parameters())
        if (scores.contains(p.name)) parameters.push_back(p.name);
      REQUIRE_FALSE(parameters.empty());
      for (auto const& p : parameters) {
        CAPTURE(p);
        CHECK(scores.info(p).dtype == lnpt::io::dtype::f64);
        CHECK(largest_difference(scores.read<double>(p), reference.read<double>("score." + each.reference + '.' + p),
                                 each.sign) <= 1e-9);
      }
      if (each.reference == "lnpt.exact_diagonal") continue;  // a Hessian row per weight, and the scores of lnpt.gauss_newton
      for (auto const& sparsity : sparsities)
        compare_masks(arguments, each, reference, parameters, sparsity, (folder / "pruned.safetensors").string());
    }
  }
}

}  // namespace cli_test
