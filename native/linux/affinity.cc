// The calling thread's set of CPUs. A system call leaves the caches and the predictors of branches full of the kernel's
// ways: what an exchange costs beyond its two calls is the lines of memory that it touches and the branches that it
// takes, so it takes few of either.
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <memory>
#include <string_view>

#include "../platform.h"
#include "cgroup.h"
#include "counter.h"
#include "kernel_calls.h"
#include "sysfs_text.h"
#include "threads.h"

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
  // Kernels of 32 bits may write half a word.
  if constexpr (sizeof(long) < sizeof(Word)) std::ranges::fill(words, Word{0});
  const long bytes = kernel_get_affinity(words);
  if (bytes < 0) [[unlikely]]
    return static_cast<std::uint32_t>(-bytes);
  // The kernel writes its own mask's size, which may be less, and one word at least.
  if constexpr (Extent != 1 && sizeof(long) == sizeof(Word))
    for (std::size_t i = static_cast<std::size_t>(bytes) / sizeof(Word); i < words.size(); ++i) words[i] = 0;
  return 0;
}

std::uint32_t set(ConstWords words) noexcept { return static_cast<std::uint32_t>(-kernel_set_affinity(words)); }

// Over a span of one word, as most machines have them, none of these has a branch.
bool equal(const auto& a, const auto& b) noexcept {
  Word differ = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differ |= a[i] ^ b[i];
  return differ == 0;
}

void copy(const auto& from, const auto& to) noexcept {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i];
}

bool subset(const auto& part, const auto& whole) noexcept {
  Word beyond = 0;
  for (std::size_t i = 0; i < part.size(); ++i) beyond |= part[i] & ~whole[i];
  return beyond == 0;
}

bool several(const auto& words) noexcept {
  Word found = 0;
  Word more = 0;
  for (const Word word : words) {
    more |= (word & (word - 1)) | (found != 0 ? word : 0);
    found |= word;
  }
  return more != 0;
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

[[gnu::noinline]] Word clock() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Word>(std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
}

// Asked once: virtual machines answer CPUID slowly.
const bool counter_is_steady = has_steady_counter();

}  // namespace

// What this thread's set is, bit for bit, while the kernel's view of it stays the same: reading /proc costs ten times
// the system call, and a program that pins in a loop goes back and forth between two sets. All that an exchange needs
// of it is one line where masks have one word.
class ThreadMemory {
 public:
  enum Part : std::size_t {
    view,          // what sched_getaffinity() says,
    narrow_view,   // and what it says of the set that was set here last,
    narrow_exact,  // which this brings back by sched_setaffinity()
    grown,         // what a set of several CPUs grew to last: seen to be in force then, or by the call after it
    scratch,
    wide_view,  // as `narrow_`, for what was last learned from /proc
    wide_exact,
    in_force,
    running,
    parts
  };

  template <std::size_t Extent = std::dynamic_extent>
  [[nodiscard]] std::span<Word, Extent> operator[](Part part) noexcept {
    if constexpr (Extent == 1)
      return std::span<Word, 1>(&one_[part], 1);
    else
      return {words_ == 1 ? &one_[part] : &more_[part * words_], words_};
  }

  // When `grown` was set, by now(); 0: nothing is known of it.
  alignas(64) Word grown_at = 0;
  // Groups::plain(), once the groups are formed; 0 where masks have more than one word.
  Word plain = 0;

  // By the processor's counter where it will do: the clock lies in pages of the kernel's, cold ones here.
  [[nodiscard, gnu::always_inline]] Word now() const noexcept { return steady_ != 0 ? read_counter() : clock(); }

  // Whether `grown` was in force but a moment before. Then its CPUs are still running and granted: the thread itself
  // can't have taken one offline or left its cpuset in so short a time, and what others do meanwhile may as well have
  // come after.
  [[nodiscard, gnu::always_inline]] bool grew_just_before(Word at) const noexcept { return at - grown_at < moment_; }

 private:
  // counter_is_steady, here because what lies elsewhere is another page.
  std::uint32_t steady_ = std::uint32_t{counter_is_steady};
  // 20 microseconds, or what counters of 1 to 4 GHz count in 40 to 10.
  std::uint32_t moment_ = steady_ != 0 ? 40'000 : 20'000;
  Word one_[parts] = {};
  std::size_t words_ = mask_words();
  std::vector<Word> more_ = std::vector<Word>(words_ == 1 ? 0 : parts * words_);
};

