#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
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

// Field 39 of stat, "processor"; the thread's name in field 2 may hold anything but ends at the last ')'.
std::optional<std::uint32_t> last_cpu(std::string_view stat) {
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 39; ++field) {
    if (at == std::string_view::npos) return std::nullopt;
    at = stat.find(' ', at + 1);
  }
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t end = stat.find(' ', at + 1);
  const auto cpu = parse_number(stat.substr(at + 1, end == std::string_view::npos ? end : end - at - 1));
  return cpu && *cpu < kMaxCpus ? std::optional(static_cast<std::uint32_t>(*cpu)) : std::nullopt;
}

// "se.nr_migrations   :   12" in sched, which not every kernel has.
std::optional<std::uint64_t> migrations(std::string_view sched) {
  constexpr std::string_view name = "nr_migrations";
  const std::size_t at = sched.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t colon = sched.find(':', at);
  const std::size_t end = sched.find('\n', at);
  if (colon == std::string_view::npos || (end != std::string_view::npos && colon > end)) return std::nullopt;
  return parse_number(sched.substr(colon + 1, end == std::string_view::npos ? end : end - colon - 1));
}

}  // namespace

std::uint64_t current_thread() noexcept { return static_cast<std::uint64_t>(syscall(SYS_gettid)); }

Result read_thread(std::uint64_t thread, ThreadState& state) {
  std::array<char, 32768> buffer;
  const std::string_view status = task_file(thread, "status", buffer);
  const auto allowed = status_field(status, "Cpus_allowed");
  if (!allowed || !parse_cpumask(*allowed, state.allowed)) return {Outcome::gone, 0};
  state.voluntary_switches = counter(status, "voluntary_ctxt_switches");
  state.involuntary_switches = counter(status, "nonvoluntary_ctxt_switches");
  state.last_cpu = last_cpu(task_file(thread, "stat", buffer));
  state.migrations = migrations(task_file(thread, "sched", buffer));
  return {};
}

}  // namespace groupaffinity
