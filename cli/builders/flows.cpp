#include "cli/builders/flows.h"

#include "cli/builders/sessions.h"
#include "cli/result/junos.h"

namespace icr::cli {

FlowBuilder::FlowBuilder(const Cluster& cluster, Tree& tree, Level level, bool conversations,
                         std::optional<std::uint32_t> limit)
    : cluster_(cluster), tree_(tree), level_(level), conversations_(conversations), limit_(limit) {
  begin_answer(tree_, conversations_ ? "service-sfw-conversation-information" : "service-sfw-flow-table-information");
}

void FlowBuilder::add(const Source& source, const SessionRecord& record) {
  const std::pair group(source.interface, record.service_set);
  if (group_ != group) {
    if (group_ && !conversations_) tree_.end();
    if (group_) tree_.end();
    tree_.begin(conversations_ ? "sfw-per-service-set-conversation" : "sfw-per-service-set-flow-table");
    tree_.leaf("interface-name", source.interface);
    tree_.leaf("service-set-name", cluster_.name_of_service_set(record.service_set));
    if (!conversations_) tree_.begin("service-sfw-flow-table");
    group_ = group;
  }
  if (!conversations_) return add_flows(record);
  const Scope conversation(tree_, "sfw-conversation");
  tree_.leaf("sfw-flow-table-conv-alg", application_protocol_keyword(record.alg));
  tree_.leaf("sfw-flow-table-conv-initiator", 1);
  tree_.leaf("sfw-flow-table-conv-responder", 1);
  const Scope flows(tree_, "service-sfw-flow-table");
  add_flows(record);
}

void FlowBuilder::add_flows(const SessionRecord& record) {
  for (unsigned direction = 0; direction < 2; ++direction) {
    if (limit_ && !conversations_ && flows_ == *limit_) return;
    ++flows_;
    begin_flow(tree_, record, direction, level_ == Level::extensive);
    if (level_ != Level::terse) {
      add_translations(tree_, record.flow[direction], record.flow[1 - direction].mirrored(), direction == 0);
    }
    tree_.end();
  }
}

void FlowBuilder::finish() {
  if (group_ && !conversations_) tree_.end();
  if (group_) tree_.end();
  tree_.end();
}

void build_flow_counts(Tree& tree, const std::vector<ServiceSetRow>& rows) {
  begin_answer(tree, "service-sfw-flow-count-information");
  for (const auto& row : rows) {
    const Scope count(tree, "service-sfw-flow-count");
    tree.leaf("interface-name", row.interface);
    tree.leaf("service-set-name", row.service_set);
    tree.leaf("flow-count", 2 * row.count.total());
  }
  tree.end();
}

}  // namespace icr::cli
