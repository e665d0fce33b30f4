#include "node/kernel/notifications.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

#include "model/base/result.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
/// Size of the socket buffer: a burst of this many octets is kept while the thread does something else.
constexpr int kSocketBuffer = 1024 * 1024;
/// At most this many messages are taken at a time; the others wait for the next call.
constexpr int kMessagesPerLook = 1000;

/// Opens a socket in multicast groups of a netlink protocol. Returns -1 if the kernel refuses.
int open_socket(int protocol, std::initializer_list<int> groups) {
  const int out = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (out < 0) return -1;
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  bool good = ::bind(out, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0;
  for (const int group : groups) {
    good = good && setsockopt(out, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0;
  }
  if (good) {
    // A smaller buffer only overruns earlier.
    (void)setsockopt(out, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
    return out;
  }
  ::close(out);
  return -1;
}

/// The name of a process that may have made a change: netlink addresses are process numbers by custom only.
std::string name_of_process(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string out;
  std::getline(file, out);
  return out;
}

/// The attributes of a message, by type; data is where the value begins.
struct Attribute {
  std::uint16_t type;
  std::string_view value;
};

/// Calls `visit` for each attribute between `at` and `end`.
template <class Visit>
void each_attribute(const char* at, const char* end, Visit&& visit) {
  while (end - at >= static_cast<std::ptrdiff_t>(sizeof(nlattr))) {
    nlattr header;
    std::memcpy(&header, at, sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > end - at) return;
    visit(Attribute{static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
                    std::string_view(at + sizeof header, header.nla_len - sizeof header)});
    at += std::min<std::ptrdiff_t>(NLA_ALIGN(header.nla_len), end - at);
  }
}

/// Returns true for a route that icrd may have added, or one in a table that may be icrd's.
bool is_our_route(const char* payload, const char* end) {
  if (end - payload < static_cast<std::ptrdiff_t>(sizeof(rtmsg))) return false;
  rtmsg route;
  std::memcpy(&route, payload, sizeof route);
  if (route.rtm_protocol == kSteeringProtocol) return true;
  std::uint32_t table = route.rtm_table;
  each_attribute(payload + NLMSG_ALIGN(sizeof route), end, [&table](const Attribute& one) {
    if (one.type == RTA_TABLE && one.value.size() == sizeof table) std::memcpy(&table, one.value.data(), sizeof table);
  });
  return is_steering_table(table);
}

/// Returns the kinds of state that a message of rtnetlink changes.
KernelKinds kind_of(const nlmsghdr& header, const char* payload, const char* end) {
  switch (header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return kKernelLinks;
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return kKernelRules;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return is_our_route(payload, end) ? kKernelRoutes : 0;
    case RTM_NEWNETCONF:
    case RTM_DELNETCONF:
      return kKernelSettings;
    default:
      return 0;
  }
}

/// Returns the program that nftables names as the author of a new generation of the rules.
std::string maker_of(const char* payload, const char* end) {
  std::string out;
  if (end - payload < static_cast<std::ptrdiff_t>(sizeof(nfgenmsg))) return out;
  each_attribute(payload + NLMSG_ALIGN(sizeof(nfgenmsg)), end, [&out](const Attribute& one) {
    if (one.type == NFTA_GEN_PROC_NAME) out.assign(one.value.substr(0, one.value.find('\0')));
  });
  return out;
}

}  // namespace

Result<std::unique_ptr<Notifications>> Notifications::open() {
  std::unique_ptr<Notifications> out(new Notifications);
  out->buffer_.resize(kBufferBytes);
  const int route =
      open_socket(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE,
                                  RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_IPV6_IFINFO});
  if (route < 0) {
    return fail("cannot listen to the kernel's notifications: {}", error_text(errno));
  }
  out->descriptors_.push_back(route);
  const int filters = open_socket(NETLINK_NETFILTER, {NFNLGRP_NFTABLES});
  if (filters >= 0) out->descriptors_.push_back(filters);
  return out;
}

Notifications::~Notifications() {
  for (const int descriptor : descriptors_) ::close(descriptor);
}

KernelNews Notifications::take() {
  KernelNews news;
  for (std::size_t i = 0; i < descriptors_.size(); ++i) receive(descriptors_[i], i == 1, news);
  return news;
}

void Notifications::receive(int descriptor, bool nftables, KernelNews& news) {
  for (int i = 0; i < kMessagesPerLook; ++i) {
    const ssize_t got = ::recv(descriptor, buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0 || static_cast<std::size_t>(got) > buffer_.size()) {
      // ENOBUFS: the kernel dropped notifications, and does not say which.
      ++overruns_;
      news.changed |= kKernelEverything;
      if (got < 0 && errno != ENOBUFS) return;
      continue;
    }
    const char* at = reinterpret_cast<const char*>(buffer_.data());
    const char* const end = at + got;
    while (end - at >= static_cast<std::ptrdiff_t>(sizeof(nlmsghdr))) {
      nlmsghdr header;
      std::memcpy(&header, at, sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > end - at) break;
      const char* const payload = at + NLMSG_HDRLEN;
      const char* const next = at + header.nlmsg_len;
      std::string who;
      KernelKinds kind = 0;
      if (!nftables) {
        kind = kind_of(header, payload, next);
        if (kind != 0 && header.nlmsg_pid != 0) who = name_of_process(header.nlmsg_pid);
      } else if (NFNL_SUBSYS_ID(header.nlmsg_type) == NFNL_SUBSYS_NFTABLES &&
                 NFNL_MSG_TYPE(header.nlmsg_type) == NFT_MSG_NEWGEN) {
        kind = kKernelFilters;
        who = maker_of(payload, next);
      }
      news.changed |= kind;
      if (!who.empty()) news.who = std::move(who);
      at += std::min<std::ptrdiff_t>(NLMSG_ALIGN(header.nlmsg_len), end - at);
    }
  }
}

}  // namespace icr::node
