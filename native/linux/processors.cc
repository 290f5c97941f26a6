// The machine as /sys and /proc describe it (Documentation/ABI in the kernel: sysfs-devices-system-cpu, -node), from
// kernels that have only half of those files as well. Every file is read once at most, and none whose answer follows
// from what was read before: on large machines the time goes into open(2).
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>

#include "../platform.h"
#include "cgroup.h"
#include "files.h"
#include "sysfs_text.h"

namespace groupaffinity {
namespace {

void remove(CpuSet& from, const CpuSet& cpus) {
  CpuSet rest;
  from.for_each([&](std::uint32_t cpu) {
    if (!cpus.has(cpu)) rest.add(cpu);
  });
  from = std::move(rest);
}

CpuSet common(const CpuSet& a, const CpuSet& b) {
  CpuSet both = a;
  both &= b;
  return both;
}

// Of sets that are not empty.
std::uint32_t lowest(const CpuSet& cpus) {
  std::size_t word = 0;
  while (cpus.words()[word] == 0) ++word;
  return static_cast<std::uint32_t>(word * kWordBits) +
         static_cast<std::uint32_t>(std::countr_zero(cpus.words()[word]));
}

std::uint32_t highest(const CpuSet& cpus) {
  std::size_t word = cpus.words().size() - 1;
  while (cpus.words()[word] == 0) --word;
  return static_cast<std::uint32_t>(word * kWordBits) + kWordBits - 1 -
         static_cast<std::uint32_t>(std::countl_zero(cpus.words()[word]));
}

// A path of the kernel's own short names: longer than its room, it is cut and names nothing.
class Path {
 public:
  Path& operator<<(std::string_view part) {
    const std::size_t length = std::min(part.size(), text_.size() - 1 - length_);
    std::memcpy(text_.data() + length_, part.data(), length);
    length_ += length;
    text_[length_] = '\0';
    return *this;
  }
  Path& operator<<(std::uint32_t number) {
    char digits[10];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return *this << std::string_view(digits, static_cast<std::size_t>(end - digits));
  }
  [[nodiscard]] const char* text() const { return text_.data(); }

 private:
  std::array<char, 120> text_{};
  std::size_t length_ = 0;
};

// Calls `visit` with N for every entry prefixN of a directory, should there be one.
template <typename Visit>
void for_each_numbered(int parent, const char* path, std::string_view prefix, Visit visit) {
  const int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  DIR* const directory = fdopendir(fd);
  if (directory == nullptr) {
    close(fd);
    return;
  }
  while (const dirent* const entry = readdir(directory))
    if (const auto number = number_after(prefix, entry->d_name); number && *number < kMaxCpus) visit(*number);
  closedir(directory);
}

// Names under which kernels have kept the same set of CPUs. The name that worked last is tried first.
class SetFile {
 public:
  struct Name {
    std::string_view name;
    bool (*parse)(std::string_view, CpuSet&);
  };
  template <std::size_t N>
  explicit SetFile(const std::array<Name, N>& names) : names_(names) {}

  // Reads `prefix` + name below `parent`. False where none of the names has a sound text.
  bool read(Files& files, int parent, const Path& prefix, CpuSet& cpus) {
    if (read_as(files, parent, prefix, names_[usual_], cpus)) return true;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i == usual_ || !read_as(files, parent, prefix, names_[i], cpus)) continue;
      usual_ = i;
      return true;
    }
    return false;
  }

 private:
  static bool read_as(Files& files, int parent, const Path& prefix, const Name& name, CpuSet& cpus) {
    Path path = prefix;
    const auto text = files.read(parent, (path << name.name).text());
    // Before 5.16 a list of many ranges was cut at a page, its newline with the rest.
    if (!text || (text->size() >= Files::kPage - 1 && text->back() != '\n')) return false;
    return name.parse(*text, cpus);
  }

  std::span<const Name> names_;
  std::size_t usual_ = 0;
};

// Lists first: the mask of a few CPUs is as long as that of all.
constexpr std::array<SetFile::Name, 4> kCoreFiles{{{"core_cpus_list", parse_cpulist},
                                                   {"thread_siblings_list", parse_cpulist},
                                                   {"core_cpus", parse_cpumask},
                                                   {"thread_siblings", parse_cpumask}}};
constexpr std::array<SetFile::Name, 4> kPackageFiles{{{"package_cpus_list", parse_cpulist},
                                                      {"core_siblings_list", parse_cpulist},
                                                      {"package_cpus", parse_cpumask},
                                                      {"core_siblings", parse_cpumask}}};
