#include "sysfs_text.h"

#include <charconv>
#include <limits>
#include <utility>

namespace groupaffinity {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\0'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

// Takes the text before the next `separator` off the front of `rest`.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

// Takes a decimal number off the front of `rest`.
bool take_number(std::string_view& rest, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc()) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

bool take_char(std::string_view& rest, char expected) {
  if (rest.empty() || rest.front() != expected) return false;
  rest.remove_prefix(1);
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A field of /proc/PID/stat behind the second, by its number in proc(5). The thread's name, which is the second, may
// hold anything but ends at the last ')'.
std::string_view stat_field(std::string_view stat, int number) {
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < number; ++field) {
    if (at == std::string_view::npos) return {};
    at = stat.find(' ', at + 1);
  }
  if (at == std::string_view::npos) return {};
  std::string_view rest = stat.substr(at + 1);
  return take(rest, ' ');
}

// mounts(5): a space in a name is written \040, and so on.
std::string unescape(std::string_view name) {
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    unsigned value = 0;
    bool escaped = name[i] == '\\' && i + 3 < name.size();
    for (std::size_t digit = i + 1; escaped && digit <= i + 3; ++digit) {
      escaped = name[digit] >= '0' && name[digit] <= '7';
      value = value * 8 + static_cast<unsigned>(name[digit] - '0');
    }
    plain += escaped ? static_cast<char>(value & 0xff) : name[i];
    if (escaped) i += 3;
  }
  return plain;
}

bool read_list(std::string_view text, CpuSet& cpus) {
  std::string_view rest = trim(text);
  std::uint32_t left = kMaxCpus;  // a list that names more CPUs than there can be is damage
  while (!rest.empty()) {
    std::uint32_t first = 0;
    if (!take_number(rest, first)) return false;
    std::uint32_t last = first;
    std::uint32_t used = 1;
    std::uint32_t stride = 1;
    if (take_char(rest, '-')) {
      if (!take_number(rest, last)) return false;
      if (take_char(rest, ':')) {
        if (!take_number(rest, stride)) return false;
        if (take_char(rest, '/')) {
          used = stride;
          if (!take_number(rest, stride)) return false;
        }
        if (used == 0 || used > stride || stride > kMaxCpus) return false;
      }
    }
    if (first > last || last >= kMaxCpus || last - first >= left) return false;
    left -= last - first + 1;
    for (std::uint32_t start = first; start <= last; start += stride)
      for (std::uint32_t cpu = start; cpu < start + used && cpu <= last; ++cpu) cpus.add(cpu);
    if (!rest.empty() && (!take_char(rest, ',') || rest.empty())) return false;
  }
  return true;
}

bool read_mask(std::string_view text, CpuSet& cpus) {
  const std::string_view digits = trim(text);
  if (digits.empty() || digits.front() == ',' || digits.back() == ',') return false;
  std::size_t word = 0;  // the CPU of the current word's lowest bit
  std::size_t bit = 0;   // of the current word
  for (std::size_t i = digits.size(); i-- > 0;) {
    if (digits[i] == ',') {
      if (bit != 32) return false;
      word += 32;
      bit = 0;
      continue;
    }
    const int value = hex_digit(digits[i]);
    if (value < 0) return false;
    const std::size_t base = word + bit;
    bit += 4;
    if (value == 0) continue;
    if (base >= kMaxCpus) return false;
    for (std::uint32_t n = 0; n < 4; ++n)
      if (((value >> n) & 1) != 0) cpus.add(static_cast<std::uint32_t>(base) + n);
  }
  // Only a mask without commas may have a word of more than 32 bits.
  if (word != 0 && bit > 32) return false;
  return true;
}

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty())
    if (take(options, ',') == wanted) return true;
  return false;
}

// `options` are those of the file system.
void add_cgroup_mount(std::vector<CgroupMount>& mounts, std::string_view type, std::string_view directory,
                      std::string_view options, std::string_view root) {
  CgroupMount mount;
  mount.unified = type == "cgroup2";
  mount.cpuset = type == "cpuset" || (type == "cgroup" && has_option(options, "cpuset"));
  mount.cpu = type == "cgroup" && has_option(options, "cpu");
  mount.noprefix = mount.cpuset && (type == "cpuset" || has_option(options, "noprefix"));
  mount.v2_mode = mount.cpuset && has_option(options, "cpuset_v2_mode");
  if (!mount.unified && !mount.cpuset && !mount.cpu) return;
  mount.directory = unescape(directory);
  mount.root = unescape(root);
  mounts.push_back(std::move(mount));
}

}  // namespace

