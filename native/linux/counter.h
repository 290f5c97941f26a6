// The processor's own counter of time, read in place.
#pragma once

#include "../platform.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace groupaffinity {

// Whether it counts at one rate on every CPU, whatever a CPU does meanwhile: the "invariant TSC" of CPUID 80000007h
// (Intel's manual, volume 3, "Invariant TSC"; AMD's, volume 2, "Time-Stamp Counter"). On CPUs whose counters differ by
// an offset, as firmware may leave two sockets, a span between them is wrong by that.
inline bool has_steady_counter() noexcept {
#ifdef __x86_64__
  unsigned int a = 0;
  unsigned int b = 0;
  unsigned int c = 0;
  unsigned int d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 0x100) != 0;
#else
  return false;
#endif
}

// Only where it is steady.
[[gnu::always_inline]] inline Word read_counter() noexcept {
#ifdef __x86_64__
  return __rdtsc();
#else
  return 0;
#endif
}

}  // namespace groupaffinity
