#include "node/kernel/kernel_guard.h"

#include <net/if.h>
#include <netlink/route/link.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "model/base/clock.h"
#include "model/base/log.h"
#include "node/kernel/service_addresses.h"

namespace icr::node {
namespace {

/// The guard checks at most this often, however many notifications arrive.
constexpr Duration kPace = 10ms;
/// State that cannot be restored is tried again after this.
constexpr Duration kRetry = 500ms;
/// The same incident is logged once within this time.
constexpr Duration kSayAgain = 10s;

std::string words_for(const std::string& who) {
  return who.empty() ? "another program, for instance systemd-networkd, netplan or a firewall's script"
                     : who + ", as far as the kernel tells";
}

}  // namespace

std::string trouble_of_interface(nl_sock* socket, const std::string& name) {
  const auto index = static_cast<int>(if_nametoindex(name.c_str()));
  rtnl_link* found = nullptr;
  if (index == 0 || rtnl_link_get_kernel(socket, index, nullptr, &found) < 0) {
    return fmt::format("interface {} does not exist", name);
  }
  const netlink::Handle<rtnl_link> link(found);
  if ((rtnl_link_get_flags(link.get()) & IFF_UP) == 0) return fmt::format("interface {} is down", name);
  // Not IFF_RUNNING, which the kernel takes back up to a second later.
  if (rtnl_link_get_carrier(link.get()) == 0) return fmt::format("interface {} has no carrier", name);
  return {};
}

Result<std::unique_ptr<KernelGuard>> KernelGuard::open(const Cluster& cluster, std::uint16_t chassis) {
  const ChassisConfig& config = cluster.chassis[chassis];
  bool needed = false;
  for (const auto& card : config.cards) {
    for (const auto& port : card.ports) needed = needed || port.kind != PacketPort::Kind::pcap;
  }
  if (!needed) return nullptr;
  std::unique_ptr<KernelGuard> out(new KernelGuard(cluster, chassis));
  if (ForwardRules rules = forward_rules_of(config); config.kernel_guard && !rules.interfaces.empty()) {
    auto guard = ForwardGuard::install(std::move(rules));
    if (!guard) return tl::unexpected(guard.error());
    out->forward_guard_ = std::move(*guard);
  }
  for (std::size_t set = 0; set < cluster.redundancy_sets.size(); ++set) {
    out->watches_.push_back(std::make_unique<KernelWatch>());
  }
  out->told_.resize(cluster.redundancy_sets.size());
  out->addresses_.resize(cluster.redundancy_sets.size());
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error());
  out->socket_ = std::move(*socket);
  auto notifications = Notifications::open();
  if (!notifications) return tl::unexpected(notifications.error());
  out->notifications_ = std::move(*notifications);
  out->wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (out->wake_ < 0) return fail("no file descriptor is left");
  return out;
}

KernelGuard::~KernelGuard() {
  stop();
  if (wake_ >= 0) ::close(wake_);
}

void KernelGuard::start() {
  KernelNeeds needs = kernel_needs(cluster_, chassis_, forward_guard_.get(), watches_);
  for (auto& fact : needs.facts) kept_.emplace_back().fact = std::move(fact);
  for (auto& interface : needs.interfaces) interfaces_.push_back({std::move(interface), {}});
  (void)look_at_interfaces();
  const TimePoint now = monotonic_now();
  for (Kept& kept : kept_) {
    // State that an earlier run left, or that nobody has set yet, is no incident.
    const auto outcome = kept.fact->ensure(socket_.get());
    kept.missing = outcome.missing;
    if (!kept.missing.empty()) log::error("kernel", "{}: {}", kept.fact->name(), kept.missing);
    kept.not_before = now;
  }
  look_at_addresses();
  tell();
  thread_ = std::thread([this] { run(); });
}

void KernelGuard::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  if (wake_ >= 0) (void)!::write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void KernelGuard::run() {
  std::vector<pollfd> polled{{wake_, POLLIN, 0}};
  for (const int descriptor : notifications_->descriptors()) polled.push_back({descriptor, POLLIN, 0});
  TimePoint read_back = monotonic_now() + kReadBack;
  TimePoint looked{};
  while (!stopping_) {
    (void)::poll(polled.data(), polled.size(), static_cast<int>(kLook / 1ms));
    if (stopping_) return;
    // A burst of notifications leads to a single check.
    if (const Duration early = looked + kPace - monotonic_now(); early > Duration::zero()) {
      (void)::poll(polled.data(), 1, static_cast<int>(early / 1ms) + 1);
    }
    KernelNews news = notifications_->take();
    overruns_ = notifications_->overruns();
    const TimePoint now = looked = monotonic_now();
    if (now >= read_back) {
      read_back = now + kReadBack;
      news.changed = kKernelEverything;
      look_at_addresses();
    }
    if (look_at_interfaces()) news.changed |= kKernelLinks;
    look_at_facts(news.changed, now, news.who);
    tell();
  }
}

