#include "grid.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <memory>
#include <numeric>
#include <random>
#include <ucontext.h>
#include <utility>
#include <vector>

#include "cuda_double.hpp"
#include "faults.hpp"
#include "prelude_symbols.hpp"

namespace cuda_double {

namespace {

constexpr unsigned warp = 32, largest_block = 1024;
int order = 0;

std::vector<unsigned> permuted(unsigned n) {
  std::vector<unsigned> sequence(n);
  std::iota(sequence.begin(), sequence.end(), 0U);
  if (order == 1) std::reverse(sequence.begin(), sequence.end());
  if (order > 1) std::shuffle(sequence.begin(), sequence.end(), std::mt19937(static_cast<unsigned>(order)));
  return sequence;
}

enum class state : char { fresh, waits_for_block, waits_for_warp, ready, done };

/// A stack that runs threads one after the other, until one of them waits. It begins as a context and goes on by jumps, which spare the two
/// system calls that contexts spend on signal masks.
struct fibre {
  ucontext_t context{};
  std::jmp_buf place{};
  bool has_begun = false;
  std::vector<char> stack = std::vector<char>(std::size_t{64} << 10);
};
struct thread {
  state is = state::fresh;
  fibre* on = nullptr;
};

std::vector<std::unique_ptr<fibre>> fibres;
std::vector<fibre*> idle;
std::vector<thread> threads;
std::vector<unsigned> sequence;
std::size_t cursor = 0;  ///< in `sequence`: the next thread that has not begun
unsigned current = 0, finished = 0;
fibre* running = nullptr;
std::jmp_buf scheduler;
std::function<void()> const* body = nullptr;
std::array<std::array<double, warp>, largest_block / warp> slots;  ///< what the lanes of each warp show each other

void enter(unsigned t) {
  current = t;
  auto const& block = cuda_double_blockDim;
  cuda_double_threadIdx = {t % block.x, t / block.x % block.y, t / block.x / block.y};
}

/// Goes back to the scheduler until this fibre is resumed.
void wait_here(fibre& self) {
  if (_setjmp(self.place) == 0) _longjmp(scheduler, 1);
}

void run_threads() {
  for (auto* const self = running;;) {
    while (cursor < sequence.size()) {
      enter(sequence[cursor++]);
      (*body)();
      threads[current].is = state::done;
      ++finished;
    }
    idle.push_back(self);
    wait_here(*self);
  }
}

void resume(fibre* f) {
  running = f;
  if (_setjmp(scheduler) != 0) return;
  if (f->has_begun) _longjmp(f->place, 1);
  f->has_begun = true;
  setcontext(&f->context);
}

fibre* take_last(std::vector<fibre*>& from) {
  auto* const f = from.back();
  from.pop_back();
  return f;
}

void begin(fibre& f) {
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack.data();
  f.context.uc_stack.ss_size = f.stack.size();
  f.context.uc_link = nullptr;
  makecontext(&f.context, run_threads, 0);
}

fibre* some_fibre() {
  if (!idle.empty()) return take_last(idle);
  fibres.push_back(std::make_unique<fibre>());
  begin(*fibres.back());
  return fibres.back().get();
}

bool all_are(state s, unsigned begin, unsigned end) {
  return std::all_of(threads.begin() + begin, threads.begin() + end, [s](thread const& t) { return t.is == s; });
}
void make_ready(unsigned begin, unsigned end) {
  for (auto t = begin; t < end; ++t) threads[t].is = state::ready;
}

/// Opens the barriers that all of a warp or all of the block have reached.
bool open_barriers(unsigned n) {
  bool opened = false;
  for (unsigned first = 0; first < n; first += warp)
    if (auto const end = std::min(first + warp, n); all_are(state::waits_for_warp, first, end)) {
      make_ready(first, end);
      opened = true;
    }
  if (all_are(state::waits_for_block, 0, n)) {
    make_ready(0, n);
    opened = true;
  }
  return opened;
}

void run_block(unsigned n) {
  threads.assign(n, {});
  cursor = finished = 0;
  while (finished < n) {
    bool moved = cursor < n;
    while (cursor < n) resume(some_fibre());
    for (auto const t : sequence)
      if (threads[t].is == state::ready) {
        enter(t);
        moved = true;
        resume(threads[t].on);
      }
    moved = open_barriers(n) || moved;
    if (!moved && finished < n) {
      idle.clear();  // fibres that will never go on are of no use to anyone
      fibres.clear();
      throw illegal_address("some threads of a block wait at a barrier that the others never reach");
    }
  }
}

}  // namespace

void run_grid(dim3 grid, dim3 block, std::function<void()> const& thread) {
  auto const n = block.x * block.y * block.z;
  body = &thread;
  sequence = permuted(n);
  cuda_double_blockDim = {block.x, block.y, block.z};
  cuda_double_gridDim = {grid.x, grid.y, grid.z};
  for (auto const b : permuted(grid.x * grid.y * grid.z)) {
    cuda_double_blockIdx = {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y};
    run_block(n);
  }
}

}  // namespace cuda_double

extern "C" {
cuda_double_uint3 cuda_double_threadIdx, cuda_double_blockIdx, cuda_double_blockDim, cuda_double_gridDim;

void cuda_double_barrier(int of_warp) {
  using namespace cuda_double;
  auto* const self = running;
  threads[current] = {of_warp != 0 ? state::waits_for_warp : state::waits_for_block, self};
  wait_here(*self);
}
unsigned cuda_double_lane() { return cuda_double::current % cuda_double::warp; }
void* cuda_double_slot(unsigned lane) { return &cuda_double::slots[cuda_double::current / cuda_double::warp][lane]; }
void cuda_double_order(int how) { cuda_double::order = how; }
}
