// The Linux backend on a kernel of 6 CPUs that come and go. A second thread that nobody pins lives through the same,
// and tells what a restored one must be.
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../../native/linux/cgroup.h"
#include "../../native/linux/threads.h"
#include "../../native/platform.h"

using namespace groupaffinity;

namespace {

constexpr Word kPossible = 0x3f;

// sched_setaffinity(2) keeps what was asked for; the cpuset and CPUs that go offline take from it (Linux 6.2 and
// later).
struct Thread {
  Word asked = ~Word{0};
  Word allowed = kPossible;
};

Word online = kPossible;
Word cpuset = kPossible;
bool cpuset_known = true;
std::int64_t elapsed = 1'000'000'000;  // ns
std::int64_t changed_at = 0;
Thread pinned;
Thread never_pinned;

bool ask(Thread& thread, Word wanted) {
  const Word granted = wanted & cpuset & kPossible;
  if ((granted & online) == 0) return false;
  thread.asked = wanted;
  thread.allowed = granted;
  return true;
}

void move_cpuset(Thread& thread) {
  const Word kept = thread.asked & cpuset;
  thread.allowed = (kept & online) != 0 ? kept : cpuset;
}

int file(const std::string& text) {
  const int handle = memfd_create("fake", 0);
  if (write(handle, text.data(), text.size()) < 0) std::abort();
  lseek(handle, 0, SEEK_SET);
  return handle;
}

std::string list(Word cpus) {
  std::string text;
  for (int cpu = 0; cpu < 64; ++cpu)
    if (((cpus >> cpu) & 1) != 0) text += (text.empty() ? "" : ",") + std::to_string(cpu);
  return text + "\n";
}

std::vector<std::string> story;
int failures = 0;

void check(bool truth, const char* what) {
  if (truth) return;
  ++failures;
  std::printf("not true: %s\n", what);
  for (const std::string& line : story) std::printf("  %s\n", line.c_str());
}

CpuSet set_of(Word bits) {
  CpuSet cpus;
  for (std::uint32_t cpu = 0; cpu < 64; ++cpu)
    if (((bits >> cpu) & 1) != 0) cpus.add(cpu);
  return cpus;
}

void tell(const char* what, Word operand, int outcome) {
  char line[160];
  std::snprintf(line, sizeof line, "%s %llx -> %d; online %llx cpuset %llx allowed %llx", what,
                static_cast<unsigned long long>(operand), outcome, static_cast<unsigned long long>(online),
                static_cast<unsigned long long>(cpuset), static_cast<unsigned long long>(pinned.allowed));
  story.emplace_back(line);
}

}  // namespace

int fake_open(const char* path, int, ...) {
  return std::strstr(path, "/cpu/online") != nullptr ? file(list(online)) : -1;
}

int fake_clock(clockid_t, timespec* time) {
  time->tv_sec = elapsed / 1'000'000'000;
  time->tv_nsec = elapsed % 1'000'000'000;
  return 0;
}

bool fake_has_counter() { return std::getenv("FAKE_COUNTER") != nullptr; }

// Of a processor of 2 GHz.
Word fake_counter() { return static_cast<Word>(elapsed) * 2; }

int fake_cpu() { return std::countr_zero(pinned.allowed & online); }

namespace groupaffinity {
long fake_get_affinity(std::span<Word> words) noexcept {
  words[0] = pinned.allowed & online;
  return sizeof(Word);
}

long fake_set_affinity(std::span<const Word> words) noexcept { return ask(pinned, words[0]) ? 0 : -EINVAL; }

CpuSet cpus_allowed(const std::string&) { return set_of(pinned.allowed); }

bool read_own_cpuset(CpuSet& cpus) {
  cpus = set_of(cpuset);
  return cpuset_known;
}
}  // namespace groupaffinity

