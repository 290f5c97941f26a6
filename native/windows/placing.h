// Placing a thread by Windows' own calls, whichever thread of this process it is.
#pragma once

#include <windows.h>

#include "../platform.h"

namespace groupaffinity {

// False where the formed groups lack one of the processors.
[[nodiscard]] bool to_words(const Groups& formed, const GROUP_AFFINITY& affinity, std::span<Word> words) noexcept;

// The one group that all of `words` lie in, or at least the active ones: `trimmed` then.
[[nodiscard]] Result to_group(const Groups& formed, std::span<const Word> words, GroupMask& processors) noexcept;

// Confines a thread to the active ones of `wanted`; `in_force` and `previous` are written on `done` and `trimmed` only.
// The calling thread may take a moment longer to get there.
[[nodiscard]] Result place(HANDLE thread, const Groups& formed, const GroupMask& wanted, GROUP_AFFINITY& in_force,
                           GROUP_AFFINITY& previous) noexcept;

// `done` or `trimmed`.
[[nodiscard]] bool placed(const Result& result) noexcept;

// Gives a thread the processors that it had; where the process was narrowed meanwhile what is left of them, or,
// `trimmed`, all that the process has.
[[nodiscard]] Result give_back(HANDLE thread, const Groups& formed, std::span<const Word> previous,
                               GROUP_AFFINITY& in_force) noexcept;

}  // namespace groupaffinity
