#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

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

}  // namespace groupaffinity
