// Put before native/linux/affinity.cc when it is compiled for the test: its calls go to the kernel of
// linux_affinity.cc.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

long fake_syscall(long number, ...);
int fake_open(const char* path, int flags, ...);
int fake_cpu();
int fake_clock(clockid_t, timespec* time);

#define syscall fake_syscall
#define open fake_open
#define sched_getcpu fake_cpu
#define clock_gettime fake_clock
