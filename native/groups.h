// Processor groups: which CPU is which bit of which group. Formed once and never changed while the process lives.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cpu_set.h"

namespace groupaffinity {

// At most 64 processors a group (MAXIMUM_PROC_PER_GROUP): the bits of one mask.
inline constexpr std::uint32_t kGroupSize = 64;
inline constexpr std::uint32_t kNoCpu = UINT32_MAX;

struct GroupMask {
  std::uint32_t group = 0;
  Word mask = 0;
};

class Groups {
 public:
  // `cpus` holds kGroupSize entries a group: the CPU of each bit, kNoCpu where the group has none.
  explicit Groups(std::span<const std::uint32_t> cpus);

  // The bits of every processor on a machine whose only group has CPU n as bit n, as most machines do; else 0.
  [[nodiscard]] Word plain() const noexcept { return plain_; }

  [[nodiscard]] std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(groups_.size()); }
  // The bits of every processor that exists, running or not; 0 for a group that does not exist.
  [[nodiscard]] Word maximum(std::uint32_t group) const noexcept {
    return group < groups_.size() ? groups_[group].maximum : 0;
  }
  // kNoCpu where there is none.
  [[nodiscard]] std::uint32_t cpu(std::uint32_t group, std::uint32_t bit) const noexcept;
  // False for a CPU that is in no group.
  [[nodiscard]] bool locate(std::uint32_t cpu, std::uint32_t& group, std::uint32_t& bit) const noexcept;

  // Writes the CPUs of `wanted` (whose bits all exist) into `words`, clearing the rest.
  // False where a CPU does not fit into `words`.
  [[nodiscard]] bool scatter(const GroupMask& wanted, std::span<Word> words) const noexcept;
  // The bits of one group that `words` contains.
  [[nodiscard]] Word gather(std::uint32_t number, std::span<const Word> words) const noexcept {
    const Group& group = groups_[number];
    if (group.contiguous) [[likely]]
      return window(group, words);
    return collect(group, words);
  }
  // The CPUs of `words` as one group's mask: the group of CPU `home` where it has a part in them, else the first
  // group that has. An empty set gives group 0, mask 0.
  [[nodiscard]] GroupMask slice(std::span<const Word> words, std::uint32_t home) const noexcept;

  [[nodiscard]] std::vector<std::uint32_t> table() const;

 private:
  struct Group {
    Word maximum = 0;
    // Bit n is CPU base + n for every bit: the mask is a window of the words and needs no table.
    bool contiguous = false;
    std::uint32_t base = 0;
    std::uint32_t cpus[kGroupSize];
  };
  struct Place {
    std::uint32_t group = kNoCpu;
    std::uint32_t bit = 0;
  };
  [[nodiscard]] static Word window(const Group& group, std::span<const Word> words) noexcept {
    const std::uint32_t shift = group.base % kWordBits;
    const std::size_t first = group.base / kWordBits;
    if (first >= words.size()) return 0;
    Word bits = words[first] >> shift;
    if (shift != 0 && first + 1 < words.size()) bits |= words[first + 1] << (kWordBits - shift);
    return bits & group.maximum;
  }
  [[nodiscard]] static Word collect(const Group& group, std::span<const Word> words) noexcept;

  Word plain_ = 0;
  std::vector<Group> groups_;
  std::vector<Place> places_;
};

// Never freed: threads that outlive the last environment may still hold it.
extern constinit std::atomic<const Groups*> formed_groups;

// The process's groups; null until formed.
[[nodiscard]] inline const Groups* groups() noexcept { return formed_groups.load(std::memory_order_acquire); }
// Forms them, unless they are: the first call in the process wins, on whatever thread.
const Groups& form_groups(std::span<const std::uint32_t> cpus);

}  // namespace groupaffinity
