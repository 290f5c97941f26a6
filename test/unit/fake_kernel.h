// Put before native/linux/affinity.cc when it is compiled for the test: its calls go to the kernel of
// linux_affinity.cc.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "../../native/linux/counter.h"
#include "../../native/linux/kernel_calls.h"

namespace groupaffinity {
long fake_get_affinity(std::span<Word> words) noexcept;
long fake_set_affinity(std::span<const Word> words) noexcept;
}  // namespace groupaffinity
int fake_open(const char* path, int flags, ...);
int fake_cpu();
int fake_clock(clockid_t, timespec* time);
bool fake_has_counter();
groupaffinity::Word fake_counter();

#define kernel_get_affinity fake_get_affinity
#define kernel_set_affinity fake_set_affinity
#define open fake_open
#define sched_getcpu fake_cpu
#define clock_gettime fake_clock
#define has_steady_counter fake_has_counter
#define read_counter fake_counter
