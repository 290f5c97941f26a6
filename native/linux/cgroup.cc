#include "cgroup.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"
#include "sysfs_text.h"

namespace groupaffinity {
namespace {

// What lies outside a cgroup namespace is written with "..".
bool leads_outside(std::string_view path) { return path.find("/..") != std::string_view::npos; }

// A process's cgroup as seen from a mount that shows `root` and what is below it; nothing where it is elsewhere.
std::optional<std::string_view> below(std::string_view root, std::string_view cgroup) {
  while (root.ends_with('/')) root.remove_suffix(1);
  if (!cgroup.starts_with(root)) return std::nullopt;
  cgroup.remove_prefix(root.size());
  return cgroup.empty() || cgroup.starts_with('/') ? std::optional(cgroup) : std::nullopt;
}

constexpr int kMostLevels = 256;

// Calls `visit` with the folder of a cgroup and of each one above it, relative to the root and ending in '/', until it
// returns true: a controller may be off further down, and a container sees less of the hierarchy than its own path
// says. Of several mounts of a hierarchy the first that shows the cgroup counts.
template <typename Fits, typename Visit>
bool climb(const std::vector<CgroupMount>& mounts, std::string_view cgroup, Fits fits, Visit visit) {
  if (cgroup.empty()) return false;
  if (leads_outside(cgroup)) cgroup = "/";
  const CgroupMount* mount = nullptr;
  std::string_view inside = cgroup;
  for (const CgroupMount& one : mounts) {
    if (!fits(one) || leads_outside(std::string("/") += one.directory)) continue;
    const auto found = leads_outside(one.root) ? std::nullopt : below(one.root, cgroup);
    if (mount != nullptr && !found) continue;
    mount = &one;
    if (!found) continue;
    inside = *found;
    break;
  }
  if (mount == nullptr) return false;
  std::string_view directory = mount->directory;
  if (directory.starts_with('/')) directory.remove_prefix(1);
  for (int level = 0; level < kMostLevels; ++level) {
    while (inside.ends_with('/')) inside.remove_suffix(1);
    if (visit(*mount, std::string(directory.empty() ? "." : directory).append(inside).append("/"))) return true;
    if (inside.empty()) return false;
    inside = inside.substr(0, inside.rfind('/'));
  }
  return false;
}

}  // namespace

Hierarchies read_hierarchies(Files& files, int root) {
  Hierarchies found;
  if (const auto text = files.read_all(root, "proc/self/cgroup")) found.paths = parse_cgroup_paths(*text);
  if (found.paths.cpuset.empty() && found.paths.unified.empty())
    if (const auto text = files.read_all(root, "proc/self/cpuset"))
      found.paths.cpuset = found.paths.unified = text->substr(0, text->find_first_of(std::string_view("\n\0", 2)));
  if (const auto text = files.read_all(root, "proc/self/mountinfo")) found.mounts = parse_cgroup_mountinfo(*text);
  if (!found.mounts.empty()) return found;
  if (const auto text = files.read_all(root, "proc/mounts")) found.mounts = parse_cgroup_mounts(*text);
  return found;
}

bool read_cgroup_cpus(Files& files, int root, const Hierarchies& own, CpuSet& cpus) {
  const auto in = [&](const std::string& file) {
    const auto text = files.read_all(root, file.c_str());
    return text && parse_cpulist(*text, cpus) && !cpus.empty();
  };
  return climb(
             own.mounts, own.paths.cpuset, [](const CgroupMount& mount) { return mount.cpuset; },
             [&](const CgroupMount& mount, const std::string& folder) {
               const std::string own_files = folder + (mount.noprefix ? "" : "cpuset.");
               return (mount.v2_mode && in(own_files + "effective_cpus")) || in(own_files + "cpus");
             }) ||
         climb(
             own.mounts, own.paths.unified, [](const CgroupMount& mount) { return mount.unified; },
             [&](const CgroupMount&, const std::string& folder) { return in(folder + "cpuset.cpus.effective"); });
}

std::optional<double> read_cgroup_quota(Files& files, int root, const Hierarchies& own) {
  std::optional<double> least;
  const auto take = [&](std::optional<double> quota) {
    if (quota && (!least || *quota < *least)) least = quota;
    return false;
  };
  const auto text_of = [&](const std::string& file) {
    return std::string(files.read_all(root, file.c_str()).value_or(std::string_view()));
  };
  static_cast<void>(climb(
      own.mounts, own.paths.cpu, [](const CgroupMount& mount) { return mount.cpu; },
      [&](const CgroupMount&, const std::string& folder) {
        return take(parse_cpu_quota(text_of(folder + "cpu.cfs_quota_us"), text_of(folder + "cpu.cfs_period_us")));
      }));
  static_cast<void>(climb(
      own.mounts, own.paths.unified, [](const CgroupMount& mount) { return mount.unified; },
      [&](const CgroupMount&, const std::string& folder) { return take(parse_cpu_max(text_of(folder + "cpu.max"))); }));
  return least;
}

bool read_own_cpuset(CpuSet& cpus) {
  Files files;
  const Folder root(AT_FDCWD, "/");
  return root.fd() >= 0 && read_cgroup_cpus(files, root.fd(), read_hierarchies(files, root.fd()), cpus) &&
         !cpus.empty();
}

bool holds_own_cpuset(std::span<const Word> words) {
  CpuSet granted;
  if (!read_own_cpuset(granted)) return false;
  bool whole = true;
  granted.for_each([&](std::uint32_t cpu) {
    if (cpu / kWordBits < words.size()) whole = whole && ((words[cpu / kWordBits] >> (cpu % kWordBits)) & 1) != 0;
  });
  return whole;
}

std::vector<std::string> own_cpuset_files() {
  std::vector<std::string> names;
  Files files;
  const Folder root(AT_FDCWD, "/");
  if (root.fd() < 0) return names;
  const Hierarchies own = read_hierarchies(files, root.fd());
  const auto add = [&](const std::string& folder, std::string_view file) {
    names.push_back(std::string("/") + folder + std::string(file));
  };
  static_cast<void>(climb(
      own.mounts, own.paths.cpuset, [](const CgroupMount& mount) { return mount.cpuset; },
      [&](const CgroupMount& mount, const std::string& folder) {
        add(folder, mount.noprefix ? "cpus" : "cpuset.cpus");
        return false;
      }));
  static_cast<void>(climb(
      own.mounts, own.paths.unified, [](const CgroupMount& mount) { return mount.unified; },
      [&](const CgroupMount&, const std::string& folder) {
        add(folder, "cpuset.cpus");
        add(folder, "cpuset.cpus.partition");
        // Written to by the kernel when the last process leaves.
        add(folder, "cgroup.events");
        return false;
      }));
  return names;
}

}  // namespace groupaffinity
