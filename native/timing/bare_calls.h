// What the calls of affinity.cc can't be faster than, timed where JavaScript can interleave it with what it times.
#pragma once

#include <cstdint>
#include <span>

#include "../platform.h"

namespace groupaffinity {

struct Timed {
  double nanoseconds = 0;      // of all calls together
  std::uint32_t os_error = 0;  // of the first call that failed; then nothing was timed
};

// The steady clock, exact to the nanosecond for the first 104 days that the machine is up.
[[nodiscard]] double clock_nanoseconds() noexcept;

// Calls bare_exchange() `count` times, with `first` and `second` in turn.
[[nodiscard]] Timed time_bare_exchanges(std::span<const Word> first, std::span<const Word> second,
                                        std::uint32_t count) noexcept;

// Calls current_cpu() `count` times.
[[nodiscard]] Timed time_current_cpu(std::uint32_t count) noexcept;

}  // namespace groupaffinity
