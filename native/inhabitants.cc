#include "inhabitants.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace groupaffinity {
namespace {

struct Entry {
  Inhabitant who;
  std::uint32_t* system;
};

struct Table {
  std::mutex lock;
  std::unordered_map<const void*, Entry> alive;
};

// Never freed: threads may end after the process began to exit.
Table& table() {
  static Table* const only = new Table;
  return *only;
}

}  // namespace

void move_in(const void* key, Inhabitant inhabitant, std::uint32_t& system) {
  const std::lock_guard guard(table().lock);
  table().alive.insert_or_assign(key, Entry{std::move(inhabitant), &system});
}

void move_out(const void* key) noexcept {
  const std::lock_guard guard(table().lock);
  table().alive.erase(key);
}

std::vector<Inhabitant> inhabitants() {
  const std::lock_guard guard(table().lock);
  std::vector<Inhabitant> all;
  all.reserve(table().alive.size());
  for (const auto& [key, entry] : table().alive) all.push_back(entry.who);
  return all;
}

bool has_system_affinity(std::uint64_t thread) {
  const std::lock_guard guard(table().lock);
  return std::ranges::any_of(table().alive, [&](const auto& one) {
    const Entry& entry = one.second;
    // JavaScript of another thread writes it. Not every standard library has std::atomic_ref yet.
    const volatile std::uint32_t* const system = entry.system;
    return entry.who.thread == thread && *system != 0;
  });
}

}  // namespace groupaffinity
