#include "node/query/system_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <string>

#include "model/base/clock.h"

namespace icr::node {
namespace {

using Addresses = std::map<std::string, std::vector<InterfaceStatus::Address>, std::less<>>;

std::uint64_t seconds_since_boot() {
  timespec now{};
  return ::clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? static_cast<std::uint64_t>(now.tv_sec) : 0;
}

/// Returns how long this process has been running, by field 22 of /proc/self/stat. The name of the process, which is in
/// parentheses, may have blanks in it.
std::uint64_t seconds_of_process(std::uint64_t since_boot) {
  constexpr int kStartTime = 22;
  constexpr int kFirstBehindName = 3;
  std::ifstream in("/proc/self/stat");
  std::string text;
  std::getline(in, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  const char* at = text.c_str() + name_end + 1;
  for (int field = kFirstBehindName; field < kStartTime && at != nullptr; ++field) at = std::strchr(at + 1, ' ');
  const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  if (at == nullptr || ticks_per_second <= 0) return 0;
  const std::uint64_t started = std::strtoull(at, nullptr, 10) / static_cast<std::uint64_t>(ticks_per_second);
  return since_boot - std::min(since_boot, started);
}

/// Returns the number of bits that are set in the octets.
std::uint8_t length_of(const void* mask, std::size_t octets) {
  const auto* each = static_cast<const std::uint8_t*>(mask);
  return static_cast<std::uint8_t>(std::accumulate(
      each, each + octets, 0, [](int bits, std::uint8_t octet) { return bits + std::popcount(octet); }));
}

std::optional<InterfaceStatus::Address> address_of(const ifaddrs& row) {
  if (row.ifa_addr == nullptr || row.ifa_netmask == nullptr) return std::nullopt;
  if (row.ifa_addr->sa_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(row.ifa_addr);
    const auto* mask = reinterpret_cast<const sockaddr_in*>(row.ifa_netmask);
    return InterfaceStatus::Address{IpAddress::v4(ntohl(address->sin_addr.s_addr)), length_of(&mask->sin_addr, 4)};
  }
  if (row.ifa_addr->sa_family == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(row.ifa_addr);
    const auto* mask = reinterpret_cast<const sockaddr_in6*>(row.ifa_netmask);
    return InterfaceStatus::Address{IpAddress::v6(address->sin6_addr.s6_addr), length_of(&mask->sin6_addr, 16)};
  }
  return std::nullopt;
}

Addresses read_addresses() {
  Addresses out;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return out;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const ifaddrs* row = all.get(); row != nullptr; row = row->ifa_next) {
    auto& of_interface = out[row->ifa_name];
    const auto address = address_of(*row);
    if (address && of_interface.size() < kMaxInterfaceAddresses) of_interface.push_back(*address);
  }
  return out;
}

/// Fills in the state of an interface that has a device. `socket` is any socket.
void read_interface(int socket, InterfaceStatus& out) {
  ifreq request{};
  if (socket < 0 || out.device.size() >= sizeof(request.ifr_name)) return;
  const auto ask = [&](unsigned long what) {
    request = {};
    std::memcpy(request.ifr_name, out.device.data(), out.device.size());
    return ::ioctl(socket, what, &request) == 0;
  };
  if (!ask(SIOCGIFFLAGS)) return;
  out.present = true;
  const auto flags = static_cast<unsigned>(static_cast<unsigned short>(request.ifr_flags));
  out.admin_up = (flags & unsigned{IFF_UP}) != 0;
  out.link_up = out.admin_up && (flags & unsigned{IFF_RUNNING}) != 0;
  if (ask(SIOCGIFINDEX)) out.index = static_cast<std::uint32_t>(request.ifr_ifindex);
  if (ask(SIOCGIFMTU)) out.mtu = static_cast<std::uint32_t>(request.ifr_mtu);
}

}  // namespace

SystemStatus read_system(const ChassisConfig& chassis) {
  SystemStatus out;
  out.now = wall_now();
  out.machine_s = seconds_since_boot();
  out.process_s = seconds_of_process(out.machine_s);
  out.release = ICR_VERSION;
  std::array<double, 3> load{};
  if (::getloadavg(load.data(), static_cast<int>(load.size())) == static_cast<int>(load.size())) {
    out.load.emplace();
    for (std::size_t i = 0; i < load.size(); ++i) {
      (*out.load)[i] = static_cast<std::uint32_t>(std::lround(load[i] * 100));
    }
  }
  const Addresses addresses = read_addresses();
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (const CardConfig& card : chassis.cards) {
    for (const PacketPort& port : card.ports) {
      InterfaceStatus interface;
      interface.card_id = card.stable_id;
      interface.unit = port.unit;
      if (port.kind == PacketPort::Kind::pcap) {
        interface.present = interface.admin_up = interface.link_up = true;
      } else {
        interface.device = port.device;
        read_interface(socket, interface);
        if (const auto found = addresses.find(port.device); found != addresses.end()) {
          interface.addresses = found->second;
        }
      }
      out.interfaces.push_back(std::move(interface));
    }
  }
  if (socket >= 0) ::close(socket);
  return out;
}

}  // namespace icr::node
