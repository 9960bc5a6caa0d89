#pragma once
// What the two halves agree on: the network, and the files that travel to the device.
#include <lnpt/io.hpp>
#include <lnpt/io/packed.hpp>
#include <lnpt/lnpt.hpp>

using backend = lnpt::cpu::backend<float>;

inline constexpr auto packed_student = "student.packed";
inline constexpr auto teacher_said = "teacher_cache.safetensors";
inline constexpr auto images = "images.safetensors";

inline lnpt::network<backend> fresh_student(std::uint64_t seed) {
  return lnpt::zoo::resnet<backend>({.depth = 8, .widths = {8, 16, 32}}, seed);
}
