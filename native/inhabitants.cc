#include "inhabitants.h"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace groupaffinity {
namespace {

struct Table {
  std::mutex lock;
  std::unordered_map<const void*, Inhabitant> alive;
};

// Never freed: threads may end after the process began to exit.
Table& table() {
  static Table* const only = new Table;
  return *only;
}

}  // namespace

void move_in(const void* key, Inhabitant inhabitant) {
  const std::lock_guard guard(table().lock);
  table().alive.insert_or_assign(key, std::move(inhabitant));
}

void move_out(const void* key) noexcept {
  const std::lock_guard guard(table().lock);
  table().alive.erase(key);
}

std::vector<Inhabitant> inhabitants() {
  const std::lock_guard guard(table().lock);
  std::vector<Inhabitant> all;
  all.reserve(table().alive.size());
  for (const auto& [key, inhabitant] : table().alive) all.push_back(inhabitant);
  return all;
}

}  // namespace groupaffinity
