// Every criterion against float64 reference scores: to 1e-9 of each parameter's largest score in double, 2e-4 in float.
#include <lnpt/io/exported_program.hpp>

#include "../repository.hpp"
#include "../skip.hpp"
#include "comparison.hpp"

namespace {

/// The network of NAME.pt2 against the scores of NAME.safetensors, with the teacher whose weights that file holds.
void compare_exported(std::filesystem::path const& folder, std::string const& name, std::string const& exported_as,
                      std::string const& module = "") {
  CAPTURE(name);
  CAPTURE(exported_as);
  auto const load = [&] { return lnpt::io::load_exported<lnpt::cpu::backend<double>>(folder / (name + exported_as)); };
  oracle::reference<double> r(lnpt::io::safetensors::open(folder / (name + ".safetensors")), load(), load(), module);
  lnpt::io::state_dict_options names{.prefix = "teacher."};
  if (!module.empty()) names.rename = {{"features", module + "features"}, {"classifier", module + "classifier"}};
  lnpt::io::exported::program const source(lnpt::io::byte_source::open(folder / (name + exported_as)));
  lnpt::io::exported::load_state_dict(r.teacher, source, r.file, names);
  oracle::compare_all<double, decltype(r.student)>({.file = r, .student = r.student, .teacher = r.teacher, .input = r.input});
}

}  // namespace

TEST_CASE_TEMPLATE("scores and losses equal the oracle's", T, double, float) {
  if (!oracle::present()) return skip("the oracle's reference files are not here");
  for (auto const& name : oracle::names) {
    CAPTURE(name);
    oracle::reference<T> r(name);
    oracle::compare_all<T, decltype(r.student)>(
        {.file = r, .student = r.student, .teacher = r.teacher, .input = r.input, .diagonal = std::is_same_v<T, double>});
  }
}

TEST_CASE("scores and losses of networks that PyTorch exported equal PyTorch's") {
  auto const own = test::repository() / "tests/io/exported";
  for (auto const* const name : {"own", "layers", "joins", "constants"}) compare_exported(own, name, ".pt2");
}

TEST_CASE("so do those of seven published kinds of network, exported in either mode") {
  auto const shared = oracle::folder().parent_path() / "exported";
  if (!std::filesystem::exists(shared / "dense.pt2")) return skip("the exported networks are not here");
  for (auto const* const name : {"own_names", "mobile", "dense", "shuffle", "squeeze", "option_a", "vgg_fc_logits"})
    for (auto const* const exported_as : {".pt2", ".train.pt2"})
      compare_exported(shared, name, exported_as, std::string(name) == "vgg_fc_logits" ? "n." : "");
}
