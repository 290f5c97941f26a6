#include "threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "../platform.h"
#include "cgroup.h"
#include "sysfs_text.h"
#include "whole_file.h"

namespace groupaffinity {
namespace {

using Words = std::span<Word>;
using ConstWords = std::span<const Word>;

// The start of a file of /proc or /sys, as much as one read gives; empty where there is none.
std::string_view file_text(const std::string& path, std::span<char> buffer) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t bytes = read(file, buffer.data(), buffer.size());
  close(file);
  return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

// Where a process's threads lie in /proc (proc(5)), each in a folder; this process is 0.
std::string task_folder(std::uint64_t process) {
  return "/proc/" + (process == 0 ? "self" : std::to_string(process)) + "/task/";
}

std::optional<std::uint64_t> counter(std::string_view text, std::string_view name) {
  const auto field = status_field(text, name);
  return field ? parse_number(*field) : std::nullopt;
}

constexpr std::int32_t kNormalLevel = 8;
constexpr std::int32_t kRealTimeLevel = 16;
constexpr std::int32_t kHighestLevel = 31;

// Levels 1 to 15 over the nice values 19 to -20 (sched(7)), 8 at 0.
constexpr int nice_of(std::int32_t level) {
  return level <= kNormalLevel ? ((kNormalLevel - level) * 19 + 3) / 7 : -(((level - kNormalLevel) * 20 + 3) / 7);
}
constexpr std::int32_t level_of(int nice) {
  std::int32_t level = 1;
  while (level < kRealTimeLevel - 1 && nice_of(level + 1) >= nice) ++level;
  return level;
}
static_assert(nice_of(1) == 19 && nice_of(8) == 0 && nice_of(15) == -20);
static_assert(level_of(nice_of(7)) == 7 && level_of(nice_of(12)) == 12 && level_of(nice_of(14)) == 14);

// Asked by signal 0 to a thread of this process: without /proc, and never of another process's.
bool is_ours(std::uint64_t thread) {
  if (thread == 0 || thread > INT32_MAX) return false;
  if (syscall(SYS_tgkill, getpid(), static_cast<pid_t>(thread), 0) == 0) return true;
  // A sandbox may forbid signals.
  return errno == EPERM && access((task_folder(0) + std::to_string(thread)).c_str(), F_OK) == 0;
}

// How the kernel is asked about a thread of this process: about the calling one as 0, because sandboxes allow no other.
pid_t id_of(std::uint64_t thread) { return thread == current_thread() ? 0 : static_cast<pid_t>(thread); }

// By their numbers: musl has these calls, and they fail.
int get_scheduler(pid_t thread) noexcept { return static_cast<int>(syscall(SYS_sched_getscheduler, thread)); }
int get_parameter(pid_t thread, sched_param& parameter) noexcept {
  return static_cast<int>(syscall(SYS_sched_getparam, thread, &parameter));
}
int set_scheduler(pid_t thread, int policy, const sched_param& parameter) noexcept {
  return static_cast<int>(syscall(SYS_sched_setscheduler, thread, policy, &parameter));
}

// The policy without the flag that children do not inherit it.
int policy_of(pid_t thread) noexcept {
  const int policy = get_scheduler(thread);
  return policy < 0 ? policy : policy & ~SCHED_RESET_ON_FORK;
}

Result failure(int error) noexcept {
  return {error == ESRCH ? Outcome::gone : Outcome::refused, static_cast<std::uint32_t>(error)};
}
Result from_errno() noexcept { return failure(errno); }

bool is_real_time(int policy) noexcept {
  return policy == SCHED_RR || policy == SCHED_FIFO || policy == SCHED_DEADLINE;
}

// SCHED_RR for a real-time priority, which begin at 1; for 0 SCHED_OTHER and a nice value, because idle, batch,
// real-time and deadline threads have other rules.
Result schedule(pid_t id, int real_time, int nice) noexcept {
  const int policy = policy_of(id);
  sched_param before{};
  if (policy < 0 || get_parameter(id, before) != 0) return from_errno();
  if (real_time > 0) {
    const sched_param wanted{.sched_priority = real_time};
    return set_scheduler(id, SCHED_RR, wanted) == 0 ? Result{} : from_errno();
  }
  const bool was_other = policy != SCHED_OTHER;
  const sched_param dynamic{};
  if (was_other && set_scheduler(id, SCHED_OTHER, dynamic) != 0) return from_errno();
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(id), nice) == 0) return {};
  const Result result = from_errno();
  if (was_other) static_cast<void>(set_scheduler(id, policy, before));
  return result;
}

int get(pid_t id, Words words) noexcept {
  // The kernel writes its own mask's size, which may be less.
  std::ranges::fill(words, Word{0});
  return syscall(SYS_sched_getaffinity, id, words.size_bytes(), words.data()) < 0 ? errno : 0;
}

int set(pid_t id, ConstWords words) noexcept {
  return syscall(SYS_sched_setaffinity, id, words.size_bytes(), words.data()) == 0 ? 0 : errno;
}

