// Runs `icr` as a process of its own, for benchmarks of questions.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace icr::bench {

/// Returns a port of 127.0.0.1 on which nobody listens, or 0.
inline std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = bind(socket, any, size) == 0 && getsockname(socket, any, &size) == 0;
  close(socket);
  return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

/// How a program ended.
struct End {
  int code = -1;  ///< its exit code, or -1
  long most_memory_kb = 0;
};

/// Returns the most memory that a process has used since it began its program, or 0 if it has ended. (What wait4()
/// tells counts the memory of this process as well, from which the other one was made.)
inline long most_memory_kb(pid_t process) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  for (std::string word; status >> word;) {
    long kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

/// Runs a program with its output in a file.
inline End run(const std::vector<std::string>& words, const std::string& output, bool watch_memory = false) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int error = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {};
  End end;
  for (int status = 0;; std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
    const pid_t ended = waitpid(child, &status, watch_memory ? WNOHANG : 0);
    if (ended == child) {
      if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
      return end;
    }
    if (ended != 0) return {};
    if (watch_memory) end.most_memory_kb = std::max(end.most_memory_kb, most_memory_kb(child));
  }
}

inline std::size_t lines_of(const std::string& file) {
  std::ifstream in(file);
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

/// Returns the path of `icr`, which is in the folder of this program.
inline std::string path_of_icr() { return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "icr"; }

}  // namespace icr::bench
