#include "tests/support/network_namespace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace icr::test {
namespace {

using Clock = std::chrono::steady_clock;

void append16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_address(Bytes& out, int family, const std::string& text) {
  std::uint8_t bytes[16];
  if (inet_pton(family, text.c_str(), bytes) != 1) throw std::invalid_argument(text);
  out.insert(out.end(), bytes, bytes + (family == AF_INET ? 4 : 16));
}

Bytes udp(const Bytes& pseudo_header, const std::string& payload) {
  Bytes out;
  append16(out, 1000);
  append16(out, 2000);
  append16(out, 8 + payload.size());
  append16(out, 0);
  out.insert(out.end(), payload.begin(), payload.end());
  Bytes summed = pseudo_header;
  summed.insert(summed.end(), out.begin(), out.end());
  const std::uint16_t sum = internet_checksum(summed);
  out[6] = static_cast<std::uint8_t>(sum >> 8);
  out[7] = static_cast<std::uint8_t>(sum);
  return out;
}

}  // namespace

int run(const std::string& command, std::string* output) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  char buffer[4096];
  std::size_t got = 0;
  while ((got = fread(buffer, 1, sizeof buffer, pipe)) > 0) {
    if (output != nullptr) output->append(buffer, got);
  }
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string output_of(const std::string& command) {
  std::string out;
  EXPECT_EQ(run(command, &out), 0) << command << ": " << out;
  return out;
}

std::optional<std::uint64_t> counter(const CounterList& counters, const std::string& name) {
  for (const auto& one : counters) {
    if (one.name == name) return one.value;
  }
  return std::nullopt;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void InNewNamespace::SetUp() {
  if (unshare(CLONE_NEWNET) != 0) {
    GTEST_SKIP() << "a new network namespace is not permitted here (needs root): " << std::strerror(errno);
  }
  if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "/dev/net/tun: " << std::strerror(errno);
  output_of("ip link set lo up");
}

Wire::Wire(const std::string& interface) : socket_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
  if (socket_ < 0) throw std::runtime_error("AF_PACKET socket failed");
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_ALL);
  where.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  if (bind(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 ||
      ioctl(socket_, SIOCGIFHWADDR, &request) != 0) {
    throw std::runtime_error("cannot listen on " + interface);
  }
  const auto* mac = reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data);
  address_.assign(mac, mac + 6);
}

Wire::~Wire() { close(socket_); }

void Wire::send(const Bytes& frame) const {
  if (::send(socket_, frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size())) {
    throw std::runtime_error("cannot send a frame");
  }
}

std::optional<Bytes> Wire::receive(const std::function<bool(const Bytes&)>& wanted,
                                   std::chrono::milliseconds limit) const {
  const auto end = Clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd waiting{socket_, POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    Bytes frame(70000);
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(socket_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
    frame.resize(static_cast<std::size_t>(got));
    if (wanted(frame)) return frame;
  }
}

std::uint16_t internet_checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Bytes udp4(const std::string& source, const std::string& destination, const std::string& payload) {
  Bytes addresses;
  append_address(addresses, AF_INET, source);
  append_address(addresses, AF_INET, destination);
  Bytes pseudo = addresses;
  pseudo.insert(pseudo.end(), {0, 17});
  append16(pseudo, 8 + payload.size());
  Bytes out = {0x45, 0};
  append16(out, 28 + payload.size());
  out.insert(out.end(), {0x12, 0x34, 0, 0, 64, 17, 0, 0});
  out.insert(out.end(), addresses.begin(), addresses.end());
  const std::uint16_t sum = internet_checksum(out);
  out[10] = static_cast<std::uint8_t>(sum >> 8);
  out[11] = static_cast<std::uint8_t>(sum);
  const Bytes rest = udp(pseudo, payload);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

Bytes udp6(const std::string& source, const std::string& destination, const std::string& payload) {
  Bytes addresses;
  append_address(addresses, AF_INET6, source);
  append_address(addresses, AF_INET6, destination);
  Bytes pseudo = addresses;
  pseudo.insert(pseudo.end(), {0, 0});
  append16(pseudo, 8 + payload.size());
  pseudo.insert(pseudo.end(), {0, 0, 0, 17});
  Bytes out = {0x60, 0, 0, 0};
  append16(out, 8 + payload.size());
  out.insert(out.end(), {17, 64});
  out.insert(out.end(), addresses.begin(), addresses.end());
  const Bytes rest = udp(pseudo, payload);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

Bytes ethernet(const Bytes& destination, const Bytes& source, const Bytes& packet) {
  Bytes out = destination;
  out.insert(out.end(), source.begin(), source.end());
  append16(out, packet.at(0) >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
  out.insert(out.end(), packet.begin(), packet.end());
  return out;
}

}  // namespace icr::test
