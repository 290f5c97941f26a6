#include <windows.h>

#include "../platform.h"

namespace groupaffinity {

// A child process starts with its parent's process affinity, whatever its parent's threads have.
Result leave_to_children(std::span<const Word>) { return {}; }

std::vector<std::string> first_environment() { return {}; }

std::vector<std::string> first_arguments() { return {}; }

Result become(const std::vector<std::string>&) { return {Outcome::unsupported, 0}; }

namespace {

// What the console sends it sends to every process attached to it, the program included.
BOOL WINAPI leave_to_program(DWORD event) noexcept { return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT; }

}  // namespace

Result catch_signals() noexcept {
  return SetConsoleCtrlHandler(leave_to_program, TRUE) ? Result{} : Result{Outcome::refused, GetLastError()};
}

void hand_signals_to(std::uint64_t) noexcept {}

std::uint32_t killed_by() noexcept { return 0; }

void end_by_signal(std::uint32_t) noexcept {}

namespace {

// A kernel object of this session; it is gone with its last handle ("Kernel object namespaces").
std::string object_name(const std::string& name) {
  std::string object = "Local\\" + name;
  for (std::size_t at = 6; at < object.size(); ++at)
    if (object[at] == '\\') object[at] = '/';
  return object;
}

}  // namespace

Claim claim_name(const std::string& name, std::intptr_t& handle) noexcept {
  const HANDLE object = CreateEventA(nullptr, TRUE, FALSE, object_name(name).c_str());
  if (object == nullptr) return GetLastError() == ERROR_ACCESS_DENIED ? Claim::taken : Claim::impossible;
  if (GetLastError() == ERROR_ALREADY_EXISTS) {
    CloseHandle(object);
    return Claim::taken;
  }
  handle = reinterpret_cast<std::intptr_t>(object);
  return Claim::mine;
}

bool is_claimed(const std::string& name) noexcept {
  const HANDLE object = OpenEventA(SYNCHRONIZE, FALSE, object_name(name).c_str());
  if (object == nullptr) return GetLastError() == ERROR_ACCESS_DENIED;
  CloseHandle(object);
  return true;
}

void let_go(std::intptr_t handle) noexcept { CloseHandle(reinterpret_cast<HANDLE>(handle)); }

}  // namespace groupaffinity
