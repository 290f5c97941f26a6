// The texts of /sys and /proc, decoded. Pure functions: a test feeds them recordings, a fuzzer feeds them damage.
// Spaces, newlines and NUL bytes around a value are not part of it. A damaged text yields nothing, and no text costs
// more than its length plus kMaxCpus steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

// "0-3,8", also with strides: "0-10:2" is every second, "0-10:2/4" the first two of every four. An empty text is an
// empty set. False and an empty set where damaged.
[[nodiscard]] bool parse_cpulist(std::string_view text, CpuSet& cpus);

// "ff,ffffffff": 32-bit words, the lowest last; the first may be shorter or, without commas, longer. False and an
// empty set where damaged.
[[nodiscard]] bool parse_cpumask(std::string_view text, CpuSet& cpus);

[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// Nothing for a negative number: the kernel's way to say that it has none.
[[nodiscard]] std::optional<std::int64_t> parse_id(std::string_view text);

// Bytes of "512K" or "8M"; 0 where the kernel doesn't know.
[[nodiscard]] std::uint64_t parse_size(std::string_view text);

[[nodiscard]] std::optional<CacheType> parse_cache_type(std::string_view text);

// A row of the distance table; empty where damaged.
[[nodiscard]] std::vector<std::uint32_t> parse_distances(std::string_view text);

// 12 of the directory name "cpu12" for the prefix "cpu"; nothing for "cpufreq", or for "cpu012".
[[nodiscard]] std::optional<std::uint32_t> number_after(std::string_view prefix, std::string_view name);

// The value of the line "Name:\tvalue" in /proc/PID/status.
[[nodiscard]] std::optional<std::string_view> status_field(std::string_view status, std::string_view name);

// The CPU that ran the thread last, from its stat.
[[nodiscard]] std::optional<std::uint32_t> parse_last_cpu(std::string_view stat);

// The rest of a thread's stat that is read here; empty or absent where it is damaged.
struct ThreadStat {
  std::string_view name;
  std::optional<std::uint64_t> flags;  // the kernel's PF_...
  std::optional<std::int64_t> nice;
  std::optional<std::uint64_t> policy;    // sched(7)
  std::optional<std::uint64_t> started;   // clock ticks after boot
  std::optional<std::uint64_t> cpu_time;  // clock ticks, the kernel's work for it included
};
[[nodiscard]] ThreadStat parse_thread_stat(std::string_view stat);

// The texts of cmdline or environ, each ended by a NUL but the last, which may be cut.
[[nodiscard]] std::vector<std::string> parse_strings(std::string_view text);

// "0000000000000200": bit n is signal n + 1.
[[nodiscard]] std::optional<std::uint64_t> parse_signals(std::string_view text);

// How often the thread changed CPUs, from its sched, which not every kernel has.
[[nodiscard]] std::optional<std::uint64_t> parse_migrations(std::string_view sched);

// What all CPUs together did, from the first line of /proc/stat (proc(5)), in ticks of sysconf(_SC_CLK_TCK).
struct CpuTicks {
  std::uint64_t all = 0;
  std::uint64_t busy = 0;
  std::uint64_t stolen = 0;
};
[[nodiscard]] std::optional<CpuTicks> parse_cpu_ticks(std::string_view stat);

// The ids in /proc/cpuinfo, a paragraph a CPU; only x86 has them.
[[nodiscard]] std::vector<HardwareId> parse_hardware_ids(std::string_view cpuinfo);

// Which cgroup a process is in, as /proc/PID/cgroup tells it: absolute paths, empty where there is none.
struct CgroupPaths {
  std::string cpuset;   // in the version 1 hierarchy that has the cpuset controller
  std::string cpu;      // ... that has the cpu controller
  std::string unified;  // in the version 2 hierarchy
};
[[nodiscard]] CgroupPaths parse_cgroup_paths(std::string_view text);

// Where a hierarchy of cgroups is mounted.
struct CgroupMount {
  std::string directory;
  std::string root = "/";  // the cgroup that is seen there
  bool unified = false;    // version 2
  bool cpuset = false;     // version 1 with the cpuset controller, or the older cpuset file system
  bool noprefix = false;   // ... whose files lack the "cpuset." in their names
  bool v2_mode = false;    // ... whose CPUs are a wish, as in version 2; what holds is in a file of its own
  bool cpu = false;        // version 1 with the cpu controller
};
// Those of /proc/PID/mountinfo that are of use here, in the order of the text.
[[nodiscard]] std::vector<CgroupMount> parse_cgroup_mountinfo(std::string_view text);
// The same from /proc/mounts, which does not tell what is seen.
[[nodiscard]] std::vector<CgroupMount> parse_cgroup_mounts(std::string_view text);

// CPUs' worth of time that a cgroup may use: of cpu.max (version 2), and of cpu.cfs_quota_us with cpu.cfs_period_us.
// Nothing where there is no limit. Above 0.
[[nodiscard]] std::optional<double> parse_cpu_max(std::string_view text);
[[nodiscard]] std::optional<double> parse_cpu_quota(std::string_view quota, std::string_view period);

}  // namespace groupaffinity
