// Operating systems that are broken, for test/machine/faults.test.ts: preloaded, it lies in one way, which the
// environment variable GROUPAFFINITY_FAULT names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <ucontext.h>
#include <unistd.h>

enum { kLongest = 8192 };

// In the sixth argument, which these calls do not have: a call that this file makes itself.
static const unsigned long kOwn = 0x5eed0fa11a5c0deUL;

// As the kernel answers: a negative error number for a failure.
static long real_call(long number, long thread, size_t bytes, const void* bits) {
  const long result = syscall(number, thread, bytes, bits, 0L, 0L, kOwn);
  return result < 0 ? -errno : result;
}

static int lies(const char* how) {
  static const char* fault;
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

static int has(const unsigned char* bits, size_t cpu) { return (bits[cpu / 8] >> (cpu % 8)) & 1; }

static long get(long thread, size_t bytes, unsigned char* bits) {
  return real_call(SYS_sched_getaffinity, thread, bytes, bits);
}

static long set(long thread, size_t bytes, const unsigned char* bits) {
  return real_call(SYS_sched_setaffinity, thread, bytes, bits);
}

static long lying_set(long thread, size_t bytes, const unsigned char* bits) {
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
    if (result != 0 && result != -EINVAL) return result;
    asked = wrong;
    has_set = 1;
    return 0;
  }
  if (lies("refuses-afterwards")) {
    const long result = set(thread, bytes, bits);
    return result != 0 ? result : -EPERM;
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

static long lying_get(long thread, size_t bytes, unsigned char* bits) {
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

// The kernel stops both calls here, however they are made (seccomp(2), SECCOMP_RET_TRAP).
static void answer(int signal, siginfo_t* info, void* context) {
  (void)signal;
  ucontext_t* const thread = context;
  const int saved = errno;
#if defined(__x86_64__)
  greg_t* const r = thread->uc_mcontext.gregs;
  const long who = r[REG_RDI], bytes = r[REG_RSI], bits = r[REG_RDX];
  greg_t* const result = &r[REG_RAX];
#else
  unsigned long long* const r = thread->uc_mcontext.regs;
  const long who = (long)r[0], bytes = (long)r[1], bits = (long)r[2];
  unsigned long long* const result = &r[0];
#endif
  if (info->si_syscall == SYS_sched_setaffinity)
    *result = lying_set(who, (size_t)bytes, (const unsigned char*)bits);
  else
    *result = lying_get(who, (size_t)bytes, (unsigned char*)bits);
  errno = saved;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define WORD(field, part) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + (part))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define IF(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)

// 0 is the calling thread; how Node asks about others is no concern of this file.
__attribute__((constructor)) static void begin(void) {
  struct sock_filter filter[] = {
      LOAD(arch),
      UNLESS(ARCHITECTURE, 9),
      LOAD(nr),
      IF(SYS_sched_setaffinity, 1),
      UNLESS(SYS_sched_getaffinity, 6),
      WORD(args[0], 0),
      UNLESS(0, 4),
      WORD(args[5], 0),
      UNLESS((unsigned)kOwn, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  const struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
  static int (*real)(int, const struct sigaction*, struct sigaction*);
  real = (int (*)(int, const struct sigaction*, struct sigaction*))dlsym(RTLD_NEXT, "sigaction");
  if (real(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    abort();
}

// Node gives every signal its default back when it starts.
int sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
  static int (*real)(int, const struct sigaction*, struct sigaction*);
  if (real == NULL) real = (int (*)(int, const struct sigaction*, struct sigaction*))dlsym(RTLD_NEXT, "sigaction");
  return real(signal, signal == SIGSYS ? NULL : action, old);
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
