#pragma once
/// A group of two processes over c10d's Gloo.
#ifndef USE_C10D_GLOO  // Debian's package defines it for everybody who links LibTorch
#define USE_C10D_GLOO
#endif
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace support {

/// This process's end of the group, which meets in a file and talks over a network interface.
inline std::shared_ptr<c10d::ProcessGroupGloo> gloo_group(int rank, std::string const& interface,
                                                          std::string const& meeting_place) {
  using namespace std::chrono_literals;
  auto const store = c10::make_intrusive<c10d::FileStore>(meeting_place, 2);
  auto const options = c10d::ProcessGroupGloo::Options::create(20s);
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  return std::make_shared<c10d::ProcessGroupGloo>(store, rank, 2, options);
}

}  // namespace support
