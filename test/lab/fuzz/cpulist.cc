// Lists and masks of CPUs, against readers of the same grammars that are as plain as can be.
#include <optional>
#include <string>
#include <vector>

#include "../../../native/linux/sysfs_text.h"
#include "fuzz.h"

namespace {

using namespace groupaffinity;

std::string stripped(std::string_view text) {
  constexpr std::string_view blanks(" \n\t\r\0", 5);
  const std::size_t first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string()
                                         : std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// Numbers and what stands between them: "0-10:2" is {0, 10, 2} and "-:".
bool tokens(const std::string& part, std::vector<std::uint64_t>& numbers, std::string& between) {
  bool in_number = false;
  for (const char c : part) {
    if (c >= '0' && c <= '9') {
      if (!in_number) numbers.push_back(0);
      numbers.back() = std::min<std::uint64_t>(numbers.back() * 10 + static_cast<unsigned>(c - '0'), 1ull << 32);
      in_number = true;
    } else {
      if (!in_number) return false;
      between += c;
      in_number = false;
    }
  }
  return in_number;
}

std::optional<CpuSet> plain_list(std::string_view text) {
  CpuSet cpus;
  const std::string list = stripped(text);
  if (list.empty()) return cpus;
  std::uint64_t named = 0;
  for (const std::string& part : split(list, ',')) {
    std::vector<std::uint64_t> numbers;
    std::string between;
    if (!tokens(part, numbers, between)) return {};
    if (between != std::string_view("-:/").substr(0, between.size())) return {};
    const std::uint64_t first = numbers[0];
    const std::uint64_t last = between.empty() ? first : numbers[1];
    const std::uint64_t used = between == "-:/" ? numbers[2] : 1;
    const std::uint64_t stride = between.size() >= 2 ? numbers.back() : 1;
    if (first > last || last >= kMaxCpus || used == 0 || used > stride || stride > kMaxCpus) return {};
    named += last - first + 1;
    if (named > kMaxCpus) return {};
    for (std::uint64_t cpu = first; cpu <= last; ++cpu)
      if ((cpu - first) % stride < used) cpus.add(static_cast<std::uint32_t>(cpu));
  }
  return cpus;
}

std::optional<CpuSet> plain_mask(std::string_view text) {
  const std::vector<std::string> words = split(stripped(text), ',');
  std::string digits;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].empty() || words[i].find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return {};
    if (words.size() > 1 && (i == 0 ? words[i].size() > 8 : words[i].size() != 8)) return {};
    digits += words[i];
  }
  CpuSet cpus;
  for (std::size_t i = 0; i < digits.size() * 4; ++i) {
    const int digit = std::stoi(digits.substr(digits.size() - 1 - i / 4, 1), nullptr, 16);
    if (((digit >> (i % 4)) & 1) == 0) continue;
    if (i >= kMaxCpus) return {};
    cpus.add(static_cast<std::uint32_t>(i));
  }
  return cpus;
}

std::string print_list(const CpuSet& cpus) {
  std::string text;
  cpus.for_each([&](std::uint32_t cpu) {
    if (cpu > 0 && cpus.has(cpu - 1)) return;
    std::uint32_t last = cpu;
    while (cpus.has(last + 1)) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(cpu) + (last > cpu ? "-" + std::to_string(last) : "");
  });
  return text + "\n";
}

std::string print_mask(const CpuSet& cpus) {
  std::string text;
  for (const Word word : cpus.words()) {
    char both[19];
    std::snprintf(both, sizeof both, "%08x,%08x", static_cast<unsigned>(word >> 32), static_cast<unsigned>(word));
    text = both + (text.empty() ? "" : "," + text);
  }
  return text.empty() ? "0\n" : text + "\n";
}

using Parse = bool (*)(std::string_view, CpuSet&);

void agrees(Parse parse, const std::optional<CpuSet>& expected, std::string_view text) {
  CpuSet cpus;
  cpus.add(7);  // what was in the set before does not stay
  CHECK(parse(text, cpus) == expected.has_value());
  CHECK(cpus == expected.value_or(CpuSet()));
  CHECK(cpus.words().size() <= kMaxCpus / kWordBits);
}

void is_read_back(Parse parse, const std::string& printed, const CpuSet& expected) {
  CpuSet cpus;
  CHECK(parse(printed, cpus) && cpus == expected);
}

}  // namespace

void decode(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  const std::optional<CpuSet> list = plain_list(text);
  agrees(parse_cpulist, list, text);
  agrees(parse_cpumask, plain_mask(text), text);
  if (!list) return;
  is_read_back(parse_cpulist, print_list(*list), *list);
  is_read_back(parse_cpumask, print_mask(*list), *list);
}
