#include "model/base/guilt.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "model/base/log.h"

namespace icr::guilt {
namespace {

std::atomic<std::uint64_t> faults{0};

/// Places whose first fault was logged. The text of a condition tells places apart: as a literal it has an address of
/// its own, or shares it with equal text. When the table is full, further places are counted only.
std::array<std::atomic<const char*>, 256> logged{};

/// Returns true for the first call with this condition. Takes no lock.
bool is_first(const char* condition) {
  for (auto& place : logged) {
    const char* known = nullptr;
    if (place.compare_exchange_strong(known, condition)) return true;
    if (known == condition) return false;
  }
  return false;
}

/// Returns the file's path from the root of the project, whatever folder it was compiled in.
std::string_view short_name(std::string_view file) {
  for (const char* const folder : {"/model/", "/transport/", "/replication/", "/storage/", "/node/", "/cli/"}) {
    if (const auto at = file.rfind(folder); at != std::string_view::npos) return file.substr(at + 1);
  }
  return file;
}

}  // namespace

void end_process(const char* condition, const char* file, int line) {
  const auto where = short_name(file);
  std::fprintf(stderr, "internal: %s is not true at %.*s:%d: this is a mistake of the program, which ends\n", condition,
               static_cast<int>(where.size()), where.data(), line);
  std::abort();
}

bool count_fault(const char* condition, const char* file, int line) {
  faults.fetch_add(1, std::memory_order_relaxed);
  if (is_first(condition)) {
    log::error("internal", "{} is not true at {}:{}: this is a mistake of the program, which goes on", condition,
               short_name(file), line);
  }
  return false;
}

void append_to(CounterList& out) { out.push_back({"internal-faults", faults.load(std::memory_order_relaxed)}); }

}  // namespace icr::guilt
