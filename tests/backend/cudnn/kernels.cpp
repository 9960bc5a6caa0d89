// Every kernel, compiled by NVIDIA's NVRTC for every architecture it knows: without spills, in the shared memory that every device has.
// It takes no GPU and no driver; on the double, whose NVRTC makes host code, it skips.
#include <regex>
#include <string>
#include <vector>

#include <lnpt/backend/cudnn/program.hpp>

#include "device.hpp"

using namespace lnpt::cudnn;

namespace {

std::vector<int> architectures() {
  int count = 0;
  REQUIRE(nvrtcGetNumSupportedArchs(&count) == NVRTC_SUCCESS);
  std::vector<int> all(static_cast<std::size_t>(count));
  REQUIRE(nvrtcGetSupportedArchs(all.data()) == NVRTC_SUCCESS);
  std::erase_if(all, [](int each) { return each < 75; });  // what the adapter refuses
  return all;
}

/// The numbers before or after a word in what ptxas says of every kernel.
std::vector<long> numbers(std::string const& log, char const* pattern) {
  std::regex const expression(pattern);
  std::vector<long> found;
  for (std::sregex_iterator at(log.begin(), log.end(), expression), end; at != end; ++at) found.push_back(std::stol((*at)[1]));
  return found;
}

}  // namespace

TEST_CASE("kernels compile for every architecture of NVRTC, without spills and within 48 kB of shared memory") {
  if (on_double()) return skip("the double compiles for the host");
  auto const all = architectures();
  CHECK(all.size() > 5);
  for (auto const architecture : all) {
    CAPTURE(architecture);
    detail::compiled_kernels const compiled(architecture, {"--ptxas-options=-v"});
    auto const spills = numbers(compiled.log, "(\\d+) bytes spill (?:stores|loads)");
    CHECK(spills.size() == 2 * detail::kernel_names().size());
    CHECK(spills == std::vector<long>(spills.size(), 0));
    auto const shared = numbers(compiled.log, "(\\d+) bytes smem");
    CHECK(!shared.empty());
    for (auto const bytes : shared) CHECK(bytes <= 48 << 10);
  }
}
