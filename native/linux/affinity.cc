// sched_setaffinity(2) and sched_getaffinity(2) on the calling thread, always addressed as thread 0: sandboxes allow
// nothing else. Raw system calls, because glibc's wrappers fix the mask at 1,024 CPUs.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string_view>

#include "../platform.h"
#include "cpuset.h"
#include "sysfs_text.h"

namespace groupaffinity {
namespace {

using Words = std::span<Word>;
using ConstWords = std::span<const Word>;

// The kernel accepts a mask that covers nr_cpu_ids, in whole words, and returns EINVAL for a shorter one.
std::size_t probe_mask_words() noexcept {
  std::vector<Word> words;
  for (std::size_t count = 1; count <= kMaxCpus / kWordBits; count *= 2) {
    words.assign(count, 0);
    const long bytes = syscall(SYS_sched_getaffinity, 0, count * sizeof(Word), words.data());
    if (bytes > 0) return count;
    if (errno != EINVAL) break;
  }
  return 1;
}

std::uint32_t get(Words words) noexcept {
  const long bytes = syscall(SYS_sched_getaffinity, 0, words.size_bytes(), words.data());
  if (bytes < 0) return static_cast<std::uint32_t>(errno);
  // The kernel writes its own mask's size, which may be less.
  for (std::size_t i = static_cast<std::size_t>(bytes) / sizeof(Word); i < words.size(); ++i) words[i] = 0;
  return 0;
}

std::uint32_t set(ConstWords words) noexcept {
  return syscall(SYS_sched_setaffinity, 0, words.size_bytes(), words.data()) == 0 ? 0
                                                                                  : static_cast<std::uint32_t>(errno);
}

bool equal(ConstWords a, ConstWords b) noexcept { return std::ranges::equal(a, b); }

bool subset(ConstWords part, ConstWords whole) noexcept {
  for (std::size_t i = 0; i < part.size(); ++i)
    if ((part[i] & ~whole[i]) != 0) return false;
  return true;
}

bool single(ConstWords words) noexcept {
  bool found = false;
  for (const Word word : words) {
    if (word == 0) continue;
    if (found || !std::has_single_bit(word)) return false;
    found = true;
  }
  return found;
}

// A whole small file of /sys or /proc; cut at the buffer's end.
std::string_view slurp(const char* path, std::span<char> buffer) noexcept {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::size_t length = 0;
  while (length < buffer.size()) {
    const ssize_t bytes = read(file, buffer.data() + length, buffer.size() - length);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    length += static_cast<std::size_t>(bytes);
  }
  close(file);
  return {buffer.data(), length};
}

void copy(const CpuSet& cpus, Words words) noexcept {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = i < cpus.words().size() ? cpus.words()[i] : 0;
}

// False where /sys can't be read: then nobody knows.
bool running_cpus(Words words) noexcept {
  std::array<char, 16384> buffer;
  CpuSet online;
  if (!parse_cpulist(slurp("/sys/devices/system/cpu/online", buffer), online) || online.empty()) return false;
  copy(online, words);
  return true;
}

// sched_getaffinity() hides the CPUs of a thread's set that are offline; /proc shows them (proc(5), Cpus_allowed), and
// only that can be given back bit for bit. Empty where /proc can't be read.
CpuSet cpus_allowed(const char* status_path) noexcept {
  std::array<char, 32768> buffer;
  CpuSet cpus;
  if (const auto field = status_field(slurp(status_path, buffer), "Cpus_allowed"))
    static_cast<void>(parse_cpumask(*field, cpus));
  return cpus;
}

// What this thread's set is, bit for bit, while the kernel's view of it stays the same: reading /proc costs ten times
// the system call, and a program that pins in a loop goes back and forth between two sets.
struct Known {
  std::vector<Word> view;   // what sched_getaffinity() says
  std::vector<Word> exact;  // what sched_setaffinity() must be given to bring it back
};
struct ThreadMemory {
  Known wide;    // last learned from /proc
  Known narrow;  // last set here
  std::vector<Word> view, scratch, running;
  std::vector<Word> seen;    // in force a moment ago,
  std::int64_t seen_at = 0;  // by the clock of now()

