#include "node/ports/pcap_port.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

#include "model/base/log.h"
#include "node/ports/capture_frame.h"

namespace icr::node {
namespace {

/// The seconds of the file format have 32 bits.
constexpr std::int64_t kLargestSeconds = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Result<std::unique_ptr<PcapPort>> PcapPort::open(const PacketPort& config) {
  const std::string where = fmt::format("port unit {}", config.unit);
  std::unique_ptr<PcapPort> port(new PcapPort(config.unit, config.read_file, config.write_file));
  char reason[PCAP_ERRBUF_SIZE] = "";
  if (!config.read_file.empty()) {
    port->reader_.reset(
        pcap_open_offline_with_tstamp_precision(config.read_file.c_str(), PCAP_TSTAMP_PRECISION_NANO, reason));
    if (!port->reader_) return fail("{}: cannot read capture {}: {}", where, config.read_file, reason);
    port->link_type_ = pcap_datalink(port->reader_.get());
    if (!link_type_is_known(port->link_type_)) {
      const char* name = pcap_datalink_val_to_name(port->link_type_);
      return fail("{}: capture {} has link type {} ({}); Ethernet, raw IP, Linux cooked and BSD loopback can be read",
                  where, config.read_file, port->link_type_, name != nullptr ? name : "unknown");
    }
  }
  if (!config.write_file.empty()) {
    port->writer_format_.reset(
        pcap_open_dead_with_tstamp_precision(DLT_RAW, static_cast<int>(kMaxPacketBytes), PCAP_TSTAMP_PRECISION_NANO));
    if (!port->writer_format_) return fail("{}: out of memory", where);
    port->writer_.reset(pcap_dump_open(port->writer_format_.get(), config.write_file.c_str()));
    if (!port->writer_) {
      return fail("{}: cannot write capture {}: {}", where, config.write_file, pcap_geterr(port->writer_format_.get()));
    }
  }
  return port;
}

PcapPort::~PcapPort() {
  if (writer_ && pcap_dump_flush(writer_.get()) != 0) {
    log::error("port", "unit={} capture={} is incomplete: {}", unit_, write_file_, std::strerror(errno));
  }
}

void PcapPort::fetch() {
  while (reader_ && !has_next_) {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    const int got = pcap_next_ex(reader_.get(), &header, &bytes);
    if (got != 1) {
      if (got == PCAP_ERROR) {
        ++counters_.rx_file_damaged;
        log::error("port", "unit={} capture={} is damaged, the rest is not read: {}", unit_, read_file_,
                   pcap_geterr(reader_.get()));
      }
      reader_.reset();
      return;
    }
    if (header->caplen < header->len) {
      ++counters_.rx_truncated;
      continue;
    }
    const auto packet = ip_packet_in_frame(link_type_, {bytes, header->caplen});
    if (packet.empty()) {
      ++counters_.rx_not_ip;
      continue;
    }
    if (packet.size() > kMaxPacketBytes) {
      ++counters_.rx_oversize;
      continue;
    }
    // With nanosecond precision libpcap puts nanoseconds into tv_usec. A corrupt file may hold any number there.
    const auto seconds = std::clamp<std::int64_t>(header->ts.tv_sec, 0, kLargestSeconds);
    const auto fraction = std::clamp<std::int64_t>(header->ts.tv_usec, 0, 999'999'999);
    TimePoint time{std::chrono::seconds(seconds) + std::chrono::nanoseconds(fraction)};
    if (time < next_time_) {
      ++counters_.rx_time_backwards;
      time = next_time_;
    }
    next_time_ = time;
    next_ = packet;
    has_next_ = true;
  }
}

std::optional<TimePoint> PcapPort::next_arrival() {
  fetch();
  if (!has_next_) return std::nullopt;
  return next_time_;
}

std::size_t PcapPort::rx_burst(std::span<Packet> packets) {
  if (packets.empty()) return 0;
  fetch();
  if (!has_next_) return 0;
  has_next_ = false;
  Packet& packet = packets[0];
  if (next_.size() > packet.capacity) {
    ++counters_.rx_oversize;
    return 0;
  }
  std::memcpy(packet.data, next_.data(), next_.size());
  packet.length = static_cast<std::uint32_t>(next_.size());
  packet.unit = unit_;
  packet.segment_bytes = 0;
  packet.partial_checksum = false;
  ++counters_.rx_packets;
  counters_.rx_bytes += next_.size();
  return 1;
}

void PcapPort::write_failed() {
  ++counters_.tx_write_failed;
  if (!write_failure_logged_) {
    log::error("port", "unit={} capture={} cannot be written: {}", unit_, write_file_, std::strerror(errno));
  }
  write_failure_logged_ = true;
}

void PcapPort::tx(const Packet& packet) {
  if (!writer_) {
    ++counters_.tx_no_file;
    return;
  }
  const auto since_epoch = now_.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  if (since_epoch < Duration::zero() || seconds.count() > kLargestSeconds) {
    ++counters_.tx_bad_time;
    return;
  }
  pcap_pkthdr header{};
  header.ts.tv_sec = seconds.count();
  header.ts.tv_usec = (since_epoch - seconds).count();
  header.caplen = header.len = packet.length;
  pcap_dump(reinterpret_cast<u_char*>(writer_.get()), &header, packet.data);
  if (std::ferror(pcap_dump_file(writer_.get())) != 0) {
    write_failed();
    return;
  }
  ++counters_.tx_packets;
  counters_.tx_bytes += packet.length;
}

void PcapPort::append_to(CounterList& out) const {
  const auto add = [&out](const char* name, std::uint64_t value) { out.push_back({name, value}); };
  add("rx-packets", counters_.rx_packets);
  add("rx-bytes", counters_.rx_bytes);
  add("rx-dropped-truncated", counters_.rx_truncated);
  add("rx-dropped-not-ip", counters_.rx_not_ip);
  add("rx-dropped-oversize", counters_.rx_oversize);
  add("rx-file-damaged", counters_.rx_file_damaged);
  add("rx-time-backwards", counters_.rx_time_backwards);
  add("tx-packets", counters_.tx_packets);
  add("tx-bytes", counters_.tx_bytes);
  add("tx-dropped-no-file", counters_.tx_no_file);
  add("tx-dropped-write-failed", counters_.tx_write_failed);
  add("tx-dropped-bad-time", counters_.tx_bad_time);
}

}  // namespace icr::node
