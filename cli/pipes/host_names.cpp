#include "cli/pipes/host_names.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <system_error>
#include <thread>

#include "model/base/clock.h"
#include "model/base/mutex.h"

namespace icr::cli {
namespace {

/// Returns a name with nothing but what host names consist of.
std::string harmless(std::string name) {
  if (name.size() > HostNames::kMostOctets) name.resize(HostNames::kMostOctets);
  for (char& c : name) {
    const bool usual =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
    if (!usual) c = '?';
  }
  return name;
}

std::optional<std::string> ask_machine(const IpAddress& address) {
  std::array<char, NI_MAXHOST> name{};
  int error = 0;
  if (address.is_v4()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(address.to_v4());
    error = ::getnameinfo(reinterpret_cast<const sockaddr*>(&to), sizeof to, name.data(), name.size(), nullptr, 0,
                          NI_NAMEREQD);
  } else {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    std::memcpy(&to.sin6_addr, address.bytes.data(), address.bytes.size());
    error = ::getnameinfo(reinterpret_cast<const sockaddr*>(&to), sizeof to, name.data(), name.size(), nullptr, 0,
                          NI_NAMEREQD);
  }
  if (error != 0 || name.front() == '\0') return std::nullopt;
  return std::string(name.data());
}

}  // namespace

struct HostNames::State {
  struct Entry {
    bool known = false;               ///< otherwise a thread is asked for it
    std::optional<std::string> name;  ///< none if the address has none
    TimePoint at{};                   ///< when it became known
  };

  explicit State(Lookup how) : lookup(std::move(how)) {}

  /// What a thread does: looks up what waits, and ends when nothing does.
  void work() {
    for (;;) {
      IpAddress address;
      {
        const MutexLock lock(mutex);
        if (waiting.empty()) {
          --threads;
          return;
        }
        address = waiting.front();
        waiting.pop_front();
      }
      auto name = lookup(address);
      if (name) name = harmless(std::move(*name));
      const MutexLock lock(mutex);
      const auto entry = entries.find(address);
      if (entry != entries.end()) entry->second = {true, std::move(name), monotonic_now()};
      changed.notify_all();
    }
  }

  [[nodiscard]] bool is_missing(const IpAddress& address) const ICR_REQUIRES(mutex) {
    const auto entry = entries.find(address);
    return entry != entries.end() && !entry->second.known;
  }

  const Lookup lookup;
  Mutex mutex;
  ConditionVariable changed;
  std::map<IpAddress, Entry> entries ICR_GUARDED_BY(mutex);
  std::deque<IpAddress> waiting ICR_GUARDED_BY(mutex);  ///< each has an entry that is not known
  std::size_t threads ICR_GUARDED_BY(mutex) = 0;
};

HostNames::HostNames(Lookup lookup) : state_(std::make_shared<State>(std::move(lookup))) {}

HostNames::~HostNames() {
  const MutexLock lock(state_->mutex);
  state_->waiting.clear();
}

HostNames& HostNames::of_machine() {
  // It is leaked on purpose: a lookup may last longer than main().
  static auto* const instance = new HostNames(ask_machine);
  return *instance;
}

HostNames::Found HostNames::find(const std::vector<IpAddress>& addresses, NameBudget& budget) {
  State& s = *state_;
  const TimePoint begin = monotonic_now();
  const TimePoint until = begin + budget.waiting;
  Found out;
  const MutexLock lock(s.mutex);
  if (s.entries.size() >= kMostNames) {
    for (auto it = s.entries.begin(); it != s.entries.end();) it = it->second.known ? s.entries.erase(it) : ++it;
  }
  std::vector<IpAddress> asked;
  for (const IpAddress& address : addresses) {
    auto entry = s.entries.find(address);
    if (entry != s.entries.end() && entry->second.known && begin - entry->second.at > kLifetime) {
      s.entries.erase(entry);
      entry = s.entries.end();
    }
    if (entry == s.entries.end()) {
      if (budget.lookups == 0 || budget.waiting <= 0s || s.entries.size() >= kMostNames) continue;
      --budget.lookups;
      s.entries.emplace(address, State::Entry{});
      s.waiting.push_back(address);
    }
    asked.push_back(address);
  }
  // Those that run already may be busy for long, so they are not counted on.
  for (std::size_t wanted = s.waiting.size(); wanted != 0 && s.threads < kThreads; --wanted) {
    try {
      std::thread([state = state_] { state->work(); }).detach();
    } catch (const std::system_error&) {
      break;  // the threads that there are do the work, or the time ends
    }
    ++s.threads;
  }
  bool in_time = budget.waiting > 0s;
  for (const IpAddress& address : asked) {
    while (in_time && s.is_missing(address)) in_time = s.changed.wait_until(s.mutex, until);
    const auto entry = s.entries.find(address);
    if (entry != s.entries.end() && entry->second.known && entry->second.name) out[address] = *entry->second.name;
  }
  budget.waiting = std::max<Duration>(budget.waiting - (monotonic_now() - begin), 0s);
  if (!in_time) {
    // Nobody waits for these any more. The next answer asks anew.
    budget.waiting = 0s;
    for (const IpAddress& address : s.waiting) s.entries.erase(address);
    s.waiting.clear();
  }
  return out;
}

}  // namespace icr::cli
