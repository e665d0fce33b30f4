#include "cli/absent.h"

namespace icr::cli {

AbsentNames names_of(Absent what) {
  constexpr std::string_view kSoftwires = "service-softwire-table-information";
  constexpr std::string_view kFlows = "service-softwire-flow-table-information";
  switch (what) {
    case Absent::alg_conversations:
      return {"get-service-msp-alg-conversation-information", "service-msp-alg-conversation-information"};
    case Absent::alg_statistics:
      return {"get-service-msp-alg-stats-information", "service-msp-alg-stats-information"};
    case Absent::alg_sip_globals:
      return {"get-service-msp-alg-sip-globals-information", "service-msp-alg-sip-globals-information"};
    case Absent::plug_ins:
      return {"get-service-set-plugin-summary", "service-set-plugin-summary"};
    case Absent::syslog:
      return {"get-service-set-syslog-statistics", "syslog-stats-interface"};
    case Absent::jflow_log:
      return {"get-service-set-jflow-log-statistics", "jflow-log-stats-interface"};
    case Absent::session_tcp_log:
      return {"get-services-sessions-tcp-log", {}};
    case Absent::tcp_log_connections:
      return {"get-tcp-log-connection-information", {}};
    case Absent::session_softwires:
      return {"get-service-msp-sess-softwire", {}};
    case Absent::session_softwire_count:
      return {"get-service-msp-sess-softwire-count-info", {}};
    case Absent::session_ds_lite:
      return {"get-service-msp-sess-softwire-dslite-info", {}};
    case Absent::session_ds_lite_count:
      return {"get-service-msp-sess-softwire-dslite-count-info", {}};
    case Absent::session_softwire_flows:
      return {"get-usf-service-softwire-table-information", "usf-service-softwire-table-information"};
    case Absent::softwires:
      return {"get-service-softwire-table-information", kSoftwires};
    case Absent::softwire_count:
      return {"get-service-current-softwire-count-information", kSoftwires};
    case Absent::softwire_flows:
      return {"get-service-softwire-flow-table-information", kFlows};
    case Absent::softwire_flow_count:
      return {"get-service-softwire-count-information", kFlows};
    case Absent::softwire_ds_lite_flows:
      return {"get-service-softwire-ds-lite-flow-table-information", kFlows};
    case Absent::softwire_v6rd_flows:
      return {"get-service-softwire-v6rd-flow-table-information", kFlows};
    case Absent::softwire_sessions:
      return {"get-service-softwire-session-table-information", {}};
    case Absent::softwire_session_count:
      return {"get-service-softwire-session-count-info", {}};
    case Absent::softwire_ds_lite_sessions:
      return {"get-service-softwire-session-dslite-table-info", {}};
    case Absent::softwire_ds_lite_session_count:
      break;  // the word `count` is an argument that two calls share
    case Absent::softwire_statistics:
      return {"get-service-softwire-statistics-information", "service-softwire-statistics-information"};
  }
  return {};
}

}  // namespace icr::cli
