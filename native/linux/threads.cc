#include <sys/syscall.h>
#include <unistd.h>

#include "../platform.h"

namespace groupaffinity {

std::uint64_t current_thread() noexcept { return static_cast<std::uint64_t>(syscall(SYS_gettid)); }

}  // namespace groupaffinity
