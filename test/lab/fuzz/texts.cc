// Every other text of /sys and /proc: one input is read as each of them.
#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "../../../native/linux/sysfs_text.h"
#include "fuzz.h"

namespace {

using namespace groupaffinity;

bool holds(std::string_view whole, std::string_view part) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void numbers(std::string_view text) {
  const auto number = parse_number(text);
  if (number) {
    const std::string digits = std::to_string(*number);
    CHECK(text.find(digits) != std::string_view::npos);
    CHECK(parse_number(digits + "\n") == number);
  }
  const auto id = parse_id(text);
  CHECK(!id || (*id >= 0 && *id < UINT32_MAX && number == static_cast<std::uint64_t>(*id)));
  CHECK(id.has_value() == (number && *number < UINT32_MAX));

  const std::uint64_t bytes = parse_size(text);
  CHECK(parse_size(std::to_string(bytes)) == bytes);
  if (number) CHECK(bytes == *number);
  if (bytes != 0 && bytes % 1024 == 0) CHECK(parse_size(std::to_string(bytes / 1024) + "K\n") == bytes);

  if (const auto after = number_after("cpu", text)) {
    CHECK(text == "cpu" + std::to_string(*after));
  }

  std::string row;
  const std::vector<std::uint32_t> distances = parse_distances(text);
  for (const std::uint32_t distance : distances) row += std::to_string(distance) + " ";
  CHECK(parse_distances(row) == distances);

  if (const auto type = parse_cache_type(text)) {
    constexpr std::array<std::string_view, 3> names{"Data", "Instruction", "Unified"};
    CHECK(text.find(names[static_cast<std::size_t>(*type)]) != std::string_view::npos);
  }
}

void a_thread(std::string_view text) {
  for (const std::string_view name : {"Cpus_allowed", "Cpus_allowed_list", ""}) {
    const auto field = status_field(text, name);
    if (!field) continue;
    CHECK(holds(text, *field));
    CHECK(field->find('\n') == std::string_view::npos);
    CHECK(status_field(std::string(name).append(":\t").append(*field), name) == field);
  }

  if (const auto cpu = parse_last_cpu(text)) CHECK(*cpu < kMaxCpus);
  if (const auto count = parse_migrations(text)) CHECK(text.find(std::to_string(*count)) != std::string_view::npos);

  // A thread gives itself any name of 15 bytes.
  const std::string name(text.substr(0, 15));
  std::string stat = "12 (" + name + ") S";
  for (int field = 4; field < 39; ++field) stat += " 99";
  CHECK(parse_last_cpu(stat + " 7 0 0\n") == 7u);
  std::string whole = "12 (" + name + ") S";
  for (int field = 4; field <= 52; ++field) whole += field == 19 ? " -7" : " " + std::to_string(field);
  whole += "\n";
  const ThreadStat known = parse_thread_stat(whole);
  CHECK(known.name == name && known.nice == -7 && known.flags == 9u && known.started == 22u && known.policy == 41u);
  const ThreadStat any = parse_thread_stat(text);
  CHECK(any.name.empty() || holds(text, any.name));
  CHECK(!any.nice || (*any.nice >= -20 && *any.nice <= 20));
  if (const auto signals = parse_signals(text)) {
    std::array<char, 17> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *signals, 16).ptr;
    CHECK(parse_signals(std::string(digits.data(), end) + "\n") == signals);
  }
  const auto count = parse_migrations(name + " (12, #threads: 1)\n----\nse.nr_migrations   :  41\nx : 1\n");
  CHECK(count == 41u || (!count && name.find("nr_migrations") != std::string::npos));
}

void ticks(std::string_view text) {
  if (const auto ticks = parse_cpu_ticks(text))
    CHECK(ticks->busy <= ticks->all && ticks->stolen <= ticks->all - ticks->busy);
}

void hardware(std::string_view text) {
  const std::vector<HardwareId> ids = parse_hardware_ids(text);
  std::string printed;
  for (const HardwareId& id : ids) {
    CHECK(id.cpu < kMaxCpus);
    printed +=
        "processor\t: " + std::to_string(id.cpu) + "\nflags\t\t: a:b\napicid\t\t: " + std::to_string(id.id) + "\n\n";
  }
  const std::vector<HardwareId> again = parse_hardware_ids(printed);
  CHECK(std::ranges::equal(ids, again,
                           [](const HardwareId& a, const HardwareId& b) { return a.cpu == b.cpu && a.id == b.id; }));
}

// As mounts(5) writes a name.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (std::string_view(" \t\n\r\\\0", 6).find(c) == std::string_view::npos) {
      text += c;
      continue;
    }
    char octal[5];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += octal;
  }
  return text;
}

bool same(const CgroupMount& a, const CgroupMount& b) {
  return a.directory == b.directory && a.root == b.root && a.unified == b.unified && a.cpuset == b.cpuset &&
         a.noprefix == b.noprefix && a.v2_mode == b.v2_mode && a.cpu == b.cpu;
}

// A mount's type and the options of its file system, with `between` before them.
std::string kind_of(const CgroupMount& mount, const std::string& between) {
  if (mount.unified) return "cgroup2 " + between + "rw,nosuid";
  std::string options = "rw";
  if (mount.cpu) options += ",cpu,cpuacct";
  if (mount.cpuset) options += ",cpuset";
  if (mount.noprefix) options += ",noprefix";
  if (mount.v2_mode) options += ",cpuset_v2_mode";
  return "cgroup " + between + options;
}

void cgroups(std::string_view text) {
  const CgroupPaths paths = parse_cgroup_paths(text);
  std::string printed;
  if (!paths.unified.empty()) printed += "0::" + paths.unified + "\n";
  if (!paths.cpuset.empty()) printed += "3:cpuset,x:" + paths.cpuset + "\n";
  if (!paths.cpu.empty()) printed += "4:cpu,cpuacct:" + paths.cpu + "\n";
  const CgroupPaths again = parse_cgroup_paths(printed + "1:name=x:/y\n");
  CHECK(again.cpuset == paths.cpuset && again.cpu == paths.cpu && again.unified == paths.unified);
  for (const std::string& path : {paths.cpuset, paths.cpu, paths.unified})
    CHECK(path.empty() || (path.front() == '/' && path.find('\n') == std::string::npos));

  printed.clear();
  const std::vector<CgroupMount> mounts = parse_cgroup_mounts(text);
  for (const CgroupMount& mount : mounts) {
    CHECK(mount.root == "/" && mount.unified + mount.cpuset + mount.cpu > 0);
    printed += "x " + escaped(mount.directory) + " " + kind_of(mount, "") + " 0 0\n";
  }
  CHECK(std::ranges::equal(parse_cgroup_mounts(printed), mounts, same));

  printed.clear();
  const std::vector<CgroupMount> rooted = parse_cgroup_mountinfo(text);
  for (const CgroupMount& mount : rooted)
    printed += "36 35 0:4 " + escaped(mount.root) + " " + escaped(mount.directory) + " rw,x shared:1 - " +
               kind_of(mount, "source ") + "\n";
  CHECK(std::ranges::equal(parse_cgroup_mountinfo(printed), rooted, same));

  if (const auto quota = parse_cpu_max(text)) CHECK(*quota > 0 && parse_cpu_quota("1", text) == std::nullopt);
}

}  // namespace

void decode(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  numbers(text);
  a_thread(text);
  hardware(text);
  ticks(text);
  cgroups(text);
}
