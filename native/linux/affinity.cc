// The calling thread's set of CPUs. What an exchange can do before its system call it does before: code and data that
// are used for the first time after one are cold, and cost more than all else here.
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string_view>

#include "../platform.h"
#include "cgroup.h"
#include "kernel_calls.h"
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
    const long answer = kernel_get_affinity(words);
    if (answer > 0) return count;
    if (answer != -EINVAL) break;
  }
  return 1;
}

template <std::size_t Extent>
[[gnu::always_inline]] inline std::uint32_t get(std::span<Word, Extent> words) noexcept {
  const long bytes = kernel_get_affinity(words);
  if (bytes < 0) [[unlikely]]
    return static_cast<std::uint32_t>(-bytes);
  // The kernel writes its own mask's size, which may be less.
  for (std::size_t i = static_cast<std::size_t>(bytes) / sizeof(Word); i < words.size(); ++i) words[i] = 0;
  return 0;
}

std::uint32_t set(ConstWords words) noexcept { return static_cast<std::uint32_t>(-kernel_set_affinity(words)); }

// Loops of our own, because the C library is cold after a system call; and over a span of known size, as most machines
// have it, no loops at all: so is what predicts branches.
bool equal(const auto& a, const auto& b) noexcept {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) return false;
  return true;
}

void copy(const auto& from, const auto& to) noexcept {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i];
}

bool subset(const auto& part, const auto& whole) noexcept {
  for (std::size_t i = 0; i < part.size(); ++i)
    if ((part[i] & ~whole[i]) != 0) return false;
  return true;
}

