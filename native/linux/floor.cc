#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "../platform.h"
#include "sysfs_text.h"

namespace groupaffinity {

std::uint32_t bare_exchange(std::span<const Word> wanted, std::span<Word> previous) noexcept {
  if (syscall(SYS_sched_getaffinity, 0, previous.size_bytes(), previous.data()) < 0)
    return static_cast<std::uint32_t>(errno);
  if (syscall(SYS_sched_setaffinity, 0, wanted.size_bytes(), wanted.data()) != 0)
    return static_cast<std::uint32_t>(errno);
  return 0;
}

std::uint32_t bare_move(std::uint64_t thread, std::span<const Word> wanted) noexcept {
  const auto id = static_cast<pid_t>(thread);
  return syscall(SYS_sched_setaffinity, id, wanted.size_bytes(), wanted.data()) == 0
             ? 0
             : static_cast<std::uint32_t>(errno);
}

std::optional<CpuTime> cpu_time() {
  const int file = open("/proc/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  // Of the whole file only the first line is of all CPUs.
  std::array<char, 512> buffer;
  const ssize_t bytes = read(file, buffer.data(), buffer.size());
  close(file);
  const auto ticks = parse_cpu_ticks({buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0});
  const long per_second = sysconf(_SC_CLK_TCK);
  if (!ticks || per_second <= 0) return std::nullopt;
  const auto seconds = [&](std::uint64_t count) {
    return static_cast<double>(count) / static_cast<double>(per_second);
  };
  return CpuTime{seconds(ticks->all), seconds(ticks->busy), seconds(ticks->stolen)};
}

}  // namespace groupaffinity
