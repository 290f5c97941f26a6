#include "processor_records.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace groupaffinity {
namespace {

namespace layout = record_layout;

// One record, header included. A field that its bytes do not reach reads as 0.
class Record {
 public:
  explicit Record(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename Field>
  [[nodiscard]] Field get(std::size_t offset) const noexcept {
    Field value{};
    if (holds(offset, sizeof(Field))) std::memcpy(&value, bytes_.data() + offset, sizeof(Field));
    return value;
  }

  [[nodiscard]] bool holds(std::size_t offset, std::size_t size) const noexcept {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }

  // The masks at `offset`, as many as `count` says and the record holds.
  [[nodiscard]] std::vector<GroupMask> masks(std::size_t offset, std::size_t count) const {
    std::vector<GroupMask> masks;
    for (; count > 0 && holds(offset, layout::kGroupAffinity); --count, offset += layout::kGroupAffinity)
      masks.push_back({get<std::uint16_t>(offset + layout::kGroupAffinityGroup), get<Word>(offset)});
    return masks;
  }

  [[nodiscard]] std::size_t mask_count(std::size_t masks_offset) const noexcept {
    return get<std::uint16_t>(masks_offset - 2);
  }

 private:
  std::span<const std::byte> bytes_;
};

// Nodes and caches had no count before Windows 20H2: 0 stands for the one mask they had (learn.microsoft.com,
// NUMA_NODE_RELATIONSHIP and CACHE_RELATIONSHIP).
std::vector<GroupMask> masks_or_one(const Record& record, std::size_t offset) {
  return record.masks(offset, std::max<std::size_t>(record.mask_count(offset), 1));
}

// PROCESSOR_CACHE_TYPE. A trace cache holds decoded instructions; of an unknown type nothing can be said.
std::optional<CacheType> cache_type(std::uint32_t type) noexcept {
  switch (type) {
    case 0: return CacheType::unified;
    case 1: return CacheType::instruction;
    case 2: return CacheType::data;
    case 3: return CacheType::instruction;
    default: return std::nullopt;
  }
}

// PROCESSOR_GROUP_INFO counts the processors a group can have and masks those that are active; processors are numbered
// from bit 0.
HardwareGroup group_info(const Record& record, std::size_t offset) noexcept {
  const std::uint32_t count = record.get<std::uint8_t>(offset);
  const Word active = record.get<Word>(offset + layout::kGroupInfoActiveMask);
  const Word maximum = count >= kGroupSize ? ~Word{0} : (Word{1} << count) - 1;
  return {.maximum = maximum | active, .active = active};
}

void decode_record(const Record& record, ProcessorRecords& records) {
  switch (static_cast<Relationship>(record.get<std::uint32_t>(0))) {
    case Relationship::core:
      records.cores.push_back({record.get<std::uint8_t>(layout::kEfficiencyClass),
                               record.masks(layout::kProcessorMasks, record.mask_count(layout::kProcessorMasks))});
      break;
    case Relationship::package:
      records.packages.push_back(record.masks(layout::kProcessorMasks, record.mask_count(layout::kProcessorMasks)));
      break;
    case Relationship::numa_node:
    case Relationship::numa_node_ex:
      if (record.holds(layout::kNodeNumber, sizeof(std::uint32_t)))
        records.nodes.push_back(
            {record.get<std::uint32_t>(layout::kNodeNumber), masks_or_one(record, layout::kNodeMasks)});
      break;
    case Relationship::cache:
      if (const auto type = cache_type(record.get<std::uint32_t>(layout::kCacheType)))
        records.caches.push_back({record.get<std::uint8_t>(layout::kCacheLevel), *type,
                                  record.get<std::uint32_t>(layout::kCacheSize),
                                  masks_or_one(record, layout::kCacheMasks)});
      break;
    case Relationship::group:
      // One record describes all groups.
      if (records.groups.empty()) {
        std::size_t offset = layout::kGroupInfos;
        for (std::size_t count = record.get<std::uint16_t>(layout::kActiveGroupCount);
             count > 0 && record.holds(offset, layout::kGroupInfo); --count, offset += layout::kGroupInfo)
          records.groups.push_back(group_info(record, offset));
      }
      break;
    default: break;
  }
}

std::uint32_t lowest(const CpuSet& cpus) noexcept {
  for (std::size_t i = 0; i < cpus.words().size(); ++i)
    if (cpus.words()[i] != 0)
      return static_cast<std::uint32_t>(i) * kWordBits + static_cast<std::uint32_t>(std::countr_zero(cpus.words()[i]));
  return kNoCpu;
}

}  // namespace

void decode_processor_records(std::span<const std::byte> buffer, ProcessorRecords& records) {
  while (buffer.size() >= layout::kHeader) {
    const std::size_t size = Record(buffer).get<std::uint32_t>(layout::kSize);
    if (size < layout::kHeader || size > buffer.size()) return;
    decode_record(Record(buffer.first(size)), records);
    buffer = buffer.subspan(size);
  }
}

ProcessorNumbers::ProcessorNumbers(std::span<const HardwareGroup> hardware) {
  std::uint32_t first = 0;
  for (const HardwareGroup& group : hardware) {
    groups_.push_back({group.maximum, first});
    first += static_cast<std::uint32_t>(std::popcount(group.maximum));
  }
}

void ProcessorNumbers::add(const GroupMask& processors, CpuSet& cpus) const {
  if (processors.group >= groups_.size()) return;
  const Group& group = groups_[processors.group];
  for (Word rest = processors.mask & group.maximum; rest != 0; rest &= rest - 1) {
    const Word below = (rest & (~rest + 1)) - 1;
    cpus.add(group.first + static_cast<std::uint32_t>(std::popcount(group.maximum & below)));
  }
}

void describe_machine(const ProcessorRecords& records, Machine& machine) {
  machine.groups = records.groups;
  const ProcessorNumbers numbers(machine.groups);
  for (std::uint32_t group = 0; group < machine.groups.size(); ++group) {
    numbers.add({group, machine.groups[group].maximum}, machine.possible);
    numbers.add({group, machine.groups[group].active}, machine.online);
  }
  machine.present = machine.possible;

  const auto cpus_of = [&](const std::vector<GroupMask>& processors) {
    CpuSet cpus;
    for (const GroupMask& mask : processors) numbers.add(mask, cpus);
    return cpus;
  };
  const auto online_of = [&](const std::vector<GroupMask>& processors) {
    CpuSet cpus = cpus_of(processors);
    cpus &= machine.online;
    return cpus;
  };
  const auto by_lowest = [](const auto& a, const auto& b) { return lowest(a.cpus) < lowest(b.cpus); };

  // Windows numbers neither packages nor cores: an id is the place in the order of the lowest CPUs.
  for (const auto& processors : records.packages)
    if (CpuSet cpus = online_of(processors); !cpus.empty())
      machine.packages.push_back({.id = {}, .cpus = std::move(cpus)});
  std::ranges::stable_sort(machine.packages, by_lowest);
  std::map<std::uint32_t, std::int64_t> package_of;
  for (std::size_t i = 0; i < machine.packages.size(); ++i) {
    const auto id = static_cast<std::int64_t>(i);
    machine.packages[i].id = id;
    machine.packages[i].cpus.for_each([&](std::uint32_t cpu) { package_of.emplace(cpu, id); });
  }

  std::map<std::uint32_t, CpuSet> kinds;
  CpuSet in_cores;
  for (const auto& record : records.cores) {
    CpuSet cpus = online_of(record.processors);
    if (cpus.empty()) continue;
    in_cores |= cpus;
    kinds[record.efficiency_class] |= cpus;
    const auto package = package_of.find(lowest(cpus));
    machine.cores.push_back({.package = package == package_of.end() ? std::nullopt : std::optional(package->second),
                             .id = {},
                             .cpus = std::move(cpus)});
  }
  std::ranges::stable_sort(machine.cores, by_lowest);
  for (std::size_t i = 0; i < machine.cores.size(); ++i) machine.cores[i].id = static_cast<std::int64_t>(i);

  machine.online.for_each([&](std::uint32_t cpu) {
    if (!in_cores.has(cpu)) kinds[0].add(cpu);
  });
  for (auto& [efficiency_class, cpus] : kinds)
    machine.kinds.push_back({.efficiency_class = efficiency_class, .cpus = std::move(cpus)});

  // A node that spans groups comes as several records, as one with several masks, or as both.
  std::map<std::uint32_t, CpuSet> nodes;
  for (const auto& record : records.nodes) nodes[record.id] |= cpus_of(record.processors);
  for (auto& [id, capacity] : nodes) {
    CpuSet cpus = capacity;
    cpus &= machine.online;
    machine.numa_nodes.push_back({.id = id, .cpus = std::move(cpus), .capacity = std::move(capacity), .distances = {}});
  }

  for (const auto& record : records.caches)
    if (CpuSet cpus = online_of(record.processors); !cpus.empty())
      machine.caches.push_back(
          {.level = record.level, .type = record.type, .bytes = record.bytes, .cpus = std::move(cpus)});
  std::ranges::stable_sort(machine.caches, {},
                           [](const Cache& cache) { return std::tuple(cache.level, cache.type, lowest(cache.cpus)); });
}

}  // namespace groupaffinity
