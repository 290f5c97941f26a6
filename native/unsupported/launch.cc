#include "../platform.h"

namespace groupaffinity {

Result leave_to_children(std::span<const Word>) { return {Outcome::unsupported, 0}; }

std::vector<std::string> first_environment() { return {}; }

std::vector<std::string> first_arguments() { return {}; }

Result become(const std::vector<std::string>&) { return {Outcome::unsupported, 0}; }

Result catch_signals() noexcept { return {Outcome::unsupported, 0}; }

void hand_signals_to(std::uint64_t) noexcept {}

std::uint32_t killed_by() noexcept { return 0; }

void end_by_signal(std::uint32_t) noexcept {}

Claim claim_name(const std::string&, std::intptr_t&) noexcept { return Claim::impossible; }

bool is_claimed(const std::string&) noexcept { return false; }

void let_go(std::intptr_t) noexcept {}

}  // namespace groupaffinity
