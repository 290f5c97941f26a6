#include <windows.h>

#include "../platform.h"

namespace groupaffinity {
namespace {

GROUP_AFFINITY in_group(const Groups& formed, std::span<const Word> wanted) noexcept {
  const GroupMask processors = formed.slice(wanted, kNoCpu);
  GROUP_AFFINITY affinity{};
  affinity.Group = static_cast<WORD>(processors.group);
  affinity.Mask = static_cast<KAFFINITY>(processors.mask);
  return affinity;
}

}  // namespace

std::uint32_t bare_exchange(std::span<const Word> wanted, std::span<Word> previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return ERROR_NOT_READY;
  const GROUP_AFFINITY affinity = in_group(*formed, wanted);
  GROUP_AFFINITY before{};
  if (!SetThreadGroupAffinity(GetCurrentThread(), &affinity, &before)) return GetLastError();
  if (!previous.empty()) previous.front() = before.Mask;
  return 0;
}

std::uint32_t bare_move(std::uint64_t thread, std::span<const Word> wanted) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return ERROR_NOT_READY;
  const GROUP_AFFINITY affinity = in_group(*formed, wanted);
  constexpr DWORD kRights = THREAD_SET_INFORMATION | THREAD_QUERY_INFORMATION;
  HANDLE const opened = OpenThread(kRights, FALSE, static_cast<DWORD>(thread));
  if (opened == nullptr) return GetLastError();
  const DWORD error = SetThreadGroupAffinity(opened, &affinity, nullptr) ? 0 : GetLastError();
  CloseHandle(opened);
  return error;
}

// What a hypervisor takes, Windows does not tell.
std::optional<CpuTime> cpu_time() {
  FILETIME idle{};
  FILETIME kernel{};
  FILETIME user{};
  if (!GetSystemTimes(&idle, &kernel, &user)) return std::nullopt;
  const auto seconds = [](const FILETIME& time) {
    return static_cast<double>((std::uint64_t{time.dwHighDateTime} << 32) | time.dwLowDateTime) / 1e7;
  };
  // The idle time is in the kernel's.
  const double all = seconds(kernel) + seconds(user);
  return CpuTime{all, all - seconds(idle), std::nullopt};
}

}  // namespace groupaffinity
