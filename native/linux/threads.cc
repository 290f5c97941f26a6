#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "../platform.h"
#include "sysfs_text.h"

namespace groupaffinity {
namespace {

// One file of a thread's folder in /proc (proc(5)); empty where there is none.
std::string_view task_file(std::uint64_t thread, const char* name, std::span<char> buffer) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/" + name;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t bytes = read(file, buffer.data(), buffer.size());
  close(file);
  return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
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

// Signal 0 to a thread of this process: without /proc, and never to another process's.
bool is_ours(std::uint64_t thread) {
  return thread > 0 && thread <= INT32_MAX && syscall(SYS_tgkill, getpid(), static_cast<pid_t>(thread), 0) == 0;
}

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

Result from_errno() noexcept {
  const auto error = static_cast<std::uint32_t>(errno);
  return {error == ESRCH ? Outcome::gone : Outcome::refused, error};
}

}  // namespace

Result get_priority(std::uint64_t thread, std::int32_t& level) noexcept {
  if (!is_ours(thread)) return {Outcome::gone, 0};
  const auto id = static_cast<pid_t>(thread);
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
  const auto id = static_cast<pid_t>(thread);
  const int policy = policy_of(id);
  sched_param before{};
  if (policy < 0 || get_parameter(id, before) != 0) return from_errno();
  if (level >= kRealTimeLevel) {
    const sched_param wanted{.sched_priority = level - kRealTimeLevel + 1};
    return set_scheduler(id, SCHED_RR, wanted) == 0 ? Result{} : from_errno();
  }
  // Idle, batch, real-time and deadline threads have other rules.
  const bool was_other = policy != SCHED_OTHER;
  const sched_param dynamic{};
  if (was_other && set_scheduler(id, SCHED_OTHER, dynamic) != 0) return from_errno();
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(id), nice_of(level)) == 0) return {};
  const Result result = from_errno();
  if (was_other) static_cast<void>(set_scheduler(id, policy, before));
  return result;
}

std::uint64_t current_thread() noexcept { return static_cast<std::uint64_t>(syscall(SYS_gettid)); }

Result read_thread(std::uint64_t thread, ThreadState& state) {
  std::array<char, 32768> buffer;
  const std::string_view status = task_file(thread, "status", buffer);
  const auto allowed = status_field(status, "Cpus_allowed");
  if (!allowed || !parse_cpumask(*allowed, state.allowed)) return {Outcome::gone, 0};
  state.voluntary_switches = counter(status, "voluntary_ctxt_switches");
  state.involuntary_switches = counter(status, "nonvoluntary_ctxt_switches");
  state.last_cpu = parse_last_cpu(task_file(thread, "stat", buffer));
  state.migrations = parse_migrations(task_file(thread, "sched", buffer));
  return {};
}

}  // namespace groupaffinity
