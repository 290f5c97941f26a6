// When a thread that always has something to do does not run.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

struct Gaps {
  Result result;                    // of confining the thread
  double over = 0;                  // ns; a shorter time between two looks at the clock is no gap
  double elapsed = 0;               // ns, all looks together
  std::vector<double> nanoseconds;  // of each gap
  std::uint32_t strays = 0;         // gaps thrown away: the thread was not on its CPU after them
  std::uint32_t moves = 0;          // how often a thread that may run anywhere came out of a gap on another CPU
};

// A thread of its own, confined to one CPU or to none, looks at the clock again and again for so long. Blocks the
// caller. A gap is what lies between two looks and takes longer than `over`: the shortest of 1, 10 and 100 µs that is
// ten times what a look takes. It ends early after 65,536 gaps.
[[nodiscard]] Gaps measure_gaps(std::optional<std::uint32_t> cpu, std::chrono::nanoseconds time);

}  // namespace groupaffinity
