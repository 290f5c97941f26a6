// A set of CPU numbers of any size: 64 to a word, CPU 0 in bit 0 of word 0.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace groupaffinity {

using Word = std::uint64_t;
inline constexpr std::uint32_t kWordBits = 64;

// Above any CPU number an operating system has; a larger one in a file is damage, not a machine.
inline constexpr std::uint32_t kMaxCpus = 1u << 16;

class CpuSet {
 public:
  void add(std::uint32_t cpu) {
    if (cpu >= kMaxCpus) return;
    const std::size_t word = cpu / kWordBits;
    if (word >= words_.size()) words_.resize(word + 1);
    words_[word] |= Word{1} << (cpu % kWordBits);
  }

  [[nodiscard]] bool has(std::uint32_t cpu) const noexcept {
    const std::size_t word = cpu / kWordBits;
    return word < words_.size() && ((words_[word] >> (cpu % kWordBits)) & 1) != 0;
  }

  [[nodiscard]] bool empty() const noexcept {
    for (const Word word : words_)
      if (word != 0) return false;
    return true;
  }

  [[nodiscard]] std::uint32_t size() const noexcept {
    std::uint32_t count = 0;
    for (const Word word : words_) count += static_cast<std::uint32_t>(std::popcount(word));
    return count;
  }

  CpuSet& operator|=(const CpuSet& other) {
    if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }

  CpuSet& operator&=(const CpuSet& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= i < other.words_.size() ? other.words_[i] : 0;
    return *this;
  }

  // Equal as sets: trailing zero words do not count.
  friend bool operator==(const CpuSet& a, const CpuSet& b) noexcept {
    const std::size_t longer = a.words_.size() > b.words_.size() ? a.words_.size() : b.words_.size();
    for (std::size_t i = 0; i < longer; ++i) {
      const Word left = i < a.words_.size() ? a.words_[i] : 0;
      const Word right = i < b.words_.size() ? b.words_[i] : 0;
      if (left != right) return false;
    }
    return true;
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (Word rest = words_[i]; rest != 0; rest &= rest - 1)
        visit(static_cast<std::uint32_t>(i) * kWordBits + static_cast<std::uint32_t>(std::countr_zero(rest)));
  }

  [[nodiscard]] const std::vector<Word>& words() const noexcept { return words_; }

 private:
  std::vector<Word> words_;
};

}  // namespace groupaffinity