namespace {

using Memory = ThreadMemory;

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

// What brings back a set that was not set here.
[[gnu::noinline]] void learn_exact(ThreadMemory& mine, ConstWords view, Words exact) {
  const Words wide = mine[Memory::wide_exact];
  copy(view, mine[Memory::wide_view]);
  // sched_getaffinity() hides offline CPUs of the set, and only with them is it given back bit for bit.
  copy_set(cpus_allowed("/proc/thread-self/status"), wide);
  if (!subset(view, wide)) copy(view, wide);
  widen_to_everything(wide);
  copy(wide, exact);
}

// The thread has `exact`, which shows as `view`.
template <std::size_t Extent = std::dynamic_extent>
[[gnu::always_inline]] inline void remember(ThreadMemory& mine, const auto& view, const auto& exact) noexcept {
  copy(view, mine.template operator[]<Extent>(Memory::narrow_view));
  copy(exact, mine.template operator[]<Extent>(Memory::narrow_exact));
}

// The thread has what was set here last. An empty view, which the kernel shows for a moment while the thread's CPU goes
// offline, says nothing.
template <std::size_t Extent = std::dynamic_extent>
[[gnu::always_inline]] inline bool is_known(ThreadMemory& mine, const auto& view) noexcept {
  Word any = 0;
  for (const Word word : view) any |= word;
  return (Word{any != 0} & Word{equal(view, mine.template operator[]<Extent>(Memory::narrow_view))}) != 0;
}

void forget(ThreadMemory& mine) noexcept { std::ranges::fill(mine[Memory::narrow_view], Word{0}); }

Result failure(std::uint32_t error) noexcept {
  return {error == ENOSYS ? Outcome::unsupported : Outcome::refused, error};
}

// EINVAL: no CPU of `wanted` is both running and in the thread's cpuset.
Result classify_refusal(ThreadMemory& mine, ConstWords wanted, std::uint32_t error) noexcept {
  if (error != EINVAL) return failure(error);
  const Words running = mine[Memory::running];
  if (running_cpus(running)) {
    Word any = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) any |= wanted[i] & running[i];
    if (any == 0) return {Outcome::none_running, error};
  }
  return {Outcome::not_allowed, error};
}

// After a set that asked for more than was known to be running: the kernel drops offline and forbidden CPUs without
// a word. Offline ones are dropped for good, so that one that returns does not widen the set behind everyone's back;
// for forbidden ones the set is undone.
Result settle(ThreadMemory& mine, ConstWords wanted, ConstWords exact, Words in_force) noexcept {
  if (const std::uint32_t error = get(in_force); error != 0) return failure(error);
  if (equal(in_force, wanted)) return {};
  const Words running = mine[Memory::running];
  bool only_offline = running_cpus(running);
  for (std::size_t i = 0; i < wanted.size() && only_offline; ++i)
    only_offline = (wanted[i] & running[i] & ~in_force[i]) == 0;
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
  const Words in_force = mine[Memory::in_force];
  const Result result = error != 0 ? classify_refusal(mine, wanted, error) : settle(mine, wanted, exact, in_force);
  mine.grown_at = 0;
  if (result.outcome == Outcome::done || result.outcome == Outcome::trimmed) {
    remember(mine, in_force, in_force);
    copy(in_force, mine[Memory::grown]);
    mine.grown_at = mine.now();
  } else if (known) {
    remember(mine, mine[Memory::view], exact);
  } else {
    forget(mine);
  }
  return result;
}

// The exchanges, over spans of known size where that is one word. What is then in force: `wanted` on `done`,
// mine[in_force] on `trimmed`.
template <std::size_t Extent>
[[gnu::always_inline]] inline Result exchange_from_view(ThreadMemory& mine, std::span<const Word, Extent> wanted,
                                                        std::span<Word, Extent> previous) noexcept {
  const auto part = [&](Memory::Part which) { return mine.template operator[]<Extent>(which); };
  const auto view = part(Memory::view);
  const bool known = is_known<Extent>(mine, view);
  if (known) [[likely]] {
    copy(part(Memory::narrow_exact), previous);
  } else {
    learn_exact(mine, view, previous);
    mine.grown_at = 0;
  }
  // A part of what was in force is running and allowed; one CPU alone is, or the kernel refuses.
  bool granted = true;
  if ((Word{!subset(wanted, view)} & Word{several(wanted)}) != 0) {
    const Word at = mine.now();
    granted = (Word{subset(wanted, part(Memory::grown))} & Word{mine.grew_just_before(at)}) != 0;
    copy(wanted, part(Memory::grown));
    mine.grown_at = at;
  }
  remember<Extent>(mine, wanted, wanted);
  const std::uint32_t error = set(wanted);
  if ((error | std::uint32_t{!granted}) != 0) [[unlikely]]
    return look_again(mine, wanted, previous, known, error);
  return {};
}

template <std::size_t Extent>
[[gnu::always_inline]] inline Result exchange_sets(ThreadMemory& mine, std::span<const Word, Extent> wanted,
                                                   std::span<Word, Extent> previous,
                                                   std::span<Word, Extent> in_force) noexcept {
  copy(wanted, in_force);
  if (const std::uint32_t error = get(mine.template operator[]<Extent>(Memory::view)); error != 0) [[unlikely]]
    return failure(error);
  const Result result = exchange_from_view<Extent>(mine, wanted, previous);
  if (result.outcome == Outcome::trimmed) copy(mine[Memory::in_force], in_force);
  return result;
}