bool parse_cpulist(std::string_view text, CpuSet& cpus) {
  cpus = {};
  const bool sound = read_list(text, cpus);
  if (!sound) cpus = {};
  return sound;
}

bool parse_cpumask(std::string_view text, CpuSet& cpus) {
  cpus = {};
  const bool sound = read_mask(text, cpus);
  if (!sound) cpus = {};
  return sound;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const std::string_view digits = trim(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> parse_id(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_number(text);
  // Some architectures print an absent id of -1 as an unsigned number.
  if (!number || *number >= std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

std::uint64_t parse_size(std::string_view text) {
  std::string_view digits = trim(text);
  std::uint64_t unit = 1;
  if (!digits.empty()) {
    if (digits.back() == 'K') unit = std::uint64_t{1} << 10;
    if (digits.back() == 'M') unit = std::uint64_t{1} << 20;
    if (digits.back() == 'G') unit = std::uint64_t{1} << 30;
    if (unit != 1) digits.remove_suffix(1);
  }
  const std::uint64_t count = parse_number(digits).value_or(0);
  return count > std::numeric_limits<std::uint64_t>::max() / unit ? 0 : count * unit;
}

std::optional<CacheType> parse_cache_type(std::string_view text) {
  const std::string_view name = trim(text);
  if (name == "Data") return CacheType::data;
  if (name == "Instruction") return CacheType::instruction;
  if (name == "Unified") return CacheType::unified;
  return std::nullopt;
}

std::vector<std::uint32_t> parse_distances(std::string_view text) {
  std::vector<std::uint32_t> distances;
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    std::uint32_t distance = 0;
    if (!take_number(rest, distance) || (!rest.empty() && !is_blank(rest.front()))) return {};
    distances.push_back(distance);
    rest = trim(rest);
  }
  return distances;
}

std::optional<std::uint32_t> number_after(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() > 1 && name.front() == '0') return std::nullopt;
  std::uint32_t number = 0;
  if (!take_number(name, number) || !name.empty()) return std::nullopt;
  return number;
}

std::optional<std::string_view> status_field(std::string_view status, std::string_view name) {
  while (!status.empty()) {
    std::string_view line = take(status, '\n');
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) return trim(line.substr(name.size() + 1));
  }
  return std::nullopt;
}

std::optional<std::uint32_t> parse_last_cpu(std::string_view stat) {
  const auto cpu = parse_number(stat_field(stat, 39));
  return cpu && *cpu < kMaxCpus ? std::optional(static_cast<std::uint32_t>(*cpu)) : std::nullopt;
}

ThreadStat parse_thread_stat(std::string_view stat) {
  ThreadStat found;
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');
  if (open != std::string_view::npos && close != std::string_view::npos && open < close)
    found.name = stat.substr(open + 1, close - open - 1);
  std::string_view nice = stat_field(stat, 19);
  const bool negative = nice.starts_with('-');
  if (negative) nice.remove_prefix(1);
  if (const auto value = parse_number(nice); value && *value <= 20)
    found.nice = negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
  found.flags = parse_number(stat_field(stat, 9));
  found.started = parse_number(stat_field(stat, 22));
  const auto user = parse_number(stat_field(stat, 14));
  const auto system = parse_number(stat_field(stat, 15));
  if (user && system) found.cpu_time = *user + *system;
  found.policy = parse_number(stat_field(stat, 41));
  return found;
}

std::vector<std::string> parse_strings(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    list.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return list;
}

std::optional<std::uint64_t> parse_signals(std::string_view text) {
  const std::string_view digits = trim(text);
  std::uint64_t signals = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), signals, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return signals;
}

// "se.nr_migrations   :   12"
std::optional<std::uint64_t> parse_migrations(std::string_view sched) {
  const std::size_t at = sched.find("nr_migrations");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view value = sched.substr(at);
  value = take(value, '\n');
  take(value, ':');
  return parse_number(value);
}

