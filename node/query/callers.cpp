#include "node/query/callers.h"

#include <fmt/format.h>

namespace icr::node {
namespace {

std::string_view word_of(ClientClass permitted) {
  return words_of(key("clients[]", "class"))[static_cast<std::size_t>(permitted)];
}

}  // namespace

ClientClass class_for(const QueryRequest& request) {
  switch (request.kind) {
    case QueryKind::status:
    case QueryKind::page:
    case QueryKind::count:
    case QueryKind::counters:
    case QueryKind::server_counters:
    case QueryKind::nat_pools:
    case QueryKind::bindings:
    case QueryKind::deterministic:
    case QueryKind::statistics:
    case QueryKind::analysis:
    case QueryKind::usage:
    case QueryKind::live:
    case QueryKind::failovers:
    case QueryKind::system:
    case QueryKind::largest:
    case QueryKind::groups:
    case QueryKind::traffic:
    case QueryKind::term_hits:
    case QueryKind::past_sessions:
      return ClientClass::view;
    case QueryKind::clear:
    case QueryKind::clear_bindings:
    case QueryKind::clear_statistics:
    case QueryKind::clear_analysis:
      return ClientClass::clear;
    case QueryKind::switchover:
    case QueryKind::drain:
    case QueryKind::log:
      return ClientClass::operate;
    case QueryKind::commit: {
      const CommitOperation operation = request.commit.operation;
      const bool reads = operation == CommitOperation::list || operation == CommitOperation::fetch;
      return reads ? ClientClass::view : ClientClass::super_user;
    }
  }
  return ClientClass::view;  // a kind that this release does not know is refused for that
}

Callers::Callers(const Cluster& cluster) : encrypted_(cluster.encrypted()) {
  if (!encrypted_) return;
  for (const ChassisConfig& each : cluster.chassis) {
    for (const auto& public_key : each.public_keys) by_key_[public_key] = {"chassis " + each.name, ClientClass::view};
  }
  for (const ClientConfig& each : cluster.clients) {
    for (const auto& public_key : each.public_keys) by_key_[public_key] = {"client " + each.name, each.permitted};
  }
}

std::vector<std::string> Callers::keys() const {
  std::vector<std::string> out;
  out.reserve(by_key_.size());
  for (const auto& [public_key, caller] : by_key_) out.push_back(public_key);
  return out;
}

Caller Callers::find(std::string_view key, std::string_view address) const {
  if (encrypted_) {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? Caller{} : found->second;
  }
  const auto from = IpAddress::parse(address);
  return {std::string(address.empty() ? "an unknown address" : address),
          from && is_loopback(*from) ? ClientClass::super_user : ClientClass::operate};
}

std::string Callers::refusal(const Caller& caller, const QueryRequest& request) const {
  if (caller.name.empty()) return "the key of this client is not known any more";
  const ClientClass needed = class_for(request);
  if (caller.permitted >= needed) return {};
  if (encrypted_) {
    return fmt::format("{} is of class {}, and this takes class {}", caller.name, word_of(caller.permitted),
                       word_of(needed));
  }
  return fmt::format(
      "a commit from {} is not taken: the cluster is not encrypted, so this chassis takes commits from its own machine "
      "(127.0.0.1) only",
      caller.name);
}

}  // namespace icr::node
