#include "model/query/system_codec.h"

#include <algorithm>

namespace icr::query_codec {
namespace {

constexpr WallMillis kLatestMillis = 253'402'300'799'999;  // the end of the year 9999

flatbuffers::Offset<fbs::Interface> encode(const InterfaceStatus& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::InterfaceAddress>> addresses;
  for (std::size_t i = 0; i < std::min(in.addresses.size(), kMaxInterfaceAddresses); ++i) {
    const auto address = to_address16(in.addresses[i].address);
    addresses.push_back(fbs::CreateInterfaceAddress(builder, &address, in.addresses[i].length));
  }
  const auto device = builder.CreateString(in.device);
  const auto address_rows = builder.CreateVector(addresses);
  return fbs::CreateInterface(builder, in.card_id, in.unit, device, in.present, in.admin_up, in.link_up, in.index,
                              in.mtu, address_rows);
}

Result<InterfaceStatus> decode(const fbs::Interface& in) {
  InterfaceStatus out;
  out.card_id = in.card_id();
  out.unit = in.unit();
  out.device = printable(in.device());
  out.present = in.present();
  out.admin_up = in.admin_up();
  out.link_up = in.link_up();
  out.index = in.index();
  out.mtu = in.mtu();
  if (in.addresses() == nullptr) return out;
  if (in.addresses()->size() > kMaxInterfaceAddresses)
    return fail("{} addresses of an interface", in.addresses()->size());
  for (const auto* row : *in.addresses()) {
    const auto address = to_address(row->address());
    if (!address || row->length() > (address->is_v4() ? 32 : 128)) {
      return fail("prefix length {} of an address out of range", row->length());
    }
    out.addresses.push_back({*address, row->length()});
  }
  return out;
}

}  // namespace

flatbuffers::Offset<fbs::SystemStatus> encode_system(const SystemStatus& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::Interface>> interfaces;
  for (std::size_t i = 0; i < std::min(in.interfaces.size(), kMaxInterfaces); ++i) {
    interfaces.push_back(encode(in.interfaces[i], builder));
  }
  const auto release = builder.CreateString(in.release);
  const auto rows = builder.CreateVector(interfaces);
  fbs::SystemStatusBuilder out(builder);
  out.add_now_ms(in.now);
  out.add_machine_s(in.machine_s);
  out.add_process_s(in.process_s);
  out.add_release(release);
  if (in.load) {
    out.add_load1((*in.load)[0]);
    out.add_load5((*in.load)[1]);
    out.add_load15((*in.load)[2]);
  }
  out.add_interfaces(rows);
  return out.Finish();
}

Result<SystemStatus> decode_system(const fbs::SystemStatus* in) {
  SystemStatus out;
  if (in == nullptr) return out;
  out.now = in->now_ms();
  out.machine_s = in->machine_s();
  out.process_s = in->process_s();
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 40;  // seconds: more than any machine runs
  if (out.machine_s > kLongest || out.process_s > kLongest) return fail("a time since the start is out of range");
  out.release = printable(in->release());
  if (const auto load1 = optional_of(in->load1())) out.load = {*load1, in->load5(), in->load15()};
  if (in->interfaces() == nullptr) return out;
  if (in->interfaces()->size() > kMaxInterfaces) return fail("{} interfaces", in->interfaces()->size());
  for (const auto* row : *in->interfaces()) {
    auto interface = decode(*row);
    if (!interface) return tl::unexpected(interface.error());
    out.interfaces.push_back(std::move(*interface));
  }
  return out;
}

Vector<flatbuffers::Offset<fbs::PortTraffic>> encode_traffic(const std::vector<PortTraffic>& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::PortTraffic>> rows;
  for (std::size_t i = 0; i < std::min(in.size(), kMaxInterfaces); ++i) {
    const PortTraffic& each = in[i];
    rows.push_back(fbs::CreatePortTraffic(builder, each.unit, each.input_packets, each.input_bytes, each.output_packets,
                                          each.output_bytes, each.input_pps, each.input_bps, each.output_pps,
                                          each.output_bps, each.input_errors, each.output_errors));
  }
  return builder.CreateVector(rows);
}

Result<std::vector<PortTraffic>> decode_traffic(const Rows<fbs::PortTraffic>* in) {
  std::vector<PortTraffic> out;
  if (in == nullptr) return out;
  if (in->size() > kMaxInterfaces) return fail("traffic of {} ports", in->size());
  for (const auto* row : *in) {
    out.push_back({row->unit(), row->input_packets(), row->input_bytes(), row->output_packets(), row->output_bytes(),
                   row->input_pps(), row->input_bps(), row->output_pps(), row->output_bps(), row->input_errors(),
                   row->output_errors()});
  }
  return out;
}

Vector<flatbuffers::Offset<fbs::TermHits>> encode_term_hits(const std::vector<TermHitsRow>& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::TermHits>> rows;
  for (std::size_t i = 0; i < std::min<std::size_t>(in.size(), kPageTerms); ++i) {
    const auto rule = builder.CreateString(in[i].rule);
    const auto term = builder.CreateString(in[i].term);
    rows.push_back(fbs::CreateTermHits(builder, in[i].service_set, static_cast<std::uint8_t>(in[i].kind), rule, term,
                                       in[i].input, in[i].output, in[i].hits, in[i].failures));
  }
  return builder.CreateVector(rows);
}

Result<std::vector<TermHitsRow>> decode_term_hits(const Rows<fbs::TermHits>* in) {
  std::vector<TermHitsRow> out;
  if (in == nullptr) return out;
  if (in->size() > kPageTerms) return fail("hits of {} terms", in->size());
  for (const auto* row : *in) {
    if (row->kind() >= enum_end<TermKind>()) return fail("kind {} of a term out of range", row->kind());
    out.push_back({row->service_set(), static_cast<TermKind>(row->kind()), printable(row->rule()),
                   printable(row->term()), row->input(), row->output(), row->hits(), row->failures()});
  }
  return out;
}

flatbuffers::Offset<fbs::LogPage> encode_log(const LogPage& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::LogLine>> rows;
  for (std::size_t i = 0; i < std::min(in.lines.size(), kPageLogLines); ++i) {
    const auto text = builder.CreateString(in.lines[i].text);
    rows.push_back(fbs::CreateLogLine(builder, static_cast<std::uint8_t>(in.lines[i].level), in.lines[i].at, text));
  }
  return fbs::CreateLogPage(builder, in.pid, in.first, in.end, builder.CreateVector(rows));
}

Result<LogPage> decode_log(const fbs::LogPage* in) {
  LogPage out;
  if (in == nullptr) return out;
  out.pid = in->pid();
  out.first = in->first();
  out.end = in->end();
  const std::size_t lines = in->lines() == nullptr ? 0 : in->lines()->size();
  if (lines > kPageLogLines) return fail("{} lines of a log", lines);
  if (out.first > out.end || lines > out.end - out.first) return fail("numbers of log lines out of range");
  for (std::size_t i = 0; i < lines; ++i) {
    const auto* row = in->lines()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (row->level() >= enum_end<log::Level>()) return fail("level {} of a log line out of range", row->level());
    if (row->at_ms() < 0 || row->at_ms() > kLatestMillis) return fail("time of a log line out of range");
    if (row->text() != nullptr && row->text()->size() > kMaxLogOctets) {
      return fail("a log line of {} octets", row->text()->size());
    }
    out.lines.push_back({static_cast<log::Level>(row->level()), row->at_ms(), printable(row->text())});
  }
  return out;
}

Vector<flatbuffers::Offset<fbs::Alarm>> encode_alarms(const std::vector<Alarm>& in, Builder& builder) {
  std::vector<flatbuffers::Offset<fbs::Alarm>> rows;
  for (std::size_t i = 0; i < std::min(in.size(), kMaxAlarms); ++i) {
    const auto what = builder.CreateString(in[i].what);
    rows.push_back(fbs::CreateAlarm(builder, in[i].since, in[i].major, what));
  }
  return builder.CreateVector(rows);
}

Result<std::vector<Alarm>> decode_alarms(const Rows<fbs::Alarm>& in) {
  std::vector<Alarm> out;
  if (in.size() > kMaxAlarms) return fail("{} alarms of a redundancy set", in.size());
  for (const auto* row : in) out.push_back({row->since_ms(), row->major(), printable(row->what())});
  return out;
}

}  // namespace icr::query_codec
