// SetThreadGroupAffinity and GetThreadGroupAffinity on the calling thread (learn.microsoft.com,
// processtopologyapi.h).
//
// SetThreadGroupAffinity does not trim: one inactive bit, a bit beyond the group, a non-zero Reserved or no bit at all
// make it fail with ERROR_INVALID_PARAMETER. Its two structures are never the same one (Wine then sets the old value),
// and the second is worth nothing after a failure.
//
// Threads that span groups. On Windows 11 and Windows Server 2022, with more than 64 processors, a thread that nobody
// has placed may run in every group. GetThreadGroupAffinity shows only the slice in its primary group, the first
// SetThreadGroupAffinity confines it to one group for good, and no documented call widens it again. So `previous` is
// that slice, and restore_affinity() brings back what GetThreadGroupAffinity said before: the same mask, in the same
// group, which is the primary one again; but no longer the other groups. The CPU sets of Windows, which can be taken
// back without loss, are no substitute: they are a wish, and a thread of which it was asked may run elsewhere.
//
// Placing a thread in a group other than its process's makes the process a multi-group one until it ends
// (learn.microsoft.com, "Processor Groups"): SetProcessAffinityMask fails from then on.
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>

#include "../platform.h"
#include "placing.h"
#include "processors.h"

namespace groupaffinity {
namespace {

using Words = std::span<Word>;
using ConstWords = std::span<const Word>;

Result failure(DWORD error) noexcept { return {Outcome::refused, error}; }

// The active processors of each group. At run time Windows only adds to them (learn.microsoft.com,
// KeQueryActiveProcessorCountEx), so a bit that was seen once is never asked for again.
class ActiveProcessors {
 public:
  ActiveProcessors() : count_(GetMaximumProcessorGroupCount()), masks_(std::make_unique<std::atomic<Word>[]>(count_)) {}

  // Leaves in `mask` only the bits of active processors. Returns 0 or GetLastError().
  std::uint32_t keep_active(std::uint32_t group, Word& mask) noexcept {
    std::uint32_t error = 0;
    if ((mask & ~known(group)) != 0) error = refresh();
    mask &= known(group);
    return error;
  }

 private:
  [[nodiscard]] Word known(std::uint32_t group) const noexcept {
    return group < count_ ? masks_[group].load(std::memory_order_relaxed) : 0;
  }

  std::uint32_t refresh() noexcept {
    std::vector<HardwareGroup> hardware;
    const std::uint32_t error = read_hardware_groups(hardware);
    for (std::uint32_t group = 0; group < hardware.size() && group < count_; ++group)
      masks_[group].fetch_or(hardware[group].active, std::memory_order_relaxed);
    return error;
  }

