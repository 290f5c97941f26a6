#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>

namespace groupaffinity {

// A file of /proc, whose size nobody knows before, up to `most` bytes and a little more; empty where there is none.
inline std::string whole_file(const std::string& path, std::size_t most) {
  std::string text;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  std::array<char, 4096> part;
  while (text.size() < most) {
    const ssize_t bytes = read(file, part.data(), part.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(bytes));
  }
  close(file);
  return text;
}

// `start`, which was read of such a file into `buffer`; where that is full, all of the file, which `whole` keeps.
inline std::string_view whole_of(std::string_view start, std::span<const char> buffer, const std::string& path,
                                 std::string& whole) {
  if (start.size() < buffer.size()) return start;
  whole = whole_file(path, std::size_t{1} << 22);
  return whole;
}

}  // namespace groupaffinity