constexpr std::array<SetFile::Name, 2> kCacheFiles{
    {{"shared_cpu_list", parse_cpulist}, {"shared_cpu_map", parse_cpumask}}};
constexpr std::array<SetFile::Name, 2> kNodeFiles{{{"cpumap", parse_cpumask}, {"cpulist", parse_cpulist}}};

bool read_allowed_by_status(Files& files, int root, CpuSet& cpus) {
  const auto text = files.read_all(root, "proc/self/status");
  if (!text) return false;
  if (const auto mask = status_field(*text, "Cpus_allowed"); mask && parse_cpumask(*mask, cpus) && !cpus.empty())
    return true;
  const auto list = status_field(*text, "Cpus_allowed_list");
  return list && parse_cpulist(*list, cpus) && !cpus.empty();
}

// The main thread's CPUs, of which the kernel has already taken away what its cpuset forbids.
bool read_allowed_by_kernel(Files& files, int root, CpuSet& cpus) {
  std::array<unsigned long, kMaxCpus / (8 * sizeof(unsigned long))> words{};
  const long bytes = syscall(SYS_sched_getaffinity, getpid(), sizeof words, words.data());
  // Some sandboxes let a thread ask about itself only.
  if (bytes < 0) return read_allowed_by_status(files, root, cpus);
  for (std::size_t i = 0; i < static_cast<std::size_t>(bytes) / sizeof(unsigned long); ++i)
    for (unsigned long rest = words[i]; rest != 0; rest &= rest - 1)
      cpus.add(static_cast<std::uint32_t>(i * 8 * sizeof(unsigned long)) +
               static_cast<std::uint32_t>(std::countr_zero(rest)));
  return !cpus.empty();
}

// What the main thread might use when the addon was loaded, before anything here narrowed a thread.
class Start {
 public:
  void note() {
    const std::lock_guard guard(lock_);
    if (!cpus_.empty()) return;
    Files files;
    const Folder root(AT_FDCWD, "/");
    static_cast<void>(read_allowed_by_kernel(files, root.fd(), cpus_));
  }

  void note(std::span<const Word> words) {
    const std::lock_guard guard(lock_);
    cpus_ = {};
    for (std::size_t bit = 0; bit < words.size() * kWordBits; ++bit)
      if (((words[bit / kWordBits] >> (bit % kWordBits)) & 1) != 0) cpus_.add(static_cast<std::uint32_t>(bit));
    judged_ = false;
  }

  [[nodiscard]] CpuSet cpus() {
    const std::lock_guard guard(lock_);
    return cpus_;
  }

  // Takes from `usable`, which the cpuset allows and which is online now, what the process was started without (by
  // taskset, say). A process that had all of its cpuset follows its cpuset; one that was moved to another has that.
  void confine(CpuSet& usable) {
    const std::lock_guard guard(lock_);
    if (cpus_.empty()) return;
    CpuSet both = usable;
    both &= cpus_;
    if (!judged_) confined_ = both != usable;
    judged_ = true;
    if (confined_ && !both.empty()) usable = both;
  }

 private:
  std::mutex lock_;
  CpuSet cpus_;
  bool judged_ = false;
  bool confined_ = false;
};

Start& start() {
  static Start* const only = new Start;
  return *only;
}

class Reader {
 public:
  // `live`: the root is this machine's own, whose kernel can be asked as well.
  Reader(int root, bool live, Machine& machine)
      : root_(root), cpu_(root, "sys/devices/system/cpu"), live_(live), machine_(machine) {}

  [[nodiscard]] Result read_cpus() {
    read_processors();
    if (machine_.online.empty()) return {Outcome::refused, ENOENT};
    read_allowed();
    return {};
  }

  [[nodiscard]] Result read_all() {
    if (const Result result = read_cpus(); result.outcome != Outcome::done) return result;
    read_packages();
    read_cores();
    read_caches();
    read_nodes();
    read_kinds();
    machine_.quota = read_cgroup_quota(files_, root_, own_);
    return {};
  }

 private:
  bool read_list(int parent, const char* path, CpuSet& cpus) {
    const auto text = files_.read(parent, path);
    return text && parse_cpulist(*text, cpus);
  }