  ThreadMemory() {
    for (auto* words : {&wide.view, &wide.exact, &narrow.view, &narrow.exact, &view, &scratch, &running, &seen})
      words->resize(mask_words());
  }
};

std::int64_t now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// CPUs that were in force this long ago, in nanoseconds, are still running and granted: the thread itself can't have
// taken one offline or left its cpuset in so short a time, and what others do meanwhile may as well have come after.
constexpr std::int64_t kMoment = 20'000;

void see(ThreadMemory& mine, ConstWords view) noexcept {
  // One CPU alone proves nothing that is ever asked for.
  if (single(view)) return;
  const std::int64_t time = now();
  if (time - mine.seen_at < kMoment && !subset(mine.seen, view)) return;
  std::ranges::copy(view, mine.seen.begin());
  mine.seen_at = time;
}

bool seen_lately(const ThreadMemory& mine, ConstWords wanted) noexcept {
  return subset(wanted, mine.seen) && now() - mine.seen_at < kMoment;
}

ThreadMemory& memory() noexcept {
  thread_local ThreadMemory own;
  return own;
}

void remember(Known& known, ConstWords view, ConstWords exact) noexcept {
  std::ranges::copy(view, known.view.begin());
  std::ranges::copy(exact, known.exact.begin());
}

// A thread that has all of its cpuset follows it when it changes; only a set of everything brings that back, because
// since Linux 6.2 the kernel remembers what was asked for, not what the cpuset left of it.
void widen_to_everything(Words exact) {
  CpuSet granted;
  if (!read_own_cpuset(granted)) return;
  bool whole = true;
  granted.for_each([&](std::uint32_t cpu) {
    if (cpu / kWordBits < exact.size()) whole = whole && ((exact[cpu / kWordBits] >> (cpu % kWordBits)) & 1) != 0;
  });
  if (whole) std::ranges::fill(exact, ~Word{0});
}

ConstWords exact_of(ThreadMemory& mine, ConstWords view) {
  if (equal(mine.narrow.view, view)) return mine.narrow.exact;
  std::ranges::copy(view, mine.wide.view.begin());
  copy(cpus_allowed("/proc/thread-self/status"), mine.wide.exact);
  if (!subset(view, mine.wide.exact)) std::ranges::copy(view, mine.wide.exact.begin());
  widen_to_everything(mine.wide.exact);
  return mine.wide.exact;
}

Result failure(std::uint32_t error) noexcept {
  return {error == ENOSYS ? Outcome::unsupported : Outcome::refused, error};
}

// EINVAL: no CPU of `wanted` is both running and in the thread's cpuset.
Result classify_refusal(ConstWords wanted, std::uint32_t error) noexcept {
  if (error != EINVAL) return failure(error);
  ThreadMemory& mine = memory();
  if (running_cpus(mine.running)) {
    Word any = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) any |= wanted[i] & mine.running[i];
    if (any == 0) return {Outcome::none_running, error};
  }
  return {Outcome::not_allowed, error};
}

// After a set that asked for more than was known to be running: the kernel drops offline and forbidden CPUs without
// a word. Offline ones are dropped for good, so that one that returns does not widen the set behind everyone's back;
// for forbidden ones the set is undone.
Result settle(ConstWords wanted, ConstWords exact, Words in_force) noexcept {
  if (const std::uint32_t error = get(in_force); error != 0) return failure(error);
  if (equal(in_force, wanted)) return {};
  ThreadMemory& mine = memory();
  bool only_offline = running_cpus(mine.running);
  for (std::size_t i = 0; i < wanted.size() && only_offline; ++i)
    only_offline = (wanted[i] & mine.running[i] & ~in_force[i]) == 0;
  if (only_offline) {
    const std::uint32_t error = set(in_force);
    if (error == 0) return {Outcome::trimmed, 0};
  }
  static_cast<void>(set(exact));
  return {Outcome::not_allowed, EINVAL};
}

// mine.view holds what sched_getaffinity() just said.
Result exchange_from_view(ThreadMemory& mine, ConstWords wanted, Words previous, Words in_force) noexcept {
  see(mine, mine.view);
  std::ranges::copy(exact_of(mine, mine.view), previous.begin());
  if (const std::uint32_t error = set(wanted); error != 0) return classify_refusal(wanted, error);
  Result result;
  // A part of what was in force is running and allowed; one CPU alone is, or the kernel had refused.
  if (subset(wanted, mine.view) || single(wanted) || seen_lately(mine, wanted)) {
    std::ranges::copy(wanted, in_force.begin());
  } else {
    result = settle(wanted, previous, in_force);
    if (result.outcome != Outcome::done && result.outcome != Outcome::trimmed) return result;
    see(mine, in_force);
  }
  remember(mine.narrow, in_force, in_force);
  return result;
}

}  // namespace

Support support() noexcept {
  return {.platform = "linux",
          .affinity = true,
          .spans_groups = true,
          .topology = true,
          .sysroot = true,
          .hardware_groups = false};
}

std::size_t mask_words() noexcept {
  static const std::size_t words = probe_mask_words();
  return words;
}

Result read_affinity(Words words, Words exact) noexcept {
  if (const std::uint32_t error = get(words); error != 0) return failure(error);
  std::ranges::copy(exact_of(memory(), words), exact.begin());
  return {};
}

Result exchange_affinity(ConstWords wanted, Words previous, Words in_force) noexcept {
  ThreadMemory& mine = memory();
  if (const std::uint32_t error = get(mine.view); error != 0) return failure(error);
  return exchange_from_view(mine, wanted, previous, in_force);
}

Result exchange_group_affinity(const GroupMask& wanted, GroupMask& previous_slice, Words previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  if (wanted.mask == 0 || (wanted.mask & ~formed->maximum(wanted.group)) != 0) return {Outcome::not_a_processor, 0};
  ThreadMemory& mine = memory();
  // A CPU beyond the kernel's masks exists in no machine that this kernel runs.
  if (!formed->scatter(wanted, mine.scratch)) return {Outcome::none_running, 0};
  if (const std::uint32_t error = get(mine.view); error != 0) return failure(error);
  previous_slice = formed->slice(mine.view, current_cpu());
  std::array<Word, kMaxCpus / kWordBits> in_force;
  return exchange_from_view(mine, mine.scratch, previous, Words(in_force).first(mine.view.size()));
}

Result restore_affinity(ConstWords previous) noexcept {
  ThreadMemory& mine = memory();
  std::uint32_t error = set(previous);
  Result result;
  if (error == EINVAL) {
    // Nothing of it is left to this process: the kernel makes of everything what it would have made of the old set.
    std::ranges::fill(mine.scratch, ~Word{0});
    error = set(mine.scratch);
    result.outcome = Outcome::trimmed;
  }
  if (error != 0) return failure(error);
  if (result.outcome == Outcome::trimmed || !equal(mine.wide.exact, previous))
    remember(mine.narrow, previous, previous);
  else
    remember(mine.narrow, mine.wide.view, previous);
  return result;
}

std::uint32_t current_cpu() noexcept {
  const int cpu = sched_getcpu();
  return cpu < 0 ? kNoCpu : static_cast<std::uint32_t>(cpu);
}

}  // namespace groupaffinity
