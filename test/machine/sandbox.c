// Starts a program that may place only the thread that calls, as some sandboxes have it: for
// test/machine/threads.test.ts. sched_setaffinity, sched_setscheduler and setpriority of another thread fail with EPERM
// (seccomp(2)); so does tgkill, with a second argument of "deaf".
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))

int main(int count, char** words) {
  const int deaf = count > 1 && strcmp(words[1], "deaf") == 0;
  if (count < 3) {
    fprintf(stderr, "sandbox open|deaf PROGRAM...\n");
    return 2;
  }
  // A jump counts the lines that it leaps over.
  struct sock_filter rules[] = {
      LOAD(arch),
      IS(ARCHITECTURE, 0, 9),
      LOAD(nr),
      IS(SYS_sched_setaffinity, 3, 0),
      IS(SYS_sched_setscheduler, 2, 0),
      IS(SYS_setpriority, 3, 0),
      IS(deaf ? SYS_tgkill : ~0u, 5, 4),
      LOAD(args[0]),
      BPF_STMT(BPF_JMP | BPF_JA, 1),
      LOAD(args[1]),
      IS(0, 0, 1),  // the calling thread
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
  const struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("sandbox");
    return 3;
  }
  execvp(words[2], &words[2]);
  perror(words[2]);
  return 4;
}
