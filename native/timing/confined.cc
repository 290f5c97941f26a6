#include "confined.h"

namespace groupaffinity {

std::vector<Word> only(std::uint32_t cpu) {
  std::vector<Word> words(mask_words());
  if (cpu / kWordBits >= words.size()) return {};
  words[cpu / kWordBits] = Word{1} << (cpu % kWordBits);
  return words;
}

Result confine_to(std::uint32_t cpu) {
  const std::vector<Word> wanted = only(cpu);
  if (wanted.empty()) return {Outcome::not_a_processor, 0};
  std::vector<Word> previous(wanted.size());
  std::vector<Word> in_force(wanted.size());
  return exchange_affinity(thread_memory(), wanted, previous, in_force);
}

}  // namespace groupaffinity
