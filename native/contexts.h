// System threads of this process: who they are to the operating system, whether they have ended, and how to wait for
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace groupaffinity {

// A number that no other context of this process has or had, from 1.
std::uint32_t add_context();

// The thread that carries a context says so, once; false where another does, or it has ended.
[[nodiscard]] bool begin_context(std::uint32_t context, std::uint64_t thread);
void end_context(std::uint32_t context) noexcept;

// The thread that carries the context now; nothing where it never was, has not begun or has ended.
[[nodiscard]] std::optional<std::uint64_t> context_thread(std::uint32_t context);

// Whether add_context() ever gave this number.
[[nodiscard]] bool is_context(std::uint32_t context);

// Blocks until the thread has ended, or the time is over; without a time, forever. True where it has ended.
[[nodiscard]] bool wait_for_context(std::uint32_t context, std::optional<std::chrono::nanoseconds> time);

}  // namespace groupaffinity
