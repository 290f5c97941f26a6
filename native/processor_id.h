// The processor that runs the calling thread, as the hardware knows it: no operating system is asked.
#pragma once

#include <cstdint>
#include <optional>

namespace groupaffinity {

// x86: the x2APIC id, which no other processor of the machine has. Nothing where programs can't read such an id
// (arm64).
[[nodiscard]] std::optional<std::uint32_t> processor_id() noexcept;

// Whether a hypervisor runs this system, by its own word to its guests. Nothing where processors have no such word.
[[nodiscard]] std::optional<bool> under_hypervisor() noexcept;

}  // namespace groupaffinity
