// The floor for Python, as native/timing/bare_calls.cc is for Node: the same two system calls, in a loop in C.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static __attribute__((noinline)) int exchange(const uint64_t* wanted, uint64_t* previous, size_t bytes) {
  if (syscall(SYS_sched_getaffinity, 0, bytes, previous) < 0) return -1;
  return syscall(SYS_sched_setaffinity, 0, bytes, wanted) == 0 ? 0 : -1;
}

// Nanoseconds of `count` exchanges with the two masks in turn; -1 where the kernel refuses.
double exchanges(const uint64_t* first, const uint64_t* second, uint64_t* previous, size_t bytes, uint32_t count) {
  const double begun = nanoseconds();
  for (uint32_t i = 0; i < count; ++i)
    if (exchange(i % 2 == 0 ? first : second, previous, bytes) != 0) return -1;
  return nanoseconds() - begun;
}