// The same for the machines of more than 64 CPUs: apart, so that the other ones stay small.
[[gnu::noinline]] Result exchange_wide_sets(ThreadMemory& mine, ConstWords wanted, Words previous,
                                            Words in_force) noexcept {
  return exchange_sets<std::dynamic_extent>(mine, wanted, previous, in_force);
}

Result exchange_in_groups(ThreadMemory& mine, GroupMask wanted, GroupMask& slice, Words previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  if (previous.size() == 1) mine.plain = formed->plain();
  if (wanted.mask == 0 || (wanted.mask & ~formed->maximum(wanted.group)) != 0) return {Outcome::not_a_processor, 0};
  // A CPU beyond the kernel's masks exists in no machine that this kernel runs.
  const Words cpus = mine[Memory::scratch];
  if (!formed->scatter(wanted, cpus)) return {Outcome::none_running, 0};
  const Words view = mine[Memory::view];
  if (const std::uint32_t error = get(view); error != 0) return failure(error);
  slice = formed->count() > 1 ? formed->slice(view, current_cpu()) : GroupMask{0, formed->gather(0, view)};
  return exchange_from_view<std::dynamic_extent>(mine, cpus, previous);
}

// The same for the machines of other groups than CPUs 0 to n, and for what is no request: apart, as wide sets are.
[[gnu::noinline]] void* exchange_in_groups(ThreadMemory& mine, GroupMask wanted, Word* previous, AfterExchange* then,
                                           void* context) noexcept {
  GroupMask slice;
  const Result result = exchange_in_groups(mine, wanted, slice, Words(previous, mask_words()));
  return then(context, result, slice);
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

// Not in the thread's own block: C libraries that put libraries loaded late into what is left of it grant no such
// alignment there.
ThreadMemory& thread_memory() noexcept {
  thread_local const auto own = std::make_unique<ThreadMemory>();
  return *own;
}

Result read_affinity(ThreadMemory& mine, Words words, Words exact) noexcept {
  if (const std::uint32_t error = get(words); error != 0) return failure(error);
  if (is_known(mine, words))
    copy(mine[Memory::narrow_exact], exact);
  else
    learn_exact(mine, words, exact);
  return {};
}

Result exchange_affinity(ThreadMemory& mine, ConstWords wanted, Words previous, Words in_force) noexcept {
  if (wanted.size() == 1) return exchange_sets<1>(mine, wanted.first<1>(), previous.first<1>(), in_force.first<1>());
  return exchange_wide_sets(mine, wanted, previous, in_force);
}

void* exchange_group_affinity(ThreadMemory& mine, GroupMask wanted, Word* previous, AfterExchange* then,
                              void* context) noexcept {
  // No processor of the only group, or none at all; or not a machine of that kind.
  if ((wanted.group | (wanted.mask & ~mine.plain)) != 0 || wanted.mask == 0) [[unlikely]]
    return exchange_in_groups(mine, wanted, previous, then, context);
  const auto part = [&](Memory::Part which) { return mine.operator[]<1>(which); };
  if (const std::uint32_t error = get(part(Memory::view)); error != 0) [[unlikely]]
    return then(context, failure(error), {});
  const GroupMask slice{0, part(Memory::view)[0] & mine.plain};
  // Not from a place in this function's frame, which then could not be gone before `then` is called.
  part(Memory::scratch)[0] = wanted.mask;
  const Result result =
      exchange_from_view<1>(mine, std::span<const Word, 1>(part(Memory::scratch)), std::span<Word, 1>(previous, 1));
  return then(context, result, slice);
}

Result restore_affinity(ThreadMemory& mine, ConstWords previous) noexcept {
  std::uint32_t error = set(previous);
  Result result;
  if (error == EINVAL) {
    // Nothing of it is left to this process: the kernel makes of everything what it would have made of the old set.
    const Words everything = mine[Memory::scratch];
    std::ranges::fill(everything, ~Word{0});
    error = set(everything);
    result.outcome = Outcome::trimmed;
  }
  if (error != 0) return failure(error);
  if (result.outcome == Outcome::trimmed) {
    // What was to come back stays what is to come back, as long as the thread has what it was left with.
    const Words view = mine[Memory::view];
    if (get(view) == 0)
      remember(mine, view, previous);
    else
      forget(mine);
  } else {
    const bool learned = equal(mine[Memory::wide_exact], previous);
    remember(mine, learned ? ConstWords(mine[Memory::wide_view]) : previous, previous);
  }
  // Nobody has seen what the last set became.
  mine.grown_at = 0;
  return result;
}

std::uint32_t current_cpu() noexcept {
  const int cpu = sched_getcpu();
  return cpu < 0 ? kNoCpu : static_cast<std::uint32_t>(cpu);
}

}  // namespace groupaffinity
