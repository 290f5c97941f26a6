#include "processors.h"

#include <windows.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <optional>

#include "processor_records.h"

namespace groupaffinity {
namespace {

namespace layout = record_layout;
using Record = SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX;

static_assert(offsetof(Record, Size) == layout::kSize && offsetof(Record, Processor) == layout::kHeader);
static_assert(sizeof(GROUP_AFFINITY) == layout::kGroupAffinity && offsetof(GROUP_AFFINITY, Mask) == 0 &&
              sizeof(GROUP_AFFINITY::Mask) == sizeof(Word) &&
              offsetof(GROUP_AFFINITY, Group) == layout::kGroupAffinityGroup);
// EfficiencyClass follows Flags; headers older than Windows 10 call it reserved.
static_assert(offsetof(Record, Processor.Flags) + 1 == layout::kEfficiencyClass &&
              offsetof(Record, Processor.GroupCount) + 2 == layout::kProcessorMasks &&
              offsetof(Record, Processor.GroupMask) == layout::kProcessorMasks);
static_assert(offsetof(Record, NumaNode.NodeNumber) == layout::kNodeNumber &&
              offsetof(Record, NumaNode.GroupMask) == layout::kNodeMasks);
static_assert(offsetof(Record, Cache.Level) == layout::kCacheLevel &&
              offsetof(Record, Cache.CacheSize) == layout::kCacheSize &&
              offsetof(Record, Cache.Type) == layout::kCacheType &&
              offsetof(Record, Cache.GroupMask) == layout::kCacheMasks);
static_assert(offsetof(Record, Group.ActiveGroupCount) == layout::kActiveGroupCount &&
              offsetof(Record, Group.GroupInfo) == layout::kGroupInfos);
static_assert(sizeof(PROCESSOR_GROUP_INFO) == layout::kGroupInfo &&
              offsetof(PROCESSOR_GROUP_INFO, MaximumProcessorCount) == 0 &&
              offsetof(PROCESSOR_GROUP_INFO, ActiveProcessorMask) == layout::kGroupInfoActiveMask);

// Adds what Windows answers for one relationship to `records`. Returns 0 or GetLastError().
std::uint32_t query(std::uint32_t relationship, ProcessorRecords& records) {
  const auto type = static_cast<LOGICAL_PROCESSOR_RELATIONSHIP>(relationship);
  std::vector<std::byte> buffer;
  // The length that was asked for is too short when a processor is added in between.
  for (int attempt = 0; attempt < 8; ++attempt) {
    auto length = static_cast<DWORD>(buffer.size());
    if (GetLogicalProcessorInformationEx(type, reinterpret_cast<Record*>(buffer.data()), &length)) {
      decode_processor_records(std::span(buffer).first(std::min<std::size_t>(length, buffer.size())), records);
      return 0;
    }
    if (const DWORD error = GetLastError(); error != ERROR_INSUFFICIENT_BUFFER) return error;
    buffer.resize(length);
  }
  return ERROR_INSUFFICIENT_BUFFER;
}

// The group record ends with the last active group; the processors that later ones can have are known nevertheless.
void add_inactive_groups(std::vector<HardwareGroup>& hardware) {
  const WORD count = GetMaximumProcessorGroupCount();
  for (auto group = static_cast<WORD>(std::min<std::size_t>(hardware.size(), count)); group < count; ++group) {
    const DWORD processors = GetMaximumProcessorCount(group);
    hardware.push_back({.maximum = processors >= kGroupSize ? ~Word{0} : (Word{1} << processors) - 1, .active = 0});
  }
  while (!hardware.empty() && hardware.back().maximum == 0) hardware.pop_back();
}

// The groups in which the process has threads or, from Windows 11 and Server 2022 on, may have some; empty where the
// call does not exist (Wine).
std::vector<USHORT> process_groups() {
  // GroupArray must be aligned as a DWORD, or the call fails with ERROR_NOACCESS.
  std::vector<DWORD> storage(32);
  for (int attempt = 0; attempt < 4; ++attempt) {
    auto* const members = reinterpret_cast<USHORT*>(storage.data());
    auto count = static_cast<USHORT>(storage.size() * 2);
    if (GetProcessGroupAffinity(GetCurrentProcess(), &count, members)) return {members, members + count};
    if (GetLastError() != ERROR_INSUFFICIENT_BUFFER) break;
    storage.resize(static_cast<std::size_t>(count) / 2 + 1);
  }
  return {};
}

// The process's part of the calling thread's group; mask 0 where Windows does not tell.
struct HomeAffinity {
  std::uint32_t group = kNoCpu;
  Word mask = 0;
  bool whole = true;  // nobody has confined the process to some processors of the group
};
HomeAffinity home_affinity() noexcept {
  GROUP_AFFINITY thread{};
  if (!GetThreadGroupAffinity(GetCurrentThread(), &thread)) return {};
  DWORD_PTR process = 0;
  DWORD_PTR system = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &process, &system)) process = system = 0;
  return {.group = thread.Group, .mask = process, .whole = process == system};
}

