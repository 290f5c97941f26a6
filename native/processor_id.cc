#include "processor_id.h"

#include <array>

#if defined(_M_X64) || defined(_M_IX86)
#include <intrin.h>
#elif defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace groupaffinity {
namespace {

using Registers = std::array<std::uint32_t, 4>;  // eax, ebx, ecx, edx
constexpr std::size_t kEax = 0;
constexpr std::size_t kEbx = 1;
constexpr std::size_t kEcx = 2;
constexpr std::size_t kEdx = 3;

#if defined(_M_X64) || defined(_M_IX86)
constexpr bool kHasCpuid = true;
Registers cpuid(std::uint32_t leaf) noexcept {
  int raw[4];
  __cpuidex(raw, static_cast<int>(leaf), 0);
  return {static_cast<std::uint32_t>(raw[0]), static_cast<std::uint32_t>(raw[1]), static_cast<std::uint32_t>(raw[2]),
          static_cast<std::uint32_t>(raw[3])};
}
#elif defined(__x86_64__) || defined(__i386__)
constexpr bool kHasCpuid = true;
Registers cpuid(std::uint32_t leaf) noexcept {
  Registers registers{};
  __cpuid_count(leaf, 0, registers[0], registers[1], registers[2], registers[3]);
  return registers;
}
#else
constexpr bool kHasCpuid = false;
Registers cpuid(std::uint32_t) noexcept { return {}; }
#endif

// The leaf that has the id in EDX: of extended topology, version 2 or 1 (Intel SDM, CPUID; AMD APM, 3, E.4.9); 0 where
// the processor has neither. A leaf without levels in EBX is not there.
std::uint32_t topology_leaf() noexcept {
  const std::uint32_t last = cpuid(0)[kEax];
  for (const std::uint32_t leaf : {0x1fu, 0x0bu})
    if (last >= leaf && (cpuid(leaf)[kEbx] & 0xffff) != 0) return leaf;
  return 0;
}

}  // namespace

std::optional<std::uint32_t> processor_id() noexcept {
  if (!kHasCpuid) return std::nullopt;
  static const std::uint32_t leaf = topology_leaf();
  if (leaf != 0) return cpuid(leaf)[kEdx];
  return cpuid(1)[kEbx] >> 24;
}

std::optional<bool> under_hypervisor() noexcept {
  if (!kHasCpuid) return std::nullopt;
  return ((cpuid(1)[kEcx] >> 31) & 1) != 0;
}

}  // namespace groupaffinity
