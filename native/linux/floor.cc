#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "../platform.h"

namespace groupaffinity {

std::uint32_t bare_exchange(std::span<const Word> wanted, std::span<Word> previous) noexcept {
  if (syscall(SYS_sched_getaffinity, 0, previous.size_bytes(), previous.data()) < 0)
    return static_cast<std::uint32_t>(errno);
  if (syscall(SYS_sched_setaffinity, 0, wanted.size_bytes(), wanted.data()) != 0)
    return static_cast<std::uint32_t>(errno);
  return 0;
}

}  // namespace groupaffinity