// The process at the first call in it.
struct Start {
  HomeAffinity home = home_affinity();
  std::vector<USHORT> groups = process_groups();
};
const Start& start() noexcept {
  static const Start at_start;
  return at_start;
}

// What it counts as started with instead; empty: nothing was said.
std::mutex noted_lock;
std::vector<Word>& noted() {
  static std::vector<Word> words;
  return words;
}

std::optional<Word> noted_with(std::uint32_t group) {
  const std::lock_guard guard(noted_lock);
  const Groups* const formed = groups();
  if (noted().empty() || formed == nullptr) return std::nullopt;
  return formed->gather(group, noted());
}

// The bits of a group that the process was started with. One that nobody confined was put into a group only because
// it had to be in one, and its threads may go to any other; several groups it has from Windows 11 on, or by a job.
Word started_with(std::uint32_t group) {
  if (const auto mask = noted_with(group)) return *mask;
  const auto& [home, groups] = start();
  if (!home.whole) return home.group == group ? home.mask : 0;
  return groups.size() < 2 || std::ranges::find(groups, group) != groups.end() ? ~Word{0} : 0;
}

// The hard cap that the process's job puts on it, which is a share of the machine's processors in 1/10,000
// (learn.microsoft.com, JOBOBJECT_CPU_RATE_CONTROL_INFORMATION). Jobs around that one are not to be asked, and may
// allow less.
std::optional<double> job_quota(std::uint32_t processors) noexcept {
  // Absent from older headers: the highest share lies in the upper half of the rate.
  constexpr DWORD kMinMaxRate = 0x10;
  JOBOBJECT_CPU_RATE_CONTROL_INFORMATION control{};
  if (!QueryInformationJobObject(nullptr, JobObjectCpuRateControlInformation, &control, sizeof control, nullptr) ||
      (control.ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL_ENABLE) == 0)
    return std::nullopt;
  DWORD rate = 0;
  if ((control.ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP) != 0) rate = control.CpuRate;
  if ((control.ControlFlags & kMinMaxRate) != 0) rate = control.CpuRate >> 16;
  if (rate == 0 || rate >= 10'000) return std::nullopt;
  return static_cast<double>(rate) / 10'000 * processors;
}

bool this_machine(const std::string& sysroot) { return sysroot.empty() || sysroot == "/"; }

}  // namespace

std::uint32_t read_hardware_groups(std::vector<HardwareGroup>& hardware) {
  ProcessorRecords records;
  const std::uint32_t error = query(static_cast<std::uint32_t>(Relationship::group), records);
  hardware = std::move(records.groups);
  if (error == 0) add_inactive_groups(hardware);
  return error;
}

// GetProcessAffinityMask tells one group's part: the process's only group or, from Windows 11 and Server 2022 on, the
// calling thread's primary group; zeros where threads were placed in several groups (learn.microsoft.com,
// GetProcessAffinityMask). So what it told at the start stands for that group later. Any other group
// SetThreadGroupAffinity takes as a whole: it becomes one of the process's ("Processor Groups").
Word process_affinity(std::uint32_t group) {
  const HomeAffinity now = home_affinity();
  if (now.group == group && now.mask != 0) return now.mask;
  const HomeAffinity& at_start = start().home;
  return at_start.group == group && !at_start.whole ? at_start.mask : ~Word{0};
}

void note_start() noexcept { static_cast<void>(start()); }

void note_start(std::span<const Word> words) {
  const std::lock_guard guard(noted_lock);
  noted() = {words.begin(), words.end()};
}

Result read_machine(const std::string& sysroot, Machine& machine) {
  machine = {};
  if (!this_machine(sysroot)) return {Outcome::unsupported, 0};
  ProcessorRecords records;
  if (const std::uint32_t error = query(kRelationAll, records); error != 0) return {Outcome::refused, error};
  // From Windows Server 2022 on, a node that spans groups shows only its primary group unless asked for in this way
  // (learn.microsoft.com, GetLogicalProcessorInformationEx and "NUMA Support"); earlier systems don't know the
  // question.
  static_cast<void>(query(static_cast<std::uint32_t>(Relationship::numa_node_ex), records));
  add_inactive_groups(records.groups);
  describe_machine(records, machine);
  if (machine.online.empty()) return {Outcome::refused, ERROR_NOT_FOUND};

  const ProcessorNumbers numbers(machine.groups);
  for (std::uint32_t group = 0; group < machine.groups.size(); ++group) {
    const Word settable = machine.groups[group].active & process_affinity(group);
    numbers.add({group, settable}, machine.settable);
    numbers.add({group, settable & started_with(group)}, machine.allowed);
  }
  if (machine.allowed.empty()) machine.allowed = machine.settable;
  machine.quota = job_quota(machine.online.size());
  return {};
}

Result read_cpus(Cpus& cpus) {
  Machine machine;
  const Result result = read_machine("/", machine);
  cpus = std::move(machine);
  return result;
}

}  // namespace groupaffinity