  void read_processors() {
    Machine& m = machine_;
    const bool has_possible = read_list(cpu_.fd(), "possible", m.possible) && !m.possible.empty();
    const bool has_present = read_list(cpu_.fd(), "present", m.present) && !m.present.empty();
    const bool has_online = read_list(cpu_.fd(), "online", m.online) && !m.online.empty();
    const bool has_all = has_possible && has_present && has_online;
    if (!has_all || faccessat(cpu_.fd(), (Path() << "cpu" << highest(m.online)).text(), F_OK, 0) != 0) {
      CpuSet directories;
      for_each_numbered(cpu_.fd(), ".", "cpu", [&](std::uint32_t cpu) { directories.add(cpu); });
      // A CPU that runs has a directory; some containers show none at all.
      if (has_online && !directories.empty()) m.online &= directories;
      if (!has_present) m.present = directories;
      if (!has_possible) m.possible = directories;
      if (!has_online) {
        directories.for_each([&](std::uint32_t cpu) {
          // A CPU that can't be switched off has no such file.
          const auto text = files_.read(cpu_.fd(), (Path() << "cpu" << cpu << "/online").text());
          if (!text || parse_number(*text).value_or(1) != 0) m.online.add(cpu);
        });
      }
    }
    // No /sys: what the process had at the start runs, at least.
    if (m.online.empty() && live_) m.online = start().cpus();
    m.present |= m.online;
    m.possible |= m.present;
    if (read_list(cpu_.fd(), "isolated", m.isolated)) m.isolated &= m.online;
  }

  void read_allowed() {
    Machine& m = machine_;
    own_ = read_hierarchies(files_, root_);
    const bool by_cgroup = read_cgroup_cpus(files_, root_, own_, m.settable);
    if (!by_cgroup && !live_) static_cast<void>(read_allowed_by_status(files_, root_, m.settable));
    m.settable &= m.online;
    if (m.settable.empty()) m.settable = m.online;
    m.allowed = m.settable;
    if (live_) start().confine(m.allowed);
  }

  // The ids that a CPU's own topology/ holds.
  std::optional<std::int64_t> read_id(std::uint32_t cpu, std::string_view file) {
    const auto text = files_.read(cpu_.fd(), (Path() << "cpu" << cpu << "/topology/" << file).text());
    return text ? parse_id(*text) : std::nullopt;
  }

  // The CPUs that share with `cpu` what `file` tells, without those of an earlier answer: a set that overlaps another
  // one, or lacks the CPU that it belongs to, is the trace of a CPU that went offline.
  bool read_siblings(SetFile& file, std::uint32_t cpu, const CpuSet& earlier, CpuSet& siblings) {
    const bool known = file.read(files_, cpu_.fd(), Path() << "cpu" << cpu << "/topology/", siblings);
    siblings &= machine_.online;
    remove(siblings, earlier);
    siblings.add(cpu);
    return known;
  }

  void read_packages() {
    SetFile file(kPackageFiles);
    CpuSet known;
    package_of_.assign(machine_.online.words().size() * kWordBits, std::nullopt);
    machine_.online.for_each([&](std::uint32_t cpu) {
      if (known.has(cpu)) return;
      Package package;
      const bool has_siblings = read_siblings(file, cpu, known, package.cpus);
      package.id = read_id(cpu, "physical_package_id");
      known |= package.cpus;
      package.cpus.for_each([&](std::uint32_t sibling) { package_of_[sibling] = package.id; });
      if (has_siblings) {
        machine_.packages.push_back(std::move(package));
      } else if (package.id) {
        const auto same = std::ranges::find(machine_.packages, package.id, &Package::id);
        if (same == machine_.packages.end())
          machine_.packages.push_back(std::move(package));
        else
          same->cpus |= package.cpus;
      }
    });
    std::ranges::stable_sort(machine_.packages, {}, &Package::id);
  }

  void read_cores() {
    SetFile file(kCoreFiles);
    CpuSet known;
    machine_.online.for_each([&](std::uint32_t cpu) {
      if (known.has(cpu)) return;
      Core core;
      static_cast<void>(read_siblings(file, cpu, known, core.cpus));
      core.id = read_id(cpu, "core_id");
      core.package = package_of_[cpu];
      known |= core.cpus;
      machine_.cores.push_back(std::move(core));
    });
  }