bool single(const auto& words) noexcept {
  bool found = false;
  for (const Word word : words) {
    if (word == 0) continue;
    // Not std::has_single_bit, which is a call where processors without popcnt are served.
    if (found || (word & (word - 1)) != 0) return false;
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

void copy_set(const CpuSet& cpus, Words words) noexcept {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = i < cpus.words().size() ? cpus.words()[i] : 0;
}

// False where /sys can't be read: then nobody knows.
bool running_cpus(Words words) noexcept {
  std::array<char, 16384> buffer;
  CpuSet online;
  if (!parse_cpulist(slurp("/sys/devices/system/cpu/online", buffer), online) || online.empty()) return false;
  copy_set(online, words);
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
  Words view;   // what sched_getaffinity() says
  Words exact;  // what sched_setaffinity() must be given to bring it back
};

// Of one thread. Side by side in memory: each further page that is touched after a system call is a part of its cost.
class ThreadMemory {
  std::vector<Word> room_ = std::vector<Word>(9 * mask_words());

  Words part(std::size_t number) noexcept { return Words(room_).subspan(number * mask_words(), mask_words()); }

 public:
  Known narrow{part(0), part(1)};  // last set here
  Words view = part(2);
  Words scratch = part(3);
  Words seen = part(4);      // in force a moment ago,
  std::int64_t seen_at = 0;  // by the clock of now()
  Words in_force = part(5);
  Known wide{part(6), part(7)};  // last learned from /proc
  Words running = part(8);
};

std::int64_t now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// CPUs that were in force this long ago, in nanoseconds, are still running and granted: the thread itself can't have
// taken one offline or left its cpuset in so short a time, and what others do meanwhile may as well have come after.
constexpr std::int64_t kMoment = 20'000;

[[gnu::noinline]] void see_several(ThreadMemory& mine, ConstWords view) noexcept {
  const std::int64_t time = now();
  if (time - mine.seen_at < kMoment && !subset(mine.seen, view)) return;
  copy(view, mine.seen);
  mine.seen_at = time;
}

// One CPU alone proves nothing that is ever asked for.
[[gnu::always_inline]] inline void see(ThreadMemory& mine, const auto& view) noexcept {
  if (!single(view)) [[unlikely]]
    see_several(mine, view);
}

bool seen_lately(const ThreadMemory& mine, const auto& wanted) noexcept {
  return subset(wanted, mine.seen) && now() - mine.seen_at < kMoment;
}

// Not inlined: then its address stays in a register over the system calls.
[[gnu::noinline]] ThreadMemory& memory() noexcept {
  thread_local ThreadMemory own;
  return own;
}

void remember(Known& known, const auto& view, const auto& exact) noexcept {
  copy(view, known.view);
  copy(exact, known.exact);
}

// No view is empty.
void forget(Known& known) noexcept { std::ranges::fill(known.view, Word{0}); }

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

[[gnu::noinline]] void learn_exact(ThreadMemory& mine, ConstWords view) {
  copy(view, mine.wide.view);
  copy_set(cpus_allowed("/proc/thread-self/status"), mine.wide.exact);
  if (!subset(view, mine.wide.exact)) copy(view, mine.wide.exact);
  widen_to_everything(mine.wide.exact);
}

// What brings back the set that shows as `view`. True where it was set here, and /proc need not be asked.
[[gnu::always_inline]] inline bool exact_of(ThreadMemory& mine, const auto& view, const auto& exact) {
  if (equal(view, mine.narrow.view)) [[likely]] {
    copy(mine.narrow.exact, exact);
    return true;
  }
  learn_exact(mine, view);
  copy(mine.wide.exact, exact);
  return false;
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

// What became of a set that was refused, or of which it isn't known whether all of it is running and granted.
[[gnu::noinline]] Result look_again(ThreadMemory& mine, ConstWords wanted, ConstWords exact, bool known,
                                    std::uint32_t error) noexcept {
  const Result result = error != 0 ? classify_refusal(wanted, error) : settle(wanted, exact, mine.in_force);
  if (result.outcome == Outcome::done || result.outcome == Outcome::trimmed) {
    see(mine, mine.in_force);
    remember(mine.narrow, mine.in_force, mine.in_force);
  } else if (known) {
    remember(mine.narrow, mine.view, exact);
  } else {
    forget(mine.narrow);
  }
  return result;
}

// The exchanges, over spans of known size where that is one word. What is then in force: `wanted` on `done`,
// mine.in_force on `trimmed`.
template <std::size_t Extent>
[[gnu::always_inline]] inline Result exchange_from_view(ThreadMemory& mine, std::span<const Word, Extent> wanted,
                                                        std::span<Word, Extent> view,
                                                        std::span<Word, Extent> previous) noexcept {
  see(mine, view);
  const bool known = exact_of(mine, view, previous);
  // A part of what was in force is running and allowed; one CPU alone is, or the kernel refuses.
  const bool granted = subset(wanted, view) || single(wanted) || seen_lately(mine, wanted);
  remember(mine.narrow, wanted, wanted);
  const std::uint32_t error = set(wanted);
  if (error == 0 && granted) [[likely]]
    return {};
  return look_again(mine, wanted, previous, known, error);
}

template <std::size_t Extent>
[[gnu::always_inline]] inline Result exchange_sets(ThreadMemory& mine, std::span<const Word, Extent> wanted,
                                                   std::span<Word, Extent> previous,
                                                   std::span<Word, Extent> in_force) noexcept {
  const std::span<Word, Extent> view(mine.view.data(), wanted.size());
  copy(wanted, in_force);
  if (const std::uint32_t error = get(view); error != 0) return failure(error);
  const Result result = exchange_from_view<Extent>(mine, wanted, view, previous);
  if (result.outcome == Outcome::trimmed) copy(mine.in_force, in_force);
  return result;
}

template <std::size_t Extent>
[[gnu::always_inline]] inline Result exchange_groups(ThreadMemory& mine, const Groups& formed, GroupMask& slice,
                                                     std::span<Word, Extent> previous) noexcept {
  const std::span<Word, Extent> view(mine.view.data(), previous.size());
  if (const std::uint32_t error = get(view); error != 0) [[unlikely]]
    return failure(error);
  if (formed.count() > 1) [[unlikely]]
    slice = formed.slice(view, current_cpu());
  else
    slice = {0, formed.gather(0, view)};
  return exchange_from_view<Extent>(mine, std::span<const Word, Extent>(mine.scratch.data(), previous.size()), view,
                                    previous);
}

// The same for the machines of more than 64 CPUs: apart, so that the other ones stay small.
[[gnu::noinline]] Result exchange_wide_sets(ThreadMemory& mine, ConstWords wanted, Words previous,
                                            Words in_force) noexcept {
  return exchange_sets<std::dynamic_extent>(mine, wanted, previous, in_force);
}

[[gnu::noinline]] Result exchange_wide_groups(ThreadMemory& mine, const Groups& formed, GroupMask& slice,
                                              Words previous) noexcept {
  return exchange_groups<std::dynamic_extent>(mine, formed, slice, previous);
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
  exact_of(memory(), words, exact);
  return {};
}

Result exchange_affinity(ConstWords wanted, Words previous, Words in_force) noexcept {
  ThreadMemory& mine = memory();
  if (wanted.size() == 1) return exchange_sets<1>(mine, wanted.first<1>(), previous.first<1>(), in_force.first<1>());
  return exchange_wide_sets(mine, wanted, previous, in_force);
}

Result exchange_group_affinity(const GroupMask& wanted, GroupMask& previous_slice, Words previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  if (wanted.mask == 0 || (wanted.mask & ~formed->maximum(wanted.group)) != 0) return {Outcome::not_a_processor, 0};
  ThreadMemory& mine = memory();
  // A CPU beyond the kernel's masks exists in no machine that this kernel runs.
  if (!formed->scatter(wanted, mine.scratch)) return {Outcome::none_running, 0};
  if (previous.size() == 1) return exchange_groups<1>(mine, *formed, previous_slice, previous.first<1>());
  return exchange_wide_groups(mine, *formed, previous_slice, previous);
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
