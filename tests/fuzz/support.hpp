#pragma once
/// What every fuzz target needs: refusals are expected, anything else is a finding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <lnpt/core/error.hpp>
#include <random>
#include <span>
#include <utility>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

/// Stops the fuzzer where a promise does not hold.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Runs `act`; only `lnpt::error`, with words, may come out of it.
template <class Act>
void attempt(Act act) {
  try {
    act();
  } catch (lnpt::error const& predicted) {
    require(*predicted.what() != '\0');
  }
}

/// Replaces an input by a valid file now and then, so that every run starts from one without a corpus.
inline std::size_t mutate_from(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                               std::span<std::byte const> valid) {
  if ((size == 0 || seed % 16 == 0) && valid.size() <= max_size) {
    std::memcpy(data, valid.data(), valid.size());
    size = valid.size();
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

/// The same for safetensors files: most mutants get a header length that ends at the last '}', so that they reach the JSON.
inline std::size_t mutate_framed(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                                 std::span<std::byte const> valid) {
  size = mutate_from(data, size, max_size, seed, valid);
  if (size <= 8 || seed % 4 == 1) return size;
  auto const* const last = std::find(std::make_reverse_iterator(data + size), std::make_reverse_iterator(data + 8), '}').base();
  std::uint64_t const length = static_cast<std::uint64_t>(last - (data + 8));
  std::memcpy(data, &length, sizeof length);
  return size;
}

/// Puts a word of a JSON text in the place of another, starting from a valid one now and then. Words are numbers and quoted strings.
inline std::size_t swap_words(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                              std::span<std::byte const> valid) {
  if ((size == 0 || seed % 16 == 1) && valid.size() <= max_size) {
    std::memcpy(data, valid.data(), valid.size());
    size = valid.size();
  }
  std::vector<std::pair<std::size_t, std::size_t>> words;  // begin and length
  for (std::size_t i = 0; i < size; ++i) {
    auto const quoted = data[i] == '"';
    if (!quoted && (data[i] < '0' || data[i] > '9')) continue;
    auto end = i + 1;
    while (end < size && (quoted ? data[end] != '"' : data[end] >= '0' && data[end] <= '9')) ++end;
    end += quoted && end < size;
    words.emplace_back(i, end - i);
    i = end - 1;
  }
  if (words.empty()) return size;
  std::minstd_rand draw(seed);
  auto const [to, old] = words[draw() % words.size()];
  auto const [from, length] = words[draw() % words.size()];
  if (size - old + length > max_size) return size;
  std::vector<std::uint8_t> const word(data + from, data + from + length);
  std::memmove(data + to + length, data + to + old, size - to - old);
  std::copy(word.begin(), word.end(), data + to);
  return size - old + length;
}

}  // namespace fuzz