  void read_caches() {
    // A CPU has its caches in index0, index1 ...; those that share a cache have it under the same number, or, where
    // CPUs differ in their caches, under another one, and it is recognised by level and type.
    constexpr std::uint32_t kIndexes = 16;
    constexpr std::uint32_t kLevels = 16;
    std::array<CpuSet, kIndexes> known;
    std::array<CpuSet, kLevels * 3> known_by_sort;
    std::uint32_t most = 0;  // caches of a CPU so far
    SetFile file(kCacheFiles);
    machine_.online.for_each([&](std::uint32_t cpu) {
      bool shares_all = true;
      for (std::uint32_t index = 0; index < kIndexes; ++index) {
        if (known[index].has(cpu)) continue;
        if (shares_all && index != 0 && index >= most) break;
        shares_all = false;
        const Path prefix = Path() << "cpu" << cpu << "/cache/index" << index << "/";
        const auto level_text = files_.read(cpu_.fd(), (Path(prefix) << "level").text());
        if (!level_text) break;
        most = std::max(most, index + 1);
        const std::uint64_t level = parse_number(*level_text).value_or(0);
        if (level == 0 || level >= kLevels) continue;
        const auto type_text = files_.read(cpu_.fd(), (Path(prefix) << "type").text());
        if (!type_text) continue;
        const auto type = parse_cache_type(*type_text);
        if (!type) continue;

        Cache cache;
        cache.level = static_cast<std::uint32_t>(level);
        cache.type = type.value();
        CpuSet& same_sort = known_by_sort[level * 3 + static_cast<std::size_t>(cache.type)];
        if (same_sort.has(cpu)) continue;
        // A map of zeros is a private cache's.
        static_cast<void>(file.read(files_, cpu_.fd(), prefix, cache.cpus));
        cache.cpus &= machine_.online;
        remove(cache.cpus, same_sort);
        cache.cpus.add(cpu);
        if (const auto size = files_.read(cpu_.fd(), (Path(prefix) << "size").text())) cache.bytes = parse_size(*size);
        known[index] |= cache.cpus;
        same_sort |= cache.cpus;
        machine_.caches.push_back(std::move(cache));
      }
    });
    std::ranges::stable_sort(machine_.caches, {},
                             [](const Cache& cache) { return std::pair(cache.level, cache.type); });
  }

  // The CPUs of a node, from the first source that knows any: its map, its list, its links to CPUs, the CPUs' links to
  // it. Old maps hold CPUs that are offline, and some that don't exist.
  CpuSet read_node_cpus(SetFile& file, int nodes, std::uint32_t node) {
    CpuSet cpus;
    const Path prefix = Path() << "node" << node << "/";
    if (!file.read(files_, nodes, prefix, cpus)) {
      for_each_numbered(nodes, prefix.text(), "cpu", [&](std::uint32_t cpu) { cpus.add(cpu); });
      if (cpus.empty())
        machine_.present.for_each([&](std::uint32_t cpu) {
          if (faccessat(cpu_.fd(), (Path() << "cpu" << cpu << "/node" << node).text(), F_OK, 0) == 0) cpus.add(cpu);
        });
    }
    cpus &= machine_.present;
    return cpus;
  }

  void read_nodes() {
    Machine& m = machine_;
    const Folder nodes(root_, "sys/devices/system/node");
    std::vector<std::uint32_t> ids;
    if (nodes.fd() >= 0) for_each_numbered(nodes.fd(), ".", "node", [&](std::uint32_t node) { ids.push_back(node); });
    if (ids.empty()) {
      m.numa_nodes.push_back({.id = 0, .cpus = m.online, .capacity = m.present, .distances = {}});
      return;
    }
    std::ranges::sort(ids);

    SetFile file(kNodeFiles);
    CpuSet known;
    std::vector<bool> kept;
    for (const std::uint32_t id : ids) {
      NumaNode node{.id = id, .cpus = {}, .capacity = read_node_cpus(file, nodes.fd(), id), .distances = {}};
      // A CPU is in one node; firmware has put all CPUs in every node.
      const bool memory_only = node.capacity.empty();
      remove(node.capacity, known);
      kept.push_back(memory_only || !node.capacity.empty());
      if (!kept.back()) continue;
      known |= node.capacity;
      node.cpus = common(node.capacity, m.online);
      m.numa_nodes.push_back(std::move(node));
    }
    for (NumaNode& node : m.numa_nodes) node.distances = read_distances(nodes.fd(), node.id, kept);
    add_offline_cpus(nodes.fd(), known);
  }

  // To the nodes that are kept; the kernel's row has all of them, in the order of their ids.
  std::vector<std::uint32_t> read_distances(int nodes, std::uint32_t node, const std::vector<bool>& kept) {
    const auto text = files_.read(nodes, (Path() << "node" << node << "/distance").text());
    if (!text) return {};
    const std::vector<std::uint32_t> row = parse_distances(*text);
    if (row.size() != kept.size()) return {};
    std::vector<std::uint32_t> distances;
    for (std::size_t i = 0; i < row.size(); ++i)
      if (kept[i]) distances.push_back(row[i]);
    return distances;
  }

