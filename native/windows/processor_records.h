// The records of GetLogicalProcessorInformationEx, decoded. Pure functions that need no Windows: a test feeds them
// machines nobody owns, a fuzzer feeds them damage.
//
// Layouts are those of 64-bit Windows (learn.microsoft.com, SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX and the structures
// it names); processors.cc checks them against the compiler's headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../platform.h"

namespace groupaffinity {

// LOGICAL_PROCESSOR_RELATIONSHIP; mingw's headers lack the last.
enum class Relationship : std::uint32_t {
  core = 0,
  numa_node = 1,
  cache = 2,
  package = 3,
  group = 4,
  numa_node_ex = 6,
};
inline constexpr std::uint32_t kRelationAll = 0xFFFF;

// Bytes from a record's start; a count of masks lies in the two bytes before the masks.
namespace record_layout {
inline constexpr std::size_t kSize = 4;
inline constexpr std::size_t kHeader = 8;

inline constexpr std::size_t kGroupAffinity = 16;
inline constexpr std::size_t kGroupAffinityGroup = 8;

inline constexpr std::size_t kEfficiencyClass = 9;
inline constexpr std::size_t kProcessorMasks = 32;

inline constexpr std::size_t kNodeNumber = 8;
inline constexpr std::size_t kNodeMasks = 32;

inline constexpr std::size_t kCacheLevel = 8;
inline constexpr std::size_t kCacheSize = 12;
inline constexpr std::size_t kCacheType = 16;
inline constexpr std::size_t kCacheMasks = 40;

inline constexpr std::size_t kActiveGroupCount = 10;
inline constexpr std::size_t kGroupInfos = 32;
inline constexpr std::size_t kGroupInfo = 48;
inline constexpr std::size_t kGroupInfoActiveMask = 40;
}  // namespace record_layout

struct ProcessorRecords {
  struct CoreRecord {
    std::uint32_t efficiency_class = 0;
    std::vector<GroupMask> processors;
  };
  struct NodeRecord {
    std::uint32_t id = 0;
    std::vector<GroupMask> processors;
  };
  struct CacheRecord {
    std::uint32_t level = 0;
    CacheType type = CacheType::unified;
    std::uint64_t bytes = 0;
    std::vector<GroupMask> processors;
  };

  // The groups that have active processors. Others may follow them: Windows describes a group only once it is active.
  std::vector<HardwareGroup> groups;
  std::vector<std::vector<GroupMask>> packages;
  std::vector<CoreRecord> cores;
  std::vector<NodeRecord> nodes;
  std::vector<CacheRecord> caches;
};

// Adds the records in `buffer` to `records`. Records of unknown kinds are passed over; from one whose size is
// impossible on, nothing is read; a count of masks is cut to those that lie within their record.
void decode_processor_records(std::span<const std::byte> buffer, ProcessorRecords& records);

// The processor numbers of platform.h: through the groups in order, over their maximum masks.
class ProcessorNumbers {
 public:
  explicit ProcessorNumbers(std::span<const HardwareGroup> hardware);
  // Bits that are no processors are left out.
  void add(const GroupMask& processors, CpuSet& cpus) const;

 private:
  struct Group {
    Word maximum = 0;
    std::uint32_t first = 0;
  };
  std::vector<Group> groups_;
};

// All of `machine` but what the process may use.
void describe_machine(const ProcessorRecords& records, Machine& machine);

}  // namespace groupaffinity