// "cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL GUEST GUEST_NICE": a guest's time is in USER as well.
std::optional<CpuTicks> parse_cpu_ticks(std::string_view stat) {
  std::string_view line = take(stat, '\n');
  if (take(line, ' ') != "cpu") return std::nullopt;
  constexpr std::size_t kIdle = 3;
  constexpr std::size_t kWait = 4;
  constexpr std::size_t kSteal = 7;
  CpuTicks ticks;
  for (std::size_t field = 0; field <= kSteal; ++field) {
    while (line.starts_with(' ')) line.remove_prefix(1);
    // Kernels before 2.6.11 have no STEAL.
    if (line.empty() && field == kSteal) break;
    const auto count = parse_number(take(line, ' '));
    if (!count || *count > std::numeric_limits<std::uint64_t>::max() / 16) return std::nullopt;
    ticks.all += *count;
    if (field == kSteal) ticks.stolen = *count;
    if (field != kIdle && field != kWait && field != kSteal) ticks.busy += *count;
  }
  return ticks;
}

// "processor\t: 0" begins a paragraph, "apicid\t\t: 0" is in it.
std::vector<HardwareId> parse_hardware_ids(std::string_view cpuinfo) {
  std::vector<HardwareId> ids;
  std::optional<std::uint64_t> cpu;
  while (!cpuinfo.empty()) {
    std::string_view value = take(cpuinfo, '\n');
    const std::string_view name = take(value, ':');
    if (name.starts_with("processor\t")) cpu = parse_number(value);
    if (!name.starts_with("apicid\t") || !cpu || *cpu >= kMaxCpus) continue;
    if (const auto id = parse_number(value); id && *id <= std::numeric_limits<std::uint32_t>::max())
      ids.push_back({static_cast<std::uint32_t>(*cpu), static_cast<std::uint32_t>(*id)});
  }
  return ids;
}

CgroupPaths parse_cgroup_paths(std::string_view text) {
  CgroupPaths paths;
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    std::string_view path = take(rest, '\n');  // cgroups(7): hierarchy:controllers:path
    const std::string_view hierarchy = take(path, ':');
    const std::string_view controllers = take(path, ':');
    if (!path.starts_with('/')) continue;
    if (has_option(controllers, "cpuset")) paths.cpuset = path;
    if (has_option(controllers, "cpu")) paths.cpu = path;
    if (hierarchy == "0" && controllers.empty()) paths.unified = path;
  }
  return paths;
}

// proc_pid_mountinfo(5): id, parent, device, root, directory, options, optional fields, "-", type, source, options of
// the file system.
std::vector<CgroupMount> parse_cgroup_mountinfo(std::string_view text) {
  std::vector<CgroupMount> mounts;
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    std::string_view line = take(rest, '\n');
    for (int field = 0; field < 3; ++field) take(line, ' ');
    const std::string_view root = take(line, ' ');
    const std::string_view directory = take(line, ' ');
    while (!line.empty() && take(line, ' ') != "-") continue;
    const std::string_view type = take(line, ' ');
    take(line, ' ');
    add_cgroup_mount(mounts, type, directory, take(line, ' '), root);
  }
  return mounts;
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view text) {
  std::vector<CgroupMount> mounts;
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    std::string_view line = take(rest, '\n');
    take(line, ' ');
    const std::string_view directory = take(line, ' ');
    const std::string_view type = take(line, ' ');
    add_cgroup_mount(mounts, type, directory, take(line, ' '), "/");
  }
  return mounts;
}

std::optional<double> parse_cpu_quota(std::string_view quota, std::string_view period) {
  const auto time = parse_number(quota);
  const auto of = parse_number(period);
  if (!time || !of || *time == 0 || *of == 0) return std::nullopt;
  return static_cast<double>(*time) / static_cast<double>(*of);
}

// "200000 100000", or "max 100000".
std::optional<double> parse_cpu_max(std::string_view text) {
  std::string_view period = trim(text);
  const std::string_view quota = take(period, ' ');
  return parse_cpu_quota(quota, period);
}

}  // namespace groupaffinity
