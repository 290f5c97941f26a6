// For systems without a call that binds a thread to processors, such as macOS: everything compiles, loads and says so.
#include "../platform.h"

namespace groupaffinity {
namespace {
constexpr Result kUnsupported{Outcome::unsupported, 0};
}  // namespace

Support support() noexcept {
  return {.platform = "unsupported",
          .affinity = false,
          .spans_groups = false,
          .topology = false,
          .sysroot = false,
          .hardware_groups = false};
}

std::size_t mask_words() noexcept { return 1; }

class ThreadMemory {};

ThreadMemory& thread_memory() noexcept {
  static ThreadMemory none;
  return none;
}

Result read_affinity(ThreadMemory&, std::span<Word>, std::span<Word>) noexcept { return kUnsupported; }

Result exchange_affinity(ThreadMemory&, std::span<const Word>, std::span<Word>, std::span<Word>) noexcept {
  return kUnsupported;
}

void* exchange_group_affinity(ThreadMemory&, GroupMask, Word*, AfterExchange* then, void* context) noexcept {
  return then(context, kUnsupported, {});
}

Result restore_affinity(ThreadMemory&, std::span<const Word>) noexcept { return kUnsupported; }

std::uint32_t current_cpu() noexcept { return kNoCpu; }

}  // namespace groupaffinity
