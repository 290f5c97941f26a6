#include "seats.h"

#include <mutex>
#include <utility>

namespace groupaffinity {
namespace {

struct Plan {
  std::vector<Word> words;
  std::size_t words_per_seat = 0;
  std::string description;
  std::vector<std::uint32_t> sitters;
};

struct Table {
  std::mutex lock;
  std::vector<Plan> plans;
};

// Never freed: workers may end after the process began to exit.
Table& table() {
  static Table* const only = new Table;
  return *only;
}

}  // namespace

std::uint32_t add_plan(std::vector<Word> words, std::size_t words_per_seat, std::string description) {
  Plan plan;
  plan.sitters.resize(words.size() / words_per_seat);
  plan.words = std::move(words);
  plan.words_per_seat = words_per_seat;
  plan.description = std::move(description);
  const std::lock_guard guard(table().lock);
  table().plans.push_back(std::move(plan));
  return static_cast<std::uint32_t>(table().plans.size() - 1);
}

bool take_seat(std::uint32_t number, std::vector<bool>& tried, SeatTaken& taken) {
  const std::lock_guard guard(table().lock);
  if (number >= table().plans.size()) return false;
  Plan& plan = table().plans[number];
  tried.resize(plan.sitters.size());
  std::size_t freest = plan.sitters.size();
  for (std::size_t seat = 0; seat < plan.sitters.size(); ++seat)
    if (!tried[seat] && (freest == plan.sitters.size() || plan.sitters[seat] < plan.sitters[freest])) freest = seat;
  if (freest == plan.sitters.size()) return false;
  tried[freest] = true;
  taken.sharers = ++plan.sitters[freest];
  taken.seat = static_cast<std::uint32_t>(freest);
  const auto first = plan.words.begin() + static_cast<std::ptrdiff_t>(freest * plan.words_per_seat);
  taken.words.assign(first, first + static_cast<std::ptrdiff_t>(plan.words_per_seat));
  return true;
}

void leave_seat(std::uint32_t number, std::uint32_t seat) noexcept {
  const std::lock_guard guard(table().lock);
  if (number < table().plans.size() && seat < table().plans[number].sitters.size() &&
      table().plans[number].sitters[seat] > 0)
    --table().plans[number].sitters[seat];
}

std::vector<std::uint32_t> seat_sitters(std::uint32_t number) {
  const std::lock_guard guard(table().lock);
  return number < table().plans.size() ? table().plans[number].sitters : std::vector<std::uint32_t>{};
}

std::string plan_description(std::uint32_t number) {
  const std::lock_guard guard(table().lock);
  return number < table().plans.size() ? table().plans[number].description : std::string{};
}

}  // namespace groupaffinity
