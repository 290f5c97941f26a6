// Small files of /sys and /proc, below a root that need not be this machine's.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace groupaffinity {

// A folder to open files in; fd() is negative where there is none.
class Folder {
 public:
  Folder(int parent, const char* path) : fd_(openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class Files {
 public:
  static constexpr std::size_t kPage = 4096;

  // The text is good until the next read. A kernel file comes whole from one read(2), save a binary attribute of more
  // than a page (long masks, since 5.16), and files of /proc.
  [[nodiscard]] std::optional<std::string_view> read(int parent, const char* path) {
    // O_NONBLOCK: a pipe in a damaged tree must not hold the reader up.
    const int file = openat(parent, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) return std::nullopt;
    const std::size_t length = fill(file, kPage);
    close(file);
    return std::string_view(buffer_.data(), length);
  }

  // The same for files whose reads end anywhere.
  [[nodiscard]] std::optional<std::string_view> read_all(int parent, const char* path) {
    const int file = openat(parent, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) return std::nullopt;
    const std::size_t length = fill(file, 1);
    close(file);
    return std::string_view(buffer_.data(), length);
  }

 private:
  static constexpr std::size_t kLongest = std::size_t{1} << 22;

  // Reads on while a read's length is a multiple of `whole`.
  std::size_t fill(int file, std::size_t whole) {
    std::size_t length = 0;
    while (length < kLongest) {
      if (buffer_.size() - length < kPage) buffer_.resize(buffer_.size() * 2);
      const ssize_t bytes = ::read(file, buffer_.data() + length, buffer_.size() - length);
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes <= 0) break;
      length += static_cast<std::size_t>(bytes);
      if (static_cast<std::size_t>(bytes) % whole != 0) break;
    }
    return length;
  }

  std::vector<char> buffer_ = std::vector<char>(4 * kPage);
};

}  // namespace groupaffinity