// The part of `wanted` that is running now; all of it where nobody tells.
std::vector<Word> running_part(ConstWords wanted) {
  std::array<char, 16384> buffer;
  std::vector<Word> part(wanted.begin(), wanted.end());
  CpuSet online;
  if (!parse_cpulist(file_text("/sys/devices/system/cpu/online", buffer), online) || online.empty()) return part;
  for (std::size_t i = 0; i < part.size(); ++i) part[i] &= i < online.words().size() ? online.words()[i] : 0;
  return part;
}

// What brings a thread's set back bit for bit: its offline CPUs are shown by /proc only, and a thread that has all of
// its cpuset follows it only with a set of everything. Where the cpuset changes meanwhile both are read again.
Result exact_set(std::uint64_t thread, Words exact) {
  const std::string status_path = task_folder(0) + std::to_string(thread) + "/status";
  for (int round = 0; round < 8; ++round) {
    if (const int error = get(static_cast<pid_t>(thread), exact); error != 0) return failure(error);
    const CpuSet allowed = cpus_allowed(status_path);
    for (std::size_t i = 0; i < exact.size() && i < allowed.words().size(); ++i) exact[i] |= allowed.words()[i];
    if (holds_own_cpuset(exact)) {
      std::ranges::fill(exact, ~Word{0});
      break;
    }
    if (cpus_allowed(status_path) == allowed) break;
  }
  return {};
}

// The kernel places some of its own threads, which a process may have among its (io_uring's), and lets nobody else.
bool is_kernels_own(std::uint64_t thread) {
  constexpr std::uint64_t kNoSetAffinity = 0x04000000;  // PF_NO_SETAFFINITY
  std::array<char, 4096> buffer;
  const ThreadStat stat = parse_thread_stat(file_text(task_folder(0) + std::to_string(thread) + "/stat", buffer));
  return (stat.flags.value_or(0) & kNoSetAffinity) != 0;
}

// The calls that event loops wait in; nothing where the kernel does not show what a thread waits in.
std::optional<bool> waits_for_events(std::string_view syscall_text) {
  if (syscall_text.empty()) return std::nullopt;
  const auto number = parse_number(syscall_text.substr(0, syscall_text.find(' ')));
  if (!number) return false;  // "running", or a fault
  for (const long call : {
           static_cast<long>(SYS_epoll_pwait),
#ifdef SYS_epoll_wait
           static_cast<long>(SYS_epoll_wait),
#endif
#ifdef SYS_epoll_pwait2
           static_cast<long>(SYS_epoll_pwait2),
#endif
       })
    if (*number == static_cast<std::uint64_t>(call)) return true;
  return false;
}

// False where there is no such thread (any more).
bool read_state(const std::string& folder, std::uint64_t thread, ThreadState& state) {
  const std::string path = folder + std::to_string(thread);
  std::array<char, 32768> buffer;
  std::string whole;
  state = {};
  state.thread = thread;
  const std::string status_path = path + "/status";
  const std::string_view status = whole_of(file_text(status_path, buffer), buffer, status_path, whole);
  const auto allowed = status_field(status, "Cpus_allowed");
  if (!allowed || !parse_cpumask(*allowed, state.allowed)) return false;
  state.voluntary_switches = counter(status, "voluntary_ctxt_switches");
  state.involuntary_switches = counter(status, "nonvoluntary_ctxt_switches");
  if (const auto blocked = status_field(status, "SigBlk")) state.blocked_signals = parse_signals(*blocked);
  const std::string_view stat_text = file_text(path + "/stat", buffer);
  const ThreadStat stat = parse_thread_stat(stat_text);
  state.name = stat.name;
  state.last_cpu = parse_last_cpu(stat_text);
  static const long ticks_a_second = sysconf(_SC_CLK_TCK);
  const auto milliseconds = [](const std::optional<std::uint64_t>& ticks) -> std::optional<std::uint64_t> {
    if (!ticks || ticks_a_second <= 0) return std::nullopt;
    return *ticks * 1000 / static_cast<std::uint64_t>(ticks_a_second);
  };
  state.started = milliseconds(stat.started);
  state.cpu_time = milliseconds(stat.cpu_time);
  if (stat.policy && is_real_time(static_cast<int>(*stat.policy)))
    state.nice = kRealTime;
  else if (stat.nice)
    state.nice = static_cast<std::int32_t>(*stat.nice);
  state.migrations = parse_migrations(file_text(path + "/sched", buffer));
  state.waits_for_events = waits_for_events(file_text(path + "/syscall", buffer));
  return true;
}

}  // namespace

CpuSet cpus_allowed(const std::string& status_path) {
  std::array<char, 32768> buffer;
  std::string whole;
  CpuSet allowed;
  const std::string_view status = whole_of(file_text(status_path, buffer), buffer, status_path, whole);
  if (const auto field = status_field(status, "Cpus_allowed")) static_cast<void>(parse_cpumask(*field, allowed));
  return allowed;
}

