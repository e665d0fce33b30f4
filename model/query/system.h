// What a chassis says about itself: its machine, its process, and the interfaces below its cards; and alarms.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/base/log_book.h"
#include "model/base/time.h"
#include "model/record/address.h"
#include "model/record/stable_id.h"

namespace icr {

/// An interface of the kernel below a unit of a card, as the kernel describes it at this moment.
struct InterfaceStatus {
  StableId card_id = 0;
  std::uint32_t unit = 0;
  std::string device;     ///< its name in the kernel; empty for a capture
  bool present = false;   ///< the kernel has it; always for a capture
  bool admin_up = false;  ///< it is switched on
  bool link_up = false;   ///< and has a carrier
  std::uint32_t index = 0;
  std::uint32_t mtu = 0;
  struct Address {
    IpAddress address;
    std::uint8_t length = 0;
    friend bool operator==(const Address&, const Address&) = default;
  };
  std::vector<Address> addresses;  ///< at most kMaxInterfaceAddresses
  friend bool operator==(const InterfaceStatus&, const InterfaceStatus&) = default;
};
inline constexpr std::size_t kMaxInterfaces = 16 * 1024;
inline constexpr std::size_t kMaxInterfaceAddresses = 64;

struct SystemStatus {
  WallMillis now = 0;           ///< by the clock of the machine
  std::uint64_t machine_s = 0;  ///< since the machine was booted; 0: not known
  std::uint64_t process_s = 0;  ///< since the process was started
  std::string release;          ///< of icrd
  /// Load averages of 1, 5 and 15 minutes, in hundredths; nullopt: not known.
  std::optional<std::array<std::uint32_t, 3>> load;
  std::vector<InterfaceStatus> interfaces;  ///< in the order of cards and ports of the cluster file
  friend bool operator==(const SystemStatus&, const SystemStatus&) = default;
};

/// What has gone through the port of a unit of a card since the card was started.
struct PortTraffic {
  std::uint32_t unit = 0;
  std::uint64_t input_packets = 0;  ///< into the card
  std::uint64_t input_bytes = 0;    ///< of IP packets
  std::uint64_t output_packets = 0;
  std::uint64_t output_bytes = 0;
  // Of the last second that was measured, in packets and bits per second.
  std::uint64_t input_pps = 0;
  std::uint64_t input_bps = 0;
  std::uint64_t output_pps = 0;
  std::uint64_t output_bps = 0;
  std::uint64_t input_errors = 0;  ///< packets that were not taken
  std::uint64_t output_errors = 0;
  void add(const PortTraffic& other);
  friend bool operator==(const PortTraffic&, const PortTraffic&) = default;
};

/// Something that an operator should look at, as long as it is so.
struct Alarm {
  WallMillis since = 0;
  bool major =
      false;  ///< the redundancy set has no chassis to turn to, or the chassis cannot do its work; otherwise minor
  std::string what;
  friend bool operator==(const Alarm&, const Alarm&) = default;
};
inline constexpr std::size_t kMaxAlarms = 64;

/// Lines of the log of a chassis, which follow one another.
struct LogPage {
  std::uint32_t pid = 0;             ///< of icrd
  std::uint64_t first = 0;           ///< the number of the first of `lines`, counted from the start of icrd
  std::uint64_t end = 0;             ///< the number that the next line of the log will have
  std::vector<log::KeptLine> lines;  ///< at most kPageLogLines
  friend bool operator==(const LogPage&, const LogPage&) = default;
};
inline constexpr std::size_t kPageLogLines = 256;
inline constexpr std::size_t kMaxLogOctets = 4096;  ///< of a line in an answer; more than a LogBook keeps

}  // namespace icr
