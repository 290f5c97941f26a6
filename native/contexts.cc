#include "contexts.h"

#include <condition_variable>
#include <mutex>
#include <unordered_map>

namespace groupaffinity {
namespace {

struct Table {
  std::mutex lock;
  std::condition_variable ended;
  std::uint32_t last = 0;
  // Contexts that have not ended, and the thread of each; 0 until it begins.
  std::unordered_map<std::uint32_t, std::uint64_t> alive;
};

// Never freed: threads may end after the process began to exit.
Table& table() {
  static Table* const only = new Table;
  return *only;
}

}  // namespace

std::uint32_t add_context() {
  const std::lock_guard guard(table().lock);
  table().alive.emplace(++table().last, 0);
  return table().last;
}

bool begin_context(std::uint32_t context, std::uint64_t thread) {
  const std::lock_guard guard(table().lock);
  const auto found = table().alive.find(context);
  if (found == table().alive.end() || found->second != 0) return false;
  found->second = thread;
  return true;
}

void end_context(std::uint32_t context) noexcept {
  {
    const std::lock_guard guard(table().lock);
    table().alive.erase(context);
  }
  table().ended.notify_all();
}

std::optional<std::uint64_t> context_thread(std::uint32_t context) {
  const std::lock_guard guard(table().lock);
  const auto found = table().alive.find(context);
  return found == table().alive.end() || found->second == 0 ? std::nullopt : std::optional(found->second);
}

bool is_context(std::uint32_t context) {
  const std::lock_guard guard(table().lock);
  return context > 0 && context <= table().last;
}

bool wait_for_context(std::uint32_t context, std::optional<std::chrono::nanoseconds> time) {
  std::unique_lock guard(table().lock);
  const auto ended = [&] { return !table().alive.contains(context); };
  if (!time) {
    table().ended.wait(guard, ended);
    return true;
  }
  return table().ended.wait_for(guard, *time, ended);
}

}  // namespace groupaffinity
