#include "node/packet/checksum.h"

namespace icr::node {

std::uint64_t checksum_add(const std::uint8_t* data, std::size_t size, std::uint64_t sum) {
  while (size >= 2) {
    sum += load16(data);
    data += 2;
    size -= 2;
  }
  if (size != 0) sum += std::uint64_t{*data} << 8;
  return sum;
}

std::uint16_t checksum_finish(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace icr::node