bool KernelGuard::look_at_interfaces() {
  bool changed = false;
  for (Looked& looked : interfaces_) {
    std::string trouble = trouble_of_interface(socket_.get(), looked.interface.name);
    if (trouble == looked.trouble) continue;
    changed = true;
    if (trouble.empty()) {
      log::info("kernel", "interface {} can be used again", looked.interface.name);
    } else {
      log::warn("kernel", "{}", trouble);
    }
    looked.trouble = std::move(trouble);
  }
  return changed;
}

void KernelGuard::look_at_facts(KernelKinds kinds, TimePoint now, const std::string& who) {
  for (Kept& kept : kept_) {
    const bool due = (!kept.missing.empty() || kept.fought_over) && now >= kept.not_before;
    if ((kept.fact->kinds() & kinds) == 0 && !due) continue;
    if (kept.fought_over && !due) continue;
    look_at(kept, now, who);
  }
  if (forward_guard_) dropped_ = forward_guard_->dropped();
}

void KernelGuard::look_at(Kept& kept, TimePoint now, const std::string& who) {
  const Fact::Outcome outcome = kept.fact->ensure(socket_.get());
  const std::string& name = kept.fact->name();
  if (now - kept.window_begin > kFightWindow) {
    kept.window_begin = now;
    kept.recent = 0;
    if (kept.fought_over && outcome.restored == 0) {
      kept.fought_over = false;
      log::info("kernel", "{}: no program removes it any more", name);
    }
  }
  if (outcome.restored != 0) {
    restored_ += static_cast<std::uint64_t>(outcome.restored);
    ++kept.recent;
    if (now - kept.said > kSayAgain) {
      log::warn("kernel", "{}: {} missing, removed by {}; put back", name, outcome.restored, words_for(who));
    }
    kept.said = now;
    if (!kept.fought_over && kept.recent >= kFight) {
      kept.fought_over = true;
      ++fights_;
      log::error("kernel", "{}: removed {} times within {} s by {}: two programs fight over it", name, kept.recent,
                 kFightWindow / 1s, words_for(who));
    }
  }
  if (kept.fought_over) kept.not_before = now + kFightPause;
  if (!outcome.missing.empty()) {
    ++failed_;
    kept.not_before = now + kRetry;
  }
  if (outcome.missing == kept.missing) return;
  if (outcome.missing.empty()) {
    log::info("kernel", "{}: everything is in place again", name);
  } else {
    log::error("kernel", "{}: {}", name, outcome.missing);
  }
  kept.missing = outcome.missing;
}

void KernelGuard::look_at_addresses() {
  for (std::uint16_t set = 0; set < addresses_.size(); ++set) {
    const bool asked_for = !cluster_.redundancy_sets[set].stand_alone() && cluster_.member_on(set, chassis_);
    if (asked_for) addresses_[set] = service_addresses(cluster_, set, chassis_);
  }
}

void KernelGuard::tell() {
  std::vector<KernelReport> reports(told_.size());
  for (std::size_t set = 0; set < reports.size(); ++set) reports[set].addresses = addresses_[set];
  for (const Looked& looked : interfaces_) {
    if (looked.trouble.empty()) continue;
    for (const std::uint16_t set : looked.interface.sets) reports[set].interfaces.push_back(looked.trouble);
  }
  for (const Kept& kept : kept_) {
    for (const std::uint16_t set : kept.fact->sets()) {
      kept.fact->report(reports[set]);
      if (!kept.missing.empty()) {
        reports[set].kernel.push_back(kept.missing);
      } else if (kept.fought_over) {
        reports[set].kernel.push_back(kept.fact->name() + ": another program removes it again and again");
      }
    }
  }
  for (std::size_t set = 0; set < reports.size(); ++set) {
    if (reports[set] == told_[set]) continue;
    told_[set] = reports[set];
    watches_[set]->put(std::move(reports[set]));
  }
}

void KernelGuard::append_to(CounterList& out) const {
  out.push_back({"kernel-rules-restored", restored_});
  out.push_back({"kernel-rules-refused", failed_});
  out.push_back({"kernel-rules-fought-over", fights_});
  out.push_back({"kernel-notifications-lost", overruns_});
  out.push_back({"kernel-guard-dropped", dropped_});
}

}  // namespace icr::node
