// sched_getaffinity(2) and sched_setaffinity(2) on the calling thread, always addressed as thread 0: sandboxes allow
// nothing else. Raw system calls, because glibc's wrappers fix the mask at 1,024 CPUs; made in place, because what runs
// first after a system call runs cold, and a return through the C library is part of that.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "../platform.h"

namespace groupaffinity {

// The kernel's answer: a negative error number, or what the call returns.
[[gnu::always_inline]] inline long affinity_call(long call, std::size_t bytes, const Word* words) noexcept {
#if defined(__x86_64__) && defined(__LP64__)
  long answer = call;
  const long thread = 0;
  asm volatile("syscall" : "+a"(answer) : "D"(thread), "S"(bytes), "d"(words) : "rcx", "r11", "memory");
  return answer;
#elif defined(__aarch64__) && defined(__LP64__)
  register long number asm("x8") = call;
  register long answer asm("x0") = 0;
  register std::size_t size asm("x1") = bytes;
  register const Word* mask asm("x2") = words;
  asm volatile("svc #0" : "+r"(answer) : "r"(number), "r"(size), "r"(mask) : "memory");
  return answer;
#else
  const long answer = syscall(call, 0, bytes, words);
  return answer < 0 ? -errno : answer;
#endif
}

// The bytes written, which may be fewer than the words have; or a negative error number.
[[gnu::always_inline]] inline long kernel_get_affinity(std::span<Word> words) noexcept {
  return affinity_call(SYS_sched_getaffinity, words.size_bytes(), words.data());
}

// 0, or a negative error number.
[[gnu::always_inline]] inline long kernel_set_affinity(std::span<const Word> words) noexcept {
  return affinity_call(SYS_sched_setaffinity, words.size_bytes(), words.data());
}

}  // namespace groupaffinity