namespace {

// Within it after a change of the machine a set may be believed to be whole that is not.
constexpr std::int64_t kMoment = 20'000;

// One thread from its start: on a full machine or in a cpuset, started by taskset or not, in a hurry or not.
long live(std::mt19937& random) {
  const auto below = [&](unsigned bound) { return static_cast<unsigned>(random()) % bound; };
  story.clear();
  online = kPossible;
  cpuset = below(2) == 0 ? kPossible : (below(kPossible) | 1);
  cpuset_known = below(4) != 0;
  const bool by_taskset = below(2) == 0;
  const Word start = by_taskset ? Word{below(kPossible)} | (cpuset & -cpuset) : ~Word{0};
  ask(pinned, start);
  ask(never_pinned, start);
  const bool hurried = below(2) == 0;
  changed_at = elapsed - kMoment;

  std::vector<Word> nested;
  long calls = 0;
  // True where the thread has another set now: `previous` brings back the one before.
  const auto exchange = [&](Word wanted, Word& previous) {
    const Word before = pinned.allowed;
    Word in_force = 0;
    Result result;
    if (below(2) == 0) {
      result = exchange_affinity(thread_memory(), {&wanted, 1}, {&previous, 1}, {&in_force, 1});
      tell("exchange", wanted, static_cast<int>(result.outcome));
    } else {
      struct {
        Result result;
        GroupMask slice;
      } told;
      const auto then = [](void* to, Result of, GroupMask slice) noexcept -> void* {
        *static_cast<decltype(told)*>(to) = {of, slice};
        return to;
      };
      check(exchange_group_affinity(thread_memory(), {0, wanted}, &previous, then, &told) == &told,
            "what comes after it answers");
      result = told.result;
      in_force = wanted & online;
      if (result.outcome == Outcome::done)
        check(told.slice.mask == (before & online), "the slice is what was in force");
      tell("exchange group", wanted, static_cast<int>(result.outcome));
    }
    ++calls;
    const bool made = result.outcome == Outcome::done || result.outcome == Outcome::trimmed;
    const Word running = wanted & online;
    if (made) {
      if (elapsed - changed_at >= kMoment) {
        check(pinned.allowed == running && pinned.asked == running,
              "the kernel has what runs of what was wanted, no more");
        check(in_force == running, "what is said to be in force is");
      }
      check((pinned.allowed & online) == running, "the thread has what runs of what was wanted");
    } else {
      check(pinned.allowed == before, "a refused exchange changes nothing");
      check(result.outcome == (running == 0 ? Outcome::none_running : Outcome::not_allowed), "the refusal says why");
      if (result.outcome == Outcome::not_allowed)
        check((running & ~cpuset) != 0, "not allowed is what the cpuset withholds");
    }
    return made;
  };
  const auto restore = [&](Word previous) {
    const Result result = restore_affinity(thread_memory(), {&previous, 1});
    tell("restore", previous, static_cast<int>(result.outcome));
    ++calls;
    check(result.outcome == Outcome::done || result.outcome == Outcome::trimmed, "a restore succeeds");
  };
  const auto hotplug = [&](Word changed) {
    // What the kernel makes of a thread whose last CPU went is its own affair.
    bool lost = (changed & pinned.allowed) == 0 || (changed & never_pinned.allowed) == 0;
    for (const Word previous : nested) lost = lost || (previous & cpuset & changed) == 0;
    if (lost) return;
    online = changed;
    changed_at = elapsed;
    tell("hotplug", changed, 0);
  };

  for (int turn = 0; turn < 60 && failures < 5; ++turn) {
    const unsigned what = below(10);
    elapsed += hurried || below(2) == 0 ? 3'000 : 1'000'000;
    if (what < 4 && nested.size() < 4) {
      Word previous = 0;
      if (exchange(1 + below(kPossible), previous)) nested.push_back(previous);
    } else if (what < 7 && !nested.empty()) {
      restore(nested.back());
      nested.pop_back();
      if (nested.empty())
        check(pinned.allowed == never_pinned.allowed, "a restored thread is what one is that never was pinned");
    } else if (what == 7 && nested.size() < 4) {
      // To and fro without a rest while a CPU goes or comes, by sets or by restores; at last as far as at first.
      const Word widest = 1 + below(kPossible);
      const Word wide = widest & (1 + below(kPossible));
      const Word narrow = wide & (1 + below(kPossible));
      const bool by_restore = below(2) == 0;
      const unsigned when = below(6);
      Word outer = 0;
      Word inner = 0;
      if (narrow == 0 || !exchange(widest, outer)) continue;
      nested.push_back(outer);
      for (unsigned step = 0; step < 24; ++step) {
        elapsed += 3'000;
        if (step == when) hotplug(online ^ (Word{1} << below(6)));
        const bool out = step % 2 != 0;
        const Word wanted = step == 23 ? widest : out ? wide : narrow;
        if (!out && by_restore && step > 2)
          restore(inner);
        else
          static_cast<void>(exchange(wanted, inner));
      }
    } else if (what == 8) {
      hotplug(online ^ (Word{1} << below(6)));
      if (!hurried) elapsed += 1'000'000;
    } else if (what == 9 && nested.empty() && cpuset_known && !by_taskset) {
      const Word changed = cpuset ^ (Word{1} << below(6));
      if ((changed & online) == 0) continue;
      cpuset = changed;
      elapsed += 100'000;
      move_cpuset(pinned);
      move_cpuset(never_pinned);
      tell("cpuset", cpuset, 0);
      check(pinned.allowed == never_pinned.allowed, "a thread that was restored follows its cpuset");
    }
  }
  return calls;
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1);
  std::vector<std::uint32_t> table(kGroupSize, kNoCpu);
  for (std::uint32_t cpu = 0; cpu < 6; ++cpu) table[cpu] = cpu;
  form_groups(table);
  long calls = 0;
  for (int lives = 0; lives < 1500 && failures < 5; ++lives) std::thread([&] { calls += live(random); }).join();
  if (failures == 0) std::printf("ok %ld\n", calls);
  return failures == 0 ? 0 : 1;
}