  // Maps have lost the CPUs that are offline; the links between them and their node stay.
  void add_offline_cpus(int nodes, const CpuSet& known) {
    Machine& m = machine_;
    CpuSet offline = m.present;
    remove(offline, m.online);
    remove(offline, known);
    offline.for_each([&](std::uint32_t cpu) {
      std::optional<std::uint32_t> home;
      for_each_numbered(cpu_.fd(), (Path() << "cpu" << cpu).text(), "node", [&](std::uint32_t node) { home = node; });
      for (NumaNode& node : m.numa_nodes) {
        const bool here = home ? *home == node.id
                               : faccessat(nodes, (Path() << "node" << node.id << "/cpu" << cpu).text(), F_OK, 0) == 0;
        if (!here) continue;
        node.capacity.add(cpu);
        break;
      }
    });
  }

  // The CPUs by an ascending measure, one kind for values that `same` finds equal to the one before. False where a core
  // has no value, or all have the same.
  template <typename Same>
  bool kinds_by(std::string_view file, Same same) {
    std::vector<std::pair<std::uint64_t, const Core*>> cores;
    for (const Core& core : machine_.cores) {
      const auto text = files_.read(cpu_.fd(), (Path() << "cpu" << lowest(core.cpus) << "/" << file).text());
      const auto value = text ? parse_number(*text) : std::nullopt;
      if (!value || *value == 0) return false;
      cores.emplace_back(*value, &core);
    }
    std::ranges::stable_sort(cores, {}, &std::pair<std::uint64_t, const Core*>::first);
    if (cores.empty() || same(cores.front().first, cores.back().first)) return false;
    std::uint64_t before = 0;
    std::vector<Kind> kinds;
    for (const auto& [value, core] : cores) {
      if (before == 0 || !same(before, value))
        kinds.push_back({.efficiency_class = static_cast<std::uint32_t>(kinds.size()), .cpus = {}});
      kinds.back().cpus |= core->cpus;
      before = value;
    }
    if (kinds.size() < 2) return false;
    machine_.kinds = std::move(kinds);
    return true;
  }

  // Intel's hybrid processors have a performance monitoring unit for each sort of core.
  bool kinds_by_units() {
    CpuSet cpus;
    if (!read_list(root_, "sys/devices/cpu_core/cpus", cpus)) return false;
    std::vector<Kind> kinds;
    CpuSet known;
    const auto add = [&] {
      cpus &= machine_.online;
      remove(cpus, known);
      if (cpus.empty()) return;
      known |= cpus;
      kinds.push_back({.efficiency_class = static_cast<std::uint32_t>(kinds.size()), .cpus = cpus});
    };
    const CpuSet fast = cpus;
    if (read_list(root_, "sys/devices/cpu_lowpower/cpus", cpus)) add();
    if (read_list(root_, "sys/devices/cpu_atom/cpus", cpus)) add();
    cpus = fast;
    add();
    if (kinds.size() < 2 || !(known == machine_.online)) return false;
    machine_.kinds = std::move(kinds);
    return true;
  }

  void read_kinds() {
    const auto equal = [](std::uint64_t a, std::uint64_t b) { return a == b; };
    // Cores of one sort differ by a few percent in their highest frequency, from favoured cores to bins.
    const auto close = [](std::uint64_t low, std::uint64_t high) { return high - low <= low / 100 * 15; };
    if (kinds_by_units() || kinds_by("cpu_capacity", equal) || kinds_by("cpufreq/base_frequency", close) ||
        kinds_by("cpufreq/cpuinfo_max_freq", close))
      return;
    machine_.kinds.push_back({.efficiency_class = 0, .cpus = machine_.online});
  }

  Files files_;
  int root_;
  Folder cpu_;
  bool live_;
  Machine& machine_;
  Hierarchies own_;
  std::vector<std::optional<std::int64_t>> package_of_;
};

}  // namespace

void note_start() noexcept { start().note(); }

void note_start(std::span<const Word> words) { start().note(words); }

Result read_machine(const std::string& sysroot, Machine& machine) {
  machine = {};
  const Folder root(AT_FDCWD, sysroot.c_str());
  if (root.fd() < 0) return {Outcome::refused, static_cast<std::uint32_t>(errno)};
  const bool live = sysroot.find_first_not_of('/') == std::string::npos;
  return Reader(root.fd(), live, machine).read_all();
}

Result read_cpus(Cpus& cpus) {
  Machine machine;
  const Folder root(AT_FDCWD, "/");
  const Result result = Reader(root.fd(), true, machine).read_cpus();
  cpus = std::move(machine);
  return result;
}

}  // namespace groupaffinity
