#include <windows.h>

#include "../platform.h"

namespace groupaffinity {

std::uint32_t bare_exchange(std::span<const Word> wanted, std::span<Word> previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return ERROR_NOT_READY;
  const GroupMask processors = formed->slice(wanted, kNoCpu);
  GROUP_AFFINITY affinity{};
  affinity.Group = static_cast<WORD>(processors.group);
  affinity.Mask = static_cast<KAFFINITY>(processors.mask);
  GROUP_AFFINITY before{};
  if (!SetThreadGroupAffinity(GetCurrentThread(), &affinity, &before)) return GetLastError();
  if (!previous.empty()) previous.front() = before.Mask;
  return 0;
}

}  // namespace groupaffinity