Result get_priority(std::uint64_t thread, std::int32_t& level) noexcept {
  if (!is_ours(thread)) return {Outcome::gone, 0};
  const pid_t id = id_of(thread);
  const int policy = policy_of(id);
  if (policy < 0) return from_errno();
  if (policy == SCHED_RR || policy == SCHED_FIFO) {
    sched_param parameter{};
    if (get_parameter(id, parameter) != 0) return from_errno();
    level = std::min(kRealTimeLevel - 1 + parameter.sched_priority, kHighestLevel);
    return {};
  }
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, static_cast<id_t>(id));
  if (errno != 0) return from_errno();
  level = level_of(nice);
  return {};
}

// Real-time levels are SCHED_RR from its lowest priority up.
Result set_priority(std::uint64_t thread, std::int32_t level) noexcept {
  if (!is_ours(thread)) return {Outcome::gone, 0};
  return schedule(id_of(thread), std::max(0, level - kRealTimeLevel + 1), nice_of(level));
}

Result get_nice(std::uint64_t thread, std::int32_t& nice) noexcept {
  if (!is_ours(thread)) return {Outcome::gone, 0};
  const pid_t id = id_of(thread);
  const int policy = policy_of(id);
  if (policy < 0) return from_errno();
  if (is_real_time(policy)) {
    nice = kRealTime;
    return {};
  }
  errno = 0;
  const int found = getpriority(PRIO_PROCESS, static_cast<id_t>(id));
  if (errno != 0) return from_errno();
  nice = found;
  return {};
}

Result set_nice(std::uint64_t thread, std::int32_t nice) noexcept {
  if (!is_ours(thread)) return {Outcome::gone, 0};
  return schedule(id_of(thread), nice == kRealTime ? 1 : 0, nice);
}

std::uint64_t current_thread() noexcept { return static_cast<std::uint64_t>(syscall(SYS_gettid)); }

Result read_thread(std::uint64_t thread, ThreadState& state) {
  return read_state(task_folder(0), thread, state) ? Result{} : Result{Outcome::gone, 0};
}

Result read_threads(std::uint64_t process, std::vector<ThreadState>& threads) {
  threads.clear();
  const std::string folder = task_folder(process);
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir(folder.c_str()), closedir);
  if (!tasks)
    return {errno == ENOENT && process != 0 ? Outcome::gone : Outcome::refused, static_cast<std::uint32_t>(errno)};
  while (const dirent* const entry = readdir(tasks.get())) {
    const auto thread = number_after("", entry->d_name);
    ThreadState state;
    if (thread && read_state(folder, *thread, state)) threads.push_back(std::move(state));
  }
  std::ranges::sort(threads, {}, &ThreadState::thread);
  return threads.empty() ? Result{Outcome::gone, 0} : Result{};
}

// The number of a thread that ends meanwhile could be another's by the time that the kernel is asked, and no call names
// a thread and its process at once. Linux gives numbers out in turn, so all others would have to be used up in between.
Result confine_thread(std::uint64_t thread, ConstWords wanted, Words previous, Words in_force) {
  if (!is_ours(thread)) return {Outcome::gone, ESRCH};
  const auto id = static_cast<pid_t>(thread);
  if (const Result known = exact_set(thread, previous); known.outcome != Outcome::done) return known;
  // Once more for each CPU that goes offline meanwhile.
  for (int round = 0; round < 8; ++round) {
    const std::vector<Word> chosen = running_part(wanted);
    if (std::ranges::all_of(chosen, [](Word word) { return word == 0; })) return {Outcome::none_running, 0};
    int error = set(id, chosen);
    if (error == EINVAL && running_part(wanted) != chosen) continue;
    if (error == EINVAL && !is_kernels_own(thread)) return {Outcome::not_allowed, EINVAL};
    if (error != 0) return failure(error);
    // The kernel drops CPUs that the thread's cpuset withholds, and those that went offline, without a word.
    error = get(id, in_force);
    if (error == 0 && std::ranges::equal(in_force, chosen))
      return {std::ranges::equal(chosen, wanted) ? Outcome::done : Outcome::trimmed, 0};
    static_cast<void>(set(id, previous));
    if (error != 0) return failure(error);
    if (running_part(wanted) == chosen) break;
  }
  return {Outcome::not_allowed, EINVAL};
}

Result restore_thread(std::uint64_t thread, ConstWords previous) {
  if (!is_ours(thread)) return {Outcome::gone, ESRCH};
  const auto id = static_cast<pid_t>(thread);
  int error = set(id, previous);
  if (error != EINVAL) return error == 0 ? Result{} : failure(error);
  // Nothing of it is left to this process: the kernel makes of everything what it would have made of the old set.
  error = set(id, std::vector<Word>(previous.size(), ~Word{0}));
  return error == 0 ? Result{Outcome::trimmed, 0} : failure(error);
}

}  // namespace groupaffinity
