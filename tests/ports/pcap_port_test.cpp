#include "node/ports/pcap_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "node/ports/capture_frame.h"
#include "node/ports/factory.h"

namespace icr::node {
namespace {

using Bytes = std::vector<std::uint8_t>;
using testing::HasSubstr;

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
// Link types as files have them, which is not always the DLT_ value of this system.
constexpr std::uint32_t kEthernet = 1, kRawFile = 101, kCooked = 113, kCooked2 = 276, kNull = 0, kLoop = 108,
                        kIpv4File = 228, kIpv6File = 229, kUsb = 189;

void put(Bytes& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

Bytes operator+(Bytes left, const Bytes& right) {
  for (const std::uint8_t byte : right) left.push_back(byte);
  return left;
}

Bytes file_header(std::uint32_t magic, std::uint32_t link_type) {
  Bytes out;
  put(out, magic);
  out.insert(out.end(), {2, 0, 4, 0});
  put(out, 0);
  put(out, 0);
  put(out, 262144);
  put(out, link_type);
  return out;
}

Bytes record(std::uint32_t seconds, std::uint32_t fraction, const Bytes& bytes, std::uint32_t missing = 0) {
  Bytes out;
  put(out, seconds);
  put(out, fraction);
  put(out, static_cast<std::uint32_t>(bytes.size()));
  put(out, static_cast<std::uint32_t>(bytes.size()) + missing);
  return out + bytes;
}

/// 24 bytes that look like IPv4; the last ones tell packets apart.
Bytes ipv4(std::uint8_t mark) {
  Bytes out = {0x45, 0, 0, 24, 0, 0, 0, 0, 64, 253, 0, 0, 198, 18, 0, 10, 203, 0, 113, 5};
  return out + Bytes{mark, mark, mark, mark};
}

Bytes ipv6(std::uint8_t mark) {
  Bytes out = {0x60, 0, 0, 0, 0, 4, 253, 64};
  out.resize(40, 0x20);
  return out + Bytes{mark, mark, mark, mark};
}

class PcapPortTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/icr-pcap-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  std::string write(const Bytes& bytes) const {
    std::ofstream out(folder_ / "in.pcap", std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return file("in.pcap");
  }

  static PacketPort config(std::string read_file, std::string write_file = "") {
    PacketPort port;
    port.unit = 2;
    port.kind = PacketPort::Kind::pcap;
    port.read_file = std::move(read_file);
    port.write_file = std::move(write_file);
    return port;
  }

  static std::unique_ptr<Port> open(const PacketPort& wanted) {
    auto port = open_port(wanted);
    if (!port) throw std::runtime_error(port.error().message);
    return std::move(*port);
  }

  struct Arrival {
    std::int64_t nanoseconds;
    Bytes bytes;
    bool operator==(const Arrival&) const = default;
  };

  static std::vector<Arrival> read_all(Port& port) {
    PacketBuffers buffers(4);
    std::vector<Arrival> out;
    while (const auto time = port.next_arrival()) {
      EXPECT_EQ(port.next_arrival(), time) << "looking twice changes nothing";
      if (port.rx_burst(buffers.packets()) != 1) break;
      const Packet& packet = buffers.packets()[0];
      EXPECT_EQ(packet.unit, 2U);
      out.push_back({time->time_since_epoch().count(), Bytes(packet.data, packet.data + packet.length)});
    }
    EXPECT_EQ(port.rx_burst(buffers.packets()), 0U);
    return out;
  }

  static std::uint64_t count(const Port& port, const std::string& name) {
    CounterList counters;
    port.append_to(counters);
    for (const auto& one : counters) {
      if (one.name == name) return one.value;
    }
    throw std::runtime_error("no counter " + name);
  }

  std::filesystem::path folder_;
};

TEST_F(PcapPortTest, ReadsPacketsWithTheTimeOfTheCapture) {
  const auto micro = open(
      config(write(file_header(kMicroseconds, kRawFile) + record(100, 5, ipv4(1)) + record(101, 999999, ipv6(2)))));
  EXPECT_TRUE(micro->is_capture());
  EXPECT_EQ(micro->descriptor(), -1);
  EXPECT_EQ(read_all(*micro), (std::vector<Arrival>{{100'000'005'000, ipv4(1)}, {101'999'999'000, ipv6(2)}}));
  const auto nano = open(config(write(file_header(kNanoseconds, kRawFile) + record(100, 123456789, ipv4(1)))));
  EXPECT_EQ(read_all(*nano), (std::vector<Arrival>{{100'123'456'789, ipv4(1)}}));
}

TEST_F(PcapPortTest, TimeNeverGoesBack) {
  const auto port = open(config(write(file_header(kMicroseconds, kRawFile) + record(100, 0, ipv4(1)) +
                                      record(99, 0, ipv4(2)) + record(101, 0, ipv4(3)))));
  EXPECT_EQ(read_all(*port),
            (std::vector<Arrival>{{100'000'000'000, ipv4(1)}, {100'000'000'000, ipv4(2)}, {101'000'000'000, ipv4(3)}}));
  EXPECT_EQ(count(*port, "rx-time-backwards"), 1U);
}

TEST_F(PcapPortTest, StripsTheLinkLayer) {
  const Bytes macs = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  const Bytes four = {8, 0}, six = {0x86, 0xdd}, arp = {8, 6}, vlan = {0x81, 0, 0, 5},
              service_vlan = {0x88, 0xa8, 0, 9};
  const Bytes cooked_head(14, 0), cooked2_tail(18, 0);
  struct Case {
    const char* name;
    std::uint32_t link_type;
    Bytes frame;
    Bytes packet;  // empty: not IP
  };
  const std::vector<Case> cases = {
      {"ethernet", kEthernet, macs + four + ipv4(1), ipv4(1)},
      {"ethernet six", kEthernet, macs + six + ipv6(1), ipv6(1)},
      {"padding", kEthernet, macs + four + ipv4(1) + Bytes(22, 0), ipv4(1)},
      {"padding six", kEthernet, macs + six + ipv6(1) + Bytes(2, 0), ipv6(1)},
      {"vlan", kEthernet, macs + vlan + four + ipv4(2), ipv4(2)},
      {"two vlans", kEthernet, macs + service_vlan + vlan + six + ipv6(3), ipv6(3)},
      {"arp", kEthernet, macs + arp + Bytes(28, 1), {}},
      {"short", kEthernet, macs + Bytes{8}, {}},
      {"short vlan", kEthernet, macs + vlan + Bytes{8}, {}},
      {"nothing after", kEthernet, macs + four, {}},
      {"raw", kRawFile, ipv4(4), ipv4(4)},
      {"raw4", kIpv4File, ipv4(4), ipv4(4)},
      {"raw6", kIpv6File, ipv6(4), ipv6(4)},
      {"cooked", kCooked, cooked_head + four + ipv4(5), ipv4(5)},
      {"cooked arp", kCooked, cooked_head + arp + Bytes(28, 1), {}},
      {"cooked short", kCooked, Bytes(7, 0), {}},
      {"cooked2", kCooked2, six + cooked2_tail + ipv6(6), ipv6(6)},
      {"cooked2 short", kCooked2, six + Bytes(9, 0), {}},
      {"null", kNull, Bytes{2, 0, 0, 0} + ipv4(7), ipv4(7)},
      {"null six", kNull, Bytes{10, 0, 0, 0} + ipv6(7), ipv6(7)},
      {"null other", kNull, Bytes{7, 0, 0, 0} + ipv4(7), {}},
      {"null short", kNull, Bytes{2, 0}, {}},
      {"loop", kLoop, Bytes{0, 0, 0, 24} + ipv6(8), ipv6(8)},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    const auto port = open(config(write(file_header(kMicroseconds, one.link_type) + record(1, 0, one.frame))));
    const auto arrivals = read_all(*port);
    if (one.packet.empty()) {
      EXPECT_TRUE(arrivals.empty());
      EXPECT_EQ(count(*port, "rx-dropped-not-ip"), 1U);
    } else {
      EXPECT_EQ(arrivals, (std::vector<Arrival>{{1'000'000'000, one.packet}}));
    }
  }
}

TEST_F(PcapPortTest, AWrongIpLengthIsLeftForTheEngineToJudge) {
  Bytes longer = ipv4(1), shorter = ipv4(1);
  longer[3] = 200;
  shorter[3] = 7;
  const Bytes ethernet = Bytes(12, 2) + Bytes{8, 0};
  const auto port = open(config(write(file_header(kMicroseconds, kEthernet) + record(1, 0, ethernet + longer) +
                                      record(1, 0, ethernet + shorter))));
  EXPECT_EQ(read_all(*port), (std::vector<Arrival>{{1'000'000'000, longer}, {1'000'000'000, shorter}}));
}

TEST_F(PcapPortTest, TruncatedRecordsAreCountedAndDropped) {
  const auto port =
      open(config(write(file_header(kMicroseconds, kRawFile) + record(1, 0, ipv4(1), 100) + record(2, 0, ipv4(2)))));
  EXPECT_EQ(read_all(*port), (std::vector<Arrival>{{2'000'000'000, ipv4(2)}}));
  EXPECT_EQ(count(*port, "rx-dropped-truncated"), 1U);
}

TEST_F(PcapPortTest, OversizePacketsAreCountedAndDropped) {
  const auto port = open(config(write(file_header(kMicroseconds, kRawFile) + record(1, 0, Bytes(65536, 0x45)) +
                                      record(2, 0, Bytes(65535, 0x45)))));
  EXPECT_EQ(read_all(*port).size(), 1U);
  EXPECT_EQ(count(*port, "rx-dropped-oversize"), 1U);
}

TEST_F(PcapPortTest, DamageInTheMiddleIsTheEnd) {
  const Bytes good = file_header(kMicroseconds, kRawFile) + record(1, 0, ipv4(1)) + record(2, 0, ipv4(2));
  for (std::size_t cut = 24; cut < good.size(); ++cut) {
    const auto port = open(config(write(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)))));
    const bool between_records = cut == 24 || cut == 24 + 16 + 24;
    EXPECT_EQ(read_all(*port).size(), cut >= 24 + 16 + 24 ? 1U : 0U) << cut;
    EXPECT_EQ(count(*port, "rx-file-damaged"), between_records ? 0U : 1U) << cut;
    EXPECT_EQ(port->next_arrival(), std::nullopt) << "and stays the end";
  }
  Bytes absurd = record(2, 0, ipv4(2));
  absurd[11] = 0x7f;  // a record of 2 GB
  const auto port = open(config(write(file_header(kMicroseconds, kRawFile) + record(1, 0, ipv4(1)) + absurd)));
  EXPECT_EQ(read_all(*port).size(), 1U);
  EXPECT_EQ(count(*port, "rx-file-damaged"), 1U);
}

TEST_F(PcapPortTest, AbsurdTimeStampsAreBounded) {
  const auto port = open(config(write(file_header(kNanoseconds, kRawFile) + record(1, 0xffffffff, ipv4(1)) +
                                      record(0xffffffff, 0xffffffff, ipv4(2)))));
  const auto arrivals = read_all(*port);
  ASSERT_EQ(arrivals.size(), 2U);
  for (const auto& one : arrivals) {
    EXPECT_GE(one.nanoseconds, 0);
    EXPECT_LE(one.nanoseconds, 4294967296'000'000'000);
  }
}

TEST_F(PcapPortTest, WhatCannotBeOpenedIsNamed) {
  const auto message = [](const PacketPort& wanted) {
    const auto port = open_port(wanted);
    return port ? "opened" : port.error().message;
  };
  EXPECT_THAT(message(config(file("absent.pcap"))), HasSubstr("absent.pcap: No such file"));
  EXPECT_THAT(message(config(write({}))), HasSubstr("in.pcap"));
  EXPECT_THAT(message(config(write(Bytes(100, 'x')))), HasSubstr("unknown file format"));
  EXPECT_THAT(message(config(write(file_header(kMicroseconds, kUsb)))), HasSubstr("link type 189"));
  EXPECT_THAT(message(config("", file("no/such/folder/out.pcap"))), HasSubstr("cannot write capture"));
  const Bytes header = file_header(kMicroseconds, kRawFile);
  for (std::size_t cut = 0; cut < header.size(); ++cut) {
    EXPECT_NE(message(config(write(Bytes(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(cut))))),
              "opened");
  }
}

TEST_F(PcapPortTest, NoFilesMeansNothingToReadAndDropsThatAreCounted) {
  const auto port = open(config(""));
  EXPECT_EQ(port->next_arrival(), std::nullopt);
  EXPECT_TRUE(read_all(*port).empty());
  Bytes bytes = ipv4(1);
  port->tx(Packet{bytes.data(), 24, 24, 2});
  EXPECT_EQ(count(*port, "tx-dropped-no-file"), 1U);
}

TEST_F(PcapPortTest, WritesWhatItIsGivenWithTheTimeItIsGiven) {
  const auto write_capture = [this](const std::string& name) {
    const auto port = open(config("", file(name)));
    Bytes first = ipv4(1), second = ipv6(2);
    port->set_time(TimePoint(100s + 123456789ns));
    port->tx(Packet{first.data(), 24, 24, 2});
    port->set_time(TimePoint(101s));
    port->tx(Packet{second.data(), 44, 44, 2});
    port->set_time(TimePoint(-1ns));
    port->tx(Packet{second.data(), 44, 44, 2});
    EXPECT_EQ(count(*port, "tx-packets"), 2U);
    EXPECT_EQ(count(*port, "tx-dropped-bad-time"), 1U);
  };
  write_capture("a.pcap");
  write_capture("b.pcap");
  const auto contents = [this](const std::string& name) {
    std::ifstream in(file(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(contents("a.pcap"), contents("b.pcap"));
  EXPECT_EQ(contents("a.pcap").size(), 24U + 16 + 24 + 16 + 44);
  const auto back = open(config(file("a.pcap")));
  EXPECT_EQ(read_all(*back), (std::vector<Arrival>{{100'123'456'789, ipv4(1)}, {101'000'000'000, ipv6(2)}}));
}

TEST_F(PcapPortTest, AFullDiskIsCounted) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  const auto port = open(config("", "/dev/full"));
  Bytes bytes(60000, 0x45);
  for (int i = 0; i < 3; ++i) port->tx(Packet{bytes.data(), 60000, 60000, 2});
  EXPECT_GT(count(*port, "tx-dropped-write-failed"), 0U);
}

}  // namespace
}  // namespace icr::node
