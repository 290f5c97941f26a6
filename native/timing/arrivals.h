// How long a running thread takes to get where another thread sends it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

struct Arrivals {
  Result result;                    // of confining the threads, and of sending the one
  std::vector<double> nanoseconds;  // from the call that sends it until it sees itself there, a sample each
  std::uint32_t strays = 0;  // samples thrown away: it was not on the CPU that it was to leave, or did not arrive
};

// A thread runs on CPU `from` and looks where it is; one on CPU `caller` gives it CPU `to`, and brings it back after.
// It ends after so many samples, or when the time is over. Blocks the caller. Where `caller` is `to` the one that sends
// waits, and so makes room for the one that arrives.
[[nodiscard]] Arrivals measure_arrivals(std::uint32_t caller, std::uint32_t from, std::uint32_t to,
                                        std::uint32_t samples, std::chrono::nanoseconds time);

}  // namespace groupaffinity
