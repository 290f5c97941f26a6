// The records of GetLogicalProcessorInformationEx.
#include <bit>
#include <cstring>
#include <vector>

#include "../../../native/windows/processor_records.h"
#include "fuzz.h"
#include "machine.h"

namespace groupaffinity {

bool operator==(const GroupMask& a, const GroupMask& b) { return a.group == b.group && a.mask == b.mask; }

}  // namespace groupaffinity

namespace {

using namespace groupaffinity;
namespace layout = record_layout;

// Writes records as Windows lays them out.
class Writer {
 public:
  void begin(Relationship relationship, std::size_t size) {
    start_ = bytes_.size();
    bytes_.resize(start_ + size);
    put(0, static_cast<std::uint32_t>(relationship));
    put(layout::kSize, static_cast<std::uint32_t>(size));
  }

  template <typename Value>
  void put(std::size_t offset, Value value) {
    std::memcpy(bytes_.data() + start_ + offset, &value, sizeof value);
  }

  void begin(Relationship relationship, std::size_t offset, const std::vector<GroupMask>& masks) {
    begin(relationship, offset + masks.size() * layout::kGroupAffinity);
    put(offset - 2, static_cast<std::uint16_t>(masks.size()));
    for (std::size_t i = 0; i < masks.size(); ++i) {
      put(offset + i * layout::kGroupAffinity, masks[i].mask);
      put(offset + i * layout::kGroupAffinity + layout::kGroupAffinityGroup,
          static_cast<std::uint16_t>(masks[i].group));
    }
  }

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t start_ = 0;
};

std::uint32_t type_number(CacheType type) {
  return type == CacheType::unified ? 0 : type == CacheType::instruction ? 1 : 2;
}

Writer write(const ProcessorRecords& records) {
  Writer writer;
  for (const auto& core : records.cores) {
    writer.begin(Relationship::core, layout::kProcessorMasks, core.processors);
    writer.put(layout::kEfficiencyClass, static_cast<std::uint8_t>(core.efficiency_class));
  }
  for (const auto& masks : records.packages) writer.begin(Relationship::package, layout::kProcessorMasks, masks);
  for (const auto& node : records.nodes) {
    writer.begin(Relationship::numa_node_ex, layout::kNodeMasks, node.processors);
    writer.put(layout::kNodeNumber, node.id);
  }
  for (const auto& cache : records.caches) {
    writer.begin(Relationship::cache, layout::kCacheMasks, cache.processors);
    writer.put(layout::kCacheLevel, static_cast<std::uint8_t>(cache.level));
    writer.put(layout::kCacheSize, static_cast<std::uint32_t>(cache.bytes));
    writer.put(layout::kCacheType, type_number(cache.type));
  }
  writer.begin(Relationship::group, layout::kGroupInfos + records.groups.size() * layout::kGroupInfo);
  writer.put(layout::kActiveGroupCount, static_cast<std::uint16_t>(records.groups.size()));
  for (std::size_t i = 0; i < records.groups.size(); ++i) {
    const std::size_t offset = layout::kGroupInfos + i * layout::kGroupInfo;
    writer.put(offset, static_cast<std::uint8_t>(std::countr_one(records.groups[i].maximum)));
    writer.put(offset + layout::kGroupInfoActiveMask, records.groups[i].active);
  }
  return writer;
}

bool same(const ProcessorRecords& a, const ProcessorRecords& b) {
  using Records = ProcessorRecords;
  return a.packages == b.packages &&
         std::ranges::equal(a.groups, b.groups,
                            [](const HardwareGroup& x, const HardwareGroup& y) {
                              return x.maximum == y.maximum && x.active == y.active;
                            }) &&
         std::ranges::equal(a.cores, b.cores,
                            [](const Records::CoreRecord& x, const Records::CoreRecord& y) {
                              return x.efficiency_class == y.efficiency_class && x.processors == y.processors;
                            }) &&
         std::ranges::equal(a.nodes, b.nodes,
                            [](const Records::NodeRecord& x, const Records::NodeRecord& y) {
                              return x.id == y.id && x.processors == y.processors;
                            }) &&
         std::ranges::equal(a.caches, b.caches, [](const Records::CacheRecord& x, const Records::CacheRecord& y) {
           return x.level == y.level && x.type == y.type && x.bytes == y.bytes && x.processors == y.processors;
         });
}

}  // namespace

void decode(std::span<const std::byte> bytes) {
  ProcessorRecords records;
  decode_processor_records(bytes, records);
  ProcessorRecords again;
  decode_processor_records(write(records).bytes(), again);
  CHECK(same(records, again));

  Machine machine;
  describe_machine(records, machine);
  std::uint32_t maximum = 0;
  std::uint32_t active = 0;
  for (const HardwareGroup& group : machine.groups) {
    CHECK((group.active & ~group.maximum) == 0);
    maximum += static_cast<std::uint32_t>(std::popcount(group.maximum));
    active += static_cast<std::uint32_t>(std::popcount(group.active));
  }
  // Every processor of a group has a number of its own.
  CHECK(machine.possible.size() == std::min(maximum, kMaxCpus));
  CHECK(machine.online.size() == active || maximum > kMaxCpus);
  check_machine(machine);
}
