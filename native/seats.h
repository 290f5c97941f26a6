// Seats: the places that a plan gives to the workers of this process. One table for all its threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu_set.h"

namespace groupaffinity {

struct SeatTaken {
  std::uint32_t seat = 0;
  std::uint32_t sharers = 0;  // how many sit there now, the taker included
  std::vector<Word> words;    // the seat's CPUs
};

// `words` holds mask_words() words a seat, one seat after the other. `description` is the plan as its maker wrote it,
// for the workers to read. Returns the plan's number; a plan lives as long as the process.
std::uint32_t add_plan(std::vector<Word> words, std::size_t words_per_seat, std::string description);

// Takes the seat with the fewest sitters, the lowest of them first, that is not in `tried`, and puts it there. False
// where the plan does not exist, or every seat was tried.
[[nodiscard]] bool take_seat(std::uint32_t plan, std::vector<bool>& tried, SeatTaken& taken);
void leave_seat(std::uint32_t plan, std::uint32_t seat) noexcept;

// Sitters of each seat; empty where the plan does not exist.
[[nodiscard]] std::vector<std::uint32_t> seat_sitters(std::uint32_t plan);
[[nodiscard]] std::string plan_description(std::uint32_t plan);

}  // namespace groupaffinity
