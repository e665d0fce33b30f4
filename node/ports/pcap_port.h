// A packet port on captures: reads one, writes another, with the capture's own time. Needs no privileges, and the same
// input gives the same output bytes every time.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <memory>
#include <string>

#include "model/config/cluster.h"
#include "node/ports/port.h"

namespace icr::node {

class PcapPort final : public Port {
 public:
  /// Opens the files of `config`. No read file: nothing to read. No write file: what is sent is counted and dropped.
  /// Output is LINKTYPE_RAW with nanosecond time stamps.
  [[nodiscard]] static Result<std::unique_ptr<PcapPort>> open(const PacketPort& config);
  ~PcapPort() override;
  PcapPort(const PcapPort&) = delete;
  PcapPort& operator=(const PcapPort&) = delete;

  /// Receives one packet at a time. A file that is damaged in the middle is read up to the damage, which is logged and
  /// counted.
  [[nodiscard]] std::size_t rx_burst(std::span<Packet> packets) override;
  void tx(const Packet& packet) override;
  [[nodiscard]] int descriptor() const override { return -1; }
  /// Returns the time of the next packet since the Unix epoch, as the capture has it. It is never earlier than the one
  /// that was returned before.
  [[nodiscard]] std::optional<TimePoint> next_arrival() override;
  [[nodiscard]] bool is_capture() const override { return true; }
  void set_time(TimePoint now) override { now_ = now; }
  [[nodiscard]] Totals totals() const override {
    return {counters_.rx_packets, counters_.rx_bytes, counters_.tx_packets, counters_.tx_bytes};
  }
  void append_to(CounterList& out) const override;

 private:
  struct Counters {
    std::uint64_t rx_packets = 0, rx_bytes = 0;
    std::uint64_t rx_truncated = 0;       ///< the capture holds less than what was on the wire
    std::uint64_t rx_not_ip = 0;          ///< frames without an IP packet
    std::uint64_t rx_oversize = 0;        ///< longer than a packet may be
    std::uint64_t rx_file_damaged = 0;    ///< the file ended in the middle of a record or made no sense
    std::uint64_t rx_time_backwards = 0;  ///< time stamps before their predecessor's; taken as equal to it
    std::uint64_t tx_packets = 0, tx_bytes = 0;
    std::uint64_t tx_no_file = 0;
    std::uint64_t tx_write_failed = 0;  ///< disk full and the like
    std::uint64_t tx_bad_time = 0;      ///< before 1970 or after 2106: the file format cannot say it
  };
  struct CloseCapture {
    void operator()(pcap_t* capture) const { pcap_close(capture); }
    void operator()(pcap_dumper_t* dump) const { pcap_dump_close(dump); }
  };

  PcapPort(std::uint32_t unit, std::string read_file, std::string write_file)
      : unit_(unit), read_file_(std::move(read_file)), write_file_(std::move(write_file)) {}
  void fetch();
  void write_failed();

  std::uint32_t unit_;
  std::string read_file_, write_file_;
  std::unique_ptr<pcap_t, CloseCapture> reader_;
  int link_type_ = 0;
  std::unique_ptr<pcap_t, CloseCapture> writer_format_;  ///< outlives the dump
  std::unique_ptr<pcap_dumper_t, CloseCapture> writer_;
  std::span<const std::uint8_t> next_;  ///< in libpcap's buffer; valid until the next read
  bool has_next_ = false;
  TimePoint next_time_{};
  TimePoint now_{};
  bool write_failure_logged_ = false;
  Counters counters_;
};

}  // namespace icr::node
