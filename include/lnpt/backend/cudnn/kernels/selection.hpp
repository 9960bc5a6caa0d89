#pragma once
/// Kernels that find the n-th largest of many scores exactly, by histograms of digits, and write bits for those above it.
#include <lnpt/backend/cudnn/kernels/parts.hpp>

namespace lnpt::cudnn::detail {

/// The scores of one part of a ranking, as the kernel has them.
template <class T>
struct score_part {
  T const* scores;
  unsigned long long const* among;
  unsigned n, first_block;
};
template <class T>
struct score_table {
  unsigned parts;
  int lowest;
  score_part<T> at[most_parts];
};

/// What the search knows, as the kernels have it: the digits of the threshold that are found, how many scores are still to be kept among
/// those that share them, and how many share the last digit.
struct search_state {
  unsigned long long threshold, wanted, equal;
};

inline constexpr unsigned digit_bits = 11;  ///< of a key that one pass looks at

inline constexpr char selection_kernels[] = R"cuda(
template <class T> struct score_part { T const* scores; unsigned long long const* among; unsigned n, first_block; };
template <class T> struct score_table { unsigned parts; int lowest; score_part<T> at[most_parts]; };
struct search_state { unsigned long long threshold, wanted, equal; };

// Keys without a sign that sort as the scores do: -0 as +0, and 0 below all of them for what takes no part.
__device__ unsigned key_of(float x, int lowest) {
  unsigned b = __float_as_uint(x) ^ (lowest ? 0x80000000u : 0u);
  if (b << 1 == 0) b = 0;
  return b >> 31 ? ~b : b | 0x80000000u;
}
__device__ unsigned long long key_of(double x, int lowest) {
  unsigned long long b = (unsigned long long)__double_as_longlong(x) ^ (lowest ? 0x8000000000000000ull : 0ull);
  if (b << 1 == 0) b = 0;
  return b >> 63 ? ~b : b | 0x8000000000000000ull;
}
__device__ bool is_finite(float x) { return (__float_as_uint(x) & 0x7fffffffu) < 0x7f800000u; }
__device__ bool is_finite(double x) { return ((unsigned long long)__double_as_longlong(x) & 0x7fffffffffffffffull) < 0x7ff0000000000000ull; }

// The keys of all parts behind each other, each part filled up to a whole block; and how many of each part are not finite.
template <class T, class Key>
__global__ void gather_keys(score_table<T> const __grid_constant__ all, Key* keys, unsigned long long* not_finite) {
  unsigned const part = part_of_block(all);
  score_part<T> const& p = all.at[part];
  unsigned const i = (blockIdx.x - p.first_block) * blockDim.x + threadIdx.x;
  Key key = 0;
  if (i < p.n && (!p.among || (p.among[i / 64] >> (i % 64) & 1))) {
    T const score = p.scores[i];
    key = key_of(score, all.lowest);
    if (!is_finite(score)) atomicAdd(&not_finite[part], 1ull);
  }
  keys[(unsigned long long)blockIdx.x * blockDim.x + threadIdx.x] = key;
}

constexpr unsigned buckets = 2048;

// How many keys whose higher digits are the threshold's have each value of the digit at `shift`.
template <class Key>
__global__ void count_digits(Key const* keys, unsigned long long n, search_state const* state, Key higher, unsigned shift, unsigned long long* counts) {
  __shared__ unsigned own[buckets];
  for (unsigned b = threadIdx.x; b < buckets; b += block) own[b] = 0;
  __syncthreads();
  Key const found = (Key)state->threshold;
  for (unsigned long long i = (unsigned long long)blockIdx.x * block + threadIdx.x; i < n; i += (unsigned long long)gridDim.x * block) {
    Key const key = keys[i];
    if (key != 0 && (key & higher) == found) atomicAdd(&own[(unsigned)(key >> shift) & (buckets - 1)], 1u);
  }
  __syncthreads();
  for (unsigned b = threadIdx.x; b < buckets; b += block)
    if (own[b] != 0) atomicAdd(&counts[b], (unsigned long long)own[b]);
}

// The digit in which the wanted key lies, counted from the largest; clears the counts for the next one. One block.
__global__ void choose_digit(unsigned long long* counts, search_state* state, unsigned shift) {
  constexpr unsigned each = buckets / block;
  __shared__ unsigned long long sums[block];
  unsigned const t = threadIdx.x;
  unsigned long long sum = 0;
  for (unsigned b = t * each; b < (t + 1) * each; ++b) sum += counts[b];
  sums[t] = sum;
  __syncthreads();
  if (t == 0) {
    unsigned long long wanted = state->wanted;
    unsigned group = block - 1;
    for (; group > 0 && sums[group] < wanted; --group) wanted -= sums[group];
    unsigned digit = (group + 1) * each - 1;
    for (; digit > group * each && counts[digit] < wanted; --digit) wanted -= counts[digit];
    state->threshold |= (unsigned long long)digit << shift;
    state->wanted = wanted;
    state->equal = counts[digit];
  }
  __syncthreads();
  for (unsigned b = t * each; b < (t + 1) * each; ++b) counts[b] = 0;
}

// One bit per key: those above the threshold, and those equal to it, which count as above where all of them stay.
template <class Key> __global__ void write_bits(Key const* keys, search_state const* state, unsigned* above, unsigned* equal) {
  unsigned long long const i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  Key const key = keys[i], threshold = (Key)state->threshold;
  bool const all_stay = state->wanted == state->equal;
  unsigned const larger = __ballot_sync(0xffffffffu, key > threshold || (all_stay && key == threshold));
  unsigned const same = __ballot_sync(0xffffffffu, key == threshold);
  if (threadIdx.x % 32 == 0) {
    above[i / 32] = larger;
    equal[i / 32] = same;
  }
}
)cuda";

}  // namespace lnpt::cudnn::detail
