// What the process's cgroups grant it (cgroups(7), cpuset(7)): CPUs, and a share of their time.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../platform.h"
#include "sysfs_text.h"

namespace groupaffinity {

class Files;

// The cgroups of this process and where their hierarchies are mounted.
struct Hierarchies {
  CgroupPaths paths;
  std::vector<CgroupMount> mounts;
};
[[nodiscard]] Hierarchies read_hierarchies(Files& files, int root);

// The CPUs that the process's cpuset grants, online or not; false where no file below `root` tells.
[[nodiscard]] bool read_cgroup_cpus(Files& files, int root, const Hierarchies& own, CpuSet& cpus);

// The CPUs' worth of time that the process may use: the least of what its cgroup and those above it allow, as far as
// they are mounted. Absent where none sets a limit.
[[nodiscard]] std::optional<double> read_cgroup_quota(Files& files, int root, const Hierarchies& own);

// read_cgroup_cpus() of this machine, now.
[[nodiscard]] bool read_own_cpuset(CpuSet& cpus);

// Whether `words` hold all of it.
[[nodiscard]] bool holds_own_cpuset(std::span<const Word> words);

// The files of this machine to which somebody writes when the process's cpuset changes: of its own cgroup and of those
// above it. Some of them may not exist.
[[nodiscard]] std::vector<std::string> own_cpuset_files();

}  // namespace groupaffinity
