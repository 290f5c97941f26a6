#include "gaps.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "confined.h"

namespace groupaffinity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostGaps = 65536;

double between(Clock::time_point one, Clock::time_point other) noexcept {
  return std::chrono::duration<double, std::nano>(other - one).count();
}

double shortest_gap() noexcept {
  double look = std::numeric_limits<double>::max();
  Clock::time_point before = Clock::now();
  for (int i = 0; i < 1000; ++i) {
    const Clock::time_point now = Clock::now();
    look = std::min(look, between(before, now));
    before = now;
  }
  return look <= 100 ? 1000 : look <= 1000 ? 10'000 : 100'000;
}

void watch(std::optional<std::uint32_t> cpu, std::chrono::nanoseconds time, Gaps& gaps) {
  if (cpu)
    if (gaps.result = confine_to(*cpu); gaps.result.outcome != Outcome::done) return;
  gaps.over = shortest_gap();
  // Filled, so that no page of it is new when a gap is written down.
  gaps.nanoseconds.assign(kMostGaps, 0);
  std::size_t count = 0;
  std::uint32_t here = current_cpu();
  const Clock::time_point begun = Clock::now();
  const Clock::time_point end = begun + time;
  Clock::time_point before = begun;
  while (before < end && count < kMostGaps) {
    const Clock::time_point now = Clock::now();
    if (const double gap = between(before, now); gap > gaps.over) {
      const std::uint32_t after = current_cpu();
      if (cpu && after != *cpu) {
        ++gaps.strays;
      } else {
        if (!cpu && after != here) ++gaps.moves;
        gaps.nanoseconds[count++] = gap;
      }
      here = after;
    }
    before = now;
  }
  gaps.elapsed = between(begun, before);
  gaps.nanoseconds.resize(count);
}

}  // namespace

Gaps measure_gaps(std::optional<std::uint32_t> cpu, std::chrono::nanoseconds time) {
  Gaps gaps;
  std::thread([&] { watch(cpu, time, gaps); }).join();
  return gaps;
}

}  // namespace groupaffinity