  std::uint32_t count_;
  std::unique_ptr<std::atomic<Word>[]> masks_;
};

ActiveProcessors& active_processors() noexcept {
  static ActiveProcessors active;
  return active;
}

GROUP_AFFINITY as_group_affinity(const GroupMask& processors) noexcept {
  GROUP_AFFINITY affinity{};
  affinity.Mask = processors.mask;
  affinity.Group = static_cast<WORD>(processors.group);
  return affinity;
}

// The call moves the thread before it returns; this is for systems that take a moment longer. The set is in force in
// any case, so what is left to wait for is bounded.
void arrive(const GROUP_AFFINITY& affinity) noexcept {
  constexpr int kTurns = 1000;
  for (int turn = 0; turn < kTurns; ++turn) {
    PROCESSOR_NUMBER at{};
    GetCurrentProcessorNumberEx(&at);
    if (at.Group == affinity.Group && at.Number < kGroupSize && ((Word{affinity.Mask} >> at.Number) & 1) != 0) return;
    SwitchToThread();
  }
}

// For a previous set that the formed groups can't express: then nothing could bring it back later.
Result undo(const GROUP_AFFINITY& previous) noexcept {
  SetThreadGroupAffinity(GetCurrentThread(), &previous, nullptr);
  return failure(ERROR_INVALID_DATA);
}

Result exchange_in_group(const GroupMask& wanted, GroupMask& slice, Words previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  GROUP_AFFINITY after{};
  GROUP_AFFINITY before{};
  const Result result = place(GetCurrentThread(), *formed, wanted, after, before);
  if (!placed(result)) return result;
  arrive(after);
  if (!to_words(*formed, before, previous)) return undo(before);
  slice = {before.Group, before.Mask};
  return result;
}

}  // namespace

bool to_words(const Groups& formed, const GROUP_AFFINITY& affinity, Words words) noexcept {
  const Word mask = affinity.Mask;
  return mask != 0 && (mask & ~formed.maximum(affinity.Group)) == 0 && formed.scatter({affinity.Group, mask}, words);
}

Result to_group(const Groups& formed, ConstWords words, GroupMask& processors) noexcept {
  int wanted = 0;
  for (const Word word : words) wanted += std::popcount(word);
  processors = formed.slice(words, kNoCpu);
  if (wanted != 0 && std::popcount(processors.mask) == wanted) return {};
  int known = 0;
  int active = 0;
  for (std::uint32_t group = 0; group < formed.count(); ++group) {
    GroupMask part{group, formed.gather(group, words)};
    known += std::popcount(part.mask);
    if (const std::uint32_t error = active_processors().keep_active(group, part.mask); error != 0)
      return failure(error);
    if (part.mask != 0 && ++active == 1) processors = part;
  }
  if (wanted == 0 || known != wanted) return {Outcome::not_a_processor, 0};
  return {active > 1 ? Outcome::spans_groups : Outcome::trimmed, 0};
}

bool placed(const Result& result) noexcept {
  return result.outcome == Outcome::done || result.outcome == Outcome::trimmed;
}

Result place(HANDLE thread, const Groups& formed, const GroupMask& wanted, GROUP_AFFINITY& in_force,
             GROUP_AFFINITY& previous) noexcept {
  if (wanted.mask == 0 || (wanted.mask & ~formed.maximum(wanted.group)) != 0) return {Outcome::not_a_processor, 0};
  GroupMask running = wanted;
  if (const std::uint32_t error = active_processors().keep_active(running.group, running.mask); error != 0)
    return failure(error);
  if (running.mask == 0) return {Outcome::none_running, 0};

  const GROUP_AFFINITY affinity = as_group_affinity(running);
  GROUP_AFFINITY before{};
  if (!SetThreadGroupAffinity(thread, &affinity, &before)) {
    const DWORD error = GetLastError();
    // Everything else that is wrong with a parameter was ruled out above.
    return {error == ERROR_INVALID_PARAMETER ? Outcome::not_allowed : Outcome::refused, error};
  }
  in_force = affinity;
  previous = before;
  return {running.mask == wanted.mask ? Outcome::done : Outcome::trimmed, 0};
}

Result give_back(HANDLE thread, const Groups& formed, ConstWords previous, GROUP_AFFINITY& in_force) noexcept {
  GroupMask processors;
  if (const Result chosen = to_group(formed, previous, processors); !placed(chosen)) return chosen;
  GROUP_AFFINITY before{};
  Result result = place(thread, formed, processors, in_force, before);
  if (result.outcome != Outcome::not_allowed) return placed(result) ? Result{} : result;
  // The process was narrowed meanwhile. That narrows the sets of its threads as well, so what is left of the previous
  // one is what the thread would have by now; where nothing is left, it would have all that the process has.
  const Word granted = process_affinity(processors.group) & formed.maximum(processors.group);
  const bool some = (processors.mask & granted) != 0;
  processors.mask = some ? processors.mask & granted : granted;
  result = place(thread, formed, processors, in_force, before);
  if (!placed(result)) return result;
  return {some ? Outcome::done : Outcome::trimmed, 0};
}

Support support() noexcept {
  return {.platform = "windows",
          .affinity = true,
          .spans_groups = false,
          .topology = true,
          .sysroot = false,
          .hardware_groups = true};
}

std::size_t mask_words() noexcept {
  static const std::size_t words = [] {
    std::vector<HardwareGroup> hardware;
    std::size_t processors = 0;
    if (read_hardware_groups(hardware) == 0)
      for (const HardwareGroup& group : hardware) processors += static_cast<std::size_t>(std::popcount(group.maximum));
    return processors == 0 ? 1 : (processors + kWordBits - 1) / kWordBits;
  }();
  return words;
}

// Windows tells all there is to know of a thread in the call that moves it.
class ThreadMemory {};

ThreadMemory& thread_memory() noexcept {
  static ThreadMemory none;
  return none;
}

Result read_affinity(ThreadMemory&, Words words, Words exact) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  GROUP_AFFINITY affinity{};
  if (!GetThreadGroupAffinity(GetCurrentThread(), &affinity)) return failure(GetLastError());
  if (!to_words(*formed, affinity, words)) return failure(ERROR_INVALID_DATA);
  std::ranges::copy(words, exact.begin());
  return {};
}

Result exchange_affinity(ThreadMemory&, ConstWords wanted, Words previous, Words in_force) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  GroupMask processors;
  const Result chosen = to_group(*formed, wanted, processors);
  if (!placed(chosen)) return chosen;
  GROUP_AFFINITY after{};
  GROUP_AFFINITY before{};
  const Result result = place(GetCurrentThread(), *formed, processors, after, before);
  if (!placed(result)) return result;
  arrive(after);
  if (!to_words(*formed, before, previous) || !to_words(*formed, after, in_force)) return undo(before);
  return chosen.outcome == Outcome::trimmed ? chosen : result;
}

void* exchange_group_affinity(ThreadMemory&, GroupMask wanted, Word* previous, AfterExchange* then,
                              void* context) noexcept {
  GroupMask slice;
  const Result result = exchange_in_group(wanted, slice, Words(previous, mask_words()));
  return then(context, result, slice);
}

Result restore_affinity(ThreadMemory&, ConstWords previous) noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return {Outcome::no_groups, 0};
  GROUP_AFFINITY after{};
  const Result result = give_back(GetCurrentThread(), *formed, previous, after);
  if (placed(result)) arrive(after);
  return result;
}

std::uint32_t current_cpu() noexcept {
  const Groups* const formed = groups();
  if (formed == nullptr) return kNoCpu;
  PROCESSOR_NUMBER at{};
  GetCurrentProcessorNumberEx(&at);
  return formed->cpu(at.Group, at.Number);
}

}  // namespace groupaffinity
