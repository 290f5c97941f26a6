// How long a cache line takes from one CPU to another and back.
#pragma once

#include <cstdint>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

struct RoundTrips {
  Result result;                    // of confining the two threads
  std::vector<double> nanoseconds;  // of one round trip, a sample each
  std::uint32_t strays = 0;         // samples thrown away: a thread was elsewhere before or after
};

// Two threads of their own, each confined to one CPU, hand a word to and fro `rounds` times a sample, on a cache line
// that is new to each sample. Blocks the caller. A pair that does not get on for two seconds ends with what there is.
[[nodiscard]] RoundTrips measure_round_trips(std::uint32_t one, std::uint32_t other, std::uint32_t rounds,
                                             std::uint32_t samples);

}  // namespace groupaffinity
