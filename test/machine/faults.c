// Operating systems that are broken, for test/machine/faults.test.ts: preloaded, it lies in one way, which the
// environment variable GROUPAFFINITY_FAULT names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

typedef long (*system_call)(long, ...);
enum { kLongest = 8192 };

static system_call real_call(void) {
  static system_call found;
  if (found == NULL) found = (system_call)dlsym(RTLD_NEXT, "syscall");
  return found;
}

static int lies(const char *how) {
  static const char *fault;
  if (fault == NULL) {
    fault = getenv("GROUPAFFINITY_FAULT");
    if (fault == NULL) fault = "";
  }
  return strcmp(fault, how) == 0;
}

struct mask {
  size_t bytes;
  unsigned char bits[kLongest];
};

// Of the calling thread: what the lies of this file need to remember.
static __thread struct mask asked, before;
static __thread int has_set;

static int has(const unsigned char *bits, size_t cpu) { return (bits[cpu / 8] >> (cpu % 8)) & 1; }

static long get(long thread, size_t bytes, unsigned char *bits) {
  return real_call()(SYS_sched_getaffinity, thread, bytes, bits);
}

static long set(long thread, size_t bytes, const unsigned char *bits) {
  return real_call()(SYS_sched_setaffinity, thread, bytes, bits);
}

static long lying_set(long thread, size_t bytes, const unsigned char *bits) {
  struct mask wrong = {.bytes = bytes};
  if (bytes > kLongest) return set(thread, bytes, bits);
  memcpy(wrong.bits, bits, bytes);

  if (lies("does-nothing")) return 0;
  if (lies("lowest-only") || lies("one-more")) {
    const int lowest = lies("lowest-only");
    size_t cpu = 0;
    while (cpu < bytes * 8 && has(bits, cpu) != lowest) ++cpu;
    if (lowest) memset(wrong.bits, 0, bytes);
    if (cpu < bytes * 8) wrong.bits[cpu / 8] |= (unsigned char)(1u << (cpu % 8));
    return set(thread, bytes, wrong.bits);
  }
  if (lies("late")) {  // what was asked for the last time
    const struct mask last = asked;
    asked = wrong;
    return last.bytes == 0 ? 0 : set(thread, last.bytes, last.bits);
  }
  if (lies("keeps-forbidden")) {
    const long result = set(thread, bytes, bits);
    if (result != 0 && errno != EINVAL) return result;
    asked = wrong;
    has_set = 1;
    return 0;
  }
  if (lies("refuses-afterwards")) {
    if (set(thread, bytes, bits) != 0) return -1;
    errno = EPERM;
    return -1;
  }
  if (lies("shows-previous")) {
    before.bytes = bytes;
    memset(before.bits, 0, sizeof before.bits);
    has_set = get(thread, bytes, before.bits) > 0;
    return set(thread, bytes, bits);
  }
  if (lies("whole-process")) {
    const long result = set(thread, bytes, bits);
    if (result == 0) set(getpid(), bytes, bits);
    return result;
  }
  return set(thread, bytes, bits);
}

static long lying_get(long thread, size_t bytes, unsigned char *bits) {
  const long result = get(thread, bytes, bits);
  if (result <= 0 || (size_t)result > kLongest) return result;
  if (lies("shows-all")) {
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    memset(bits, 0, (size_t)result);
    for (long cpu = 0; cpu < cpus && cpu < result * 8; ++cpu) bits[cpu / 8] |= (unsigned char)(1u << (cpu % 8));
  }
  if (lies("shows-previous") && has_set) memcpy(bits, before.bits, (size_t)result);
  if (lies("keeps-forbidden") && has_set) memcpy(bits, asked.bits, (size_t)result);
  return result;
}

long syscall(long number, ...) {
  va_list rest;
  long a[6];
  va_start(rest, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(rest, long);
  va_end(rest);
  // 0 is the calling thread; how Node asks about others is no concern of this file.
  if (number == SYS_sched_setaffinity && a[0] == 0) return lying_set(a[0], (size_t)a[1], (const unsigned char *)a[2]);
  if (number == SYS_sched_getaffinity && a[0] == 0) return lying_get(a[0], (size_t)a[1], (unsigned char *)a[2]);
  return real_call()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int sched_getcpu(void) {
  static int (*real)(void);
  if (real == NULL) real = (int (*)(void))dlsym(RTLD_NEXT, "sched_getcpu");
  const int cpu = real();
  if (lies("one-cpu-only")) return 0;
  return cpu;
}

// glibc declares an enumeration for C++ and C alike, musl an int; the call is the same.
#ifdef __GLIBC__
int setpriority(__priority_which_t which, id_t who, int level) {
  static int (*real)(__priority_which_t, id_t, int);
  if (real == NULL) real = (int (*)(__priority_which_t, id_t, int))dlsym(RTLD_NEXT, "setpriority");
#else
int setpriority(int which, id_t who, int level) {
  static int (*real)(int, id_t, int);
  if (real == NULL) real = (int (*)(int, id_t, int))dlsym(RTLD_NEXT, "setpriority");
#endif
  if (lies("pretends-priority")) return 0;
  return real(which, who, level);
}
