#include "groups.h"

#include <bit>

namespace groupaffinity {

Groups::Groups(std::span<const std::uint32_t> cpus) {
  groups_.resize(cpus.size() / kGroupSize);
  for (std::uint32_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    group.base = cpus[std::size_t{g} * kGroupSize];
    group.contiguous = group.base != kNoCpu;
    for (std::uint32_t bit = 0; bit < kGroupSize; ++bit) {
      const std::uint32_t cpu = cpus[std::size_t{g} * kGroupSize + bit];
      group.cpus[bit] = cpu < kMaxCpus ? cpu : kNoCpu;
      if (group.cpus[bit] == kNoCpu) continue;
      group.maximum |= Word{1} << bit;
      group.contiguous = group.contiguous && cpu == group.base + bit;
      if (cpu >= places_.size()) places_.resize(std::size_t{cpu} + 1);
      places_[cpu] = {g, bit};
    }
  }
  if (groups_.size() == 1 && groups_[0].contiguous && groups_[0].base == 0) plain_ = groups_[0].maximum;
}

std::uint32_t Groups::cpu(std::uint32_t group, std::uint32_t bit) const noexcept {
  return group < groups_.size() && bit < kGroupSize ? groups_[group].cpus[bit] : kNoCpu;
}

bool Groups::locate(std::uint32_t cpu, std::uint32_t& group, std::uint32_t& bit) const noexcept {
  if (cpu >= places_.size() || places_[cpu].group == kNoCpu) return false;
  group = places_[cpu].group;
  bit = places_[cpu].bit;
  return true;
}

bool Groups::scatter(const GroupMask& wanted, std::span<Word> words) const noexcept {
  for (Word& word : words) word = 0;
  const Group& group = groups_[wanted.group];
  if (group.contiguous) {
    const std::uint32_t shift = group.base % kWordBits;
    const std::size_t first = group.base / kWordBits;
    const Word high = shift == 0 ? 0 : wanted.mask >> (kWordBits - shift);
    if (first + (high != 0 ? 1 : 0) >= words.size()) return false;
    words[first] = wanted.mask << shift;
    if (high != 0) words[first + 1] = high;
    return true;
  }
  for (Word rest = wanted.mask; rest != 0; rest &= rest - 1) {
    const std::uint32_t cpu = group.cpus[std::countr_zero(rest)];
    const std::size_t word = cpu / kWordBits;
    if (word >= words.size()) return false;
    words[word] |= Word{1} << (cpu % kWordBits);
  }
  return true;
}

Word Groups::collect(const Group& group, std::span<const Word> words) noexcept {
  Word mask = 0;
  for (Word rest = group.maximum; rest != 0; rest &= rest - 1) {
    const int bit = std::countr_zero(rest);
    const std::uint32_t cpu = group.cpus[bit];
    const std::size_t word = cpu / kWordBits;
    if (word < words.size()) mask |= ((words[word] >> (cpu % kWordBits)) & 1) << bit;
  }
  return mask;
}

GroupMask Groups::slice(std::span<const Word> words, std::uint32_t home) const noexcept {
  std::uint32_t group = 0;
  std::uint32_t bit = 0;
  if (locate(home, group, bit)) {
    const Word mask = gather(group, words);
    if (mask != 0) return {group, mask};
  }
  for (group = 0; group < count(); ++group) {
    const Word mask = gather(group, words);
    if (mask != 0) return {group, mask};
  }
  return {};
}

std::vector<std::uint32_t> Groups::table() const {
  std::vector<std::uint32_t> cpus;
  cpus.reserve(groups_.size() * kGroupSize);
  for (const Group& group : groups_) cpus.insert(cpus.end(), group.cpus, group.cpus + kGroupSize);
  return cpus;
}

constinit std::atomic<const Groups*> formed_groups{nullptr};

const Groups& form_groups(std::span<const std::uint32_t> cpus) {
  const Groups* mine = new Groups(cpus);
  const Groups* first = nullptr;
  if (formed_groups.compare_exchange_strong(first, mine, std::memory_order_acq_rel, std::memory_order_acquire))
    return *mine;
  delete mine;
  return *first;
}

}  // namespace groupaffinity
