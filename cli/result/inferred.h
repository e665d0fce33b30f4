// The names of XML elements that no public source of Junos has, chosen here after the vocabulary of those that are
// known. docs/xml.md lists them (a test compares the two). All other names in the builders are those of models,
// captures or clients of Junos.
#pragma once

#include <array>
#include <string_view>

namespace icr::cli::inferred {

/// A name, and why it is needed.
struct Name {
  std::string_view name;
  std::string_view meaning;
};

// Sessions of ms- cards: `msp-session-table` is known, what is in it is not.
inline constexpr std::string_view kSessionsOfInterface = "msp-session-table-per-interface";
inline constexpr std::string_view kSession = "msp-session";
inline constexpr std::string_view kSessionId = "session-id";
inline constexpr std::string_view kAlg = "sess-alg";
inline constexpr std::string_view kFlags = "sess-flags";
inline constexpr std::string_view kIpAction = "sess-ip-action";
inline constexpr std::string_view kOffload = "sess-offload";
inline constexpr std::string_view kAsymmetric = "sess-asymmetric";
inline constexpr std::string_view kSessionTimeLeft = "sess-timeout";
inline constexpr std::string_view kTranslation = "sess-nat-type";
inline constexpr std::string_view kGuarantee = "sess-guarantee";
inline constexpr std::string_view kNewestState = "sess-newest-state-at-peer";
inline constexpr std::string_view kThreshold = "sess-replication-threshold";
inline constexpr std::string_view kRank = "sess-rank";
inline constexpr std::string_view kPacketsOfSession = "sess-packets";
inline constexpr std::string_view kBytesOfSession = "sess-bytes";
inline constexpr std::string_view kAge = "sess-age";

// Sums of sessions by group (not in Junos).
inline constexpr std::string_view kSessionGroups = "service-session-group-information";
inline constexpr std::string_view kGroupBy = "session-group-by";
inline constexpr std::string_view kSessionGroup = "session-group";
inline constexpr std::string_view kGroupName = "session-group-name";
inline constexpr std::string_view kOtherGroups = "session-group-others";
inline constexpr std::string_view kGroupCount = "session-group-count";
// Comparison of twins.
inline constexpr std::string_view kConsistency = "rg-consistency-information";
inline constexpr std::string_view kConsistencyOfSet = "rg-consistency";
inline constexpr std::string_view kMasterChassis = "master-chassis";
inline constexpr std::string_view kStandbyChassis = "standby-chassis";
inline constexpr std::string_view kComparison = "twin-comparison";
inline constexpr std::string_view kCompared = "compared";
inline constexpr std::string_view kComparedSlots = "compared-slots";
inline constexpr std::string_view kEqualSlots = "equal-slots";
inline constexpr std::string_view kDifferentSlots = "different-slots";
inline constexpr std::string_view kChangingSlots = "changing-slots";
inline constexpr std::string_view kUnexaminedSlots = "unexamined-slots";
inline constexpr std::string_view kWithheldSessions = "withheld-sessions";
inline constexpr std::string_view kVerdict = "twin-verdict";
inline constexpr std::string_view kDifference = "twin-difference";
inline constexpr std::string_view kRefusal = "switchover-refusal";
inline constexpr std::string_view kLostSessions = "lost-sessions";
inline constexpr std::string_view kLostBindings = "lost-bindings";

// Ports below the units of a card (`interface-information`).
inline constexpr std::string_view kPortType = "port-type";
inline constexpr std::string_view kPortDevice = "port-device";
inline constexpr std::string_view kPortState = "port-state";

// Counters of screens.
inline constexpr std::string_view kScreenDrops = "service-set-screen-drops-statistics";
inline constexpr std::string_view kScreenDropsOfSet = "service-set-screen-drops";
inline constexpr std::string_view kScreenLimits = "service-set-screen-session-limit-statistics";
inline constexpr std::string_view kScreenLimitsOfSet = "service-set-screen-session-limits";

// NAT pools of `ms-` cards (`service-nat-pool-information`).
inline constexpr std::string_view kSharedWith = "pool-shared-with";
inline constexpr std::string_view kBlocksInUse = "port-blocks-in-use";
inline constexpr std::string_view kBlockErrors = "port-block-allocation-errors";
inline constexpr std::string_view kBlockLimitErrors = "port-blocks-limit-exceeded-errors";
inline constexpr std::string_view kBlockAllocations = "port-block-allocations";
inline constexpr std::string_view kBlockReleases = "port-block-releases";
inline constexpr std::string_view kBlockLogsLost = "port-block-logs-lost";
inline constexpr std::string_view kBlockSize = "port-block-size";
inline constexpr std::string_view kBlocksOfHost = "max-port-blocks-per-host";
inline constexpr std::string_view kBlockTimeout = "active-block-timeout";
inline constexpr std::string_view kEffectiveRange = "effective-port-range";
inline constexpr std::string_view kEffectiveBlocks = "effective-port-blocks";
inline constexpr std::string_view kEffectivePorts = "effective-ports";
inline constexpr std::string_view kAddressMappings = "address-mappings";
inline constexpr std::string_view kEndpointMappings = "endpoint-independent-mappings";
inline constexpr std::string_view kEifCreated = "eif-sessions-created";
inline constexpr std::string_view kEifRefused = "eif-refused";
inline constexpr std::string_view kConflicts = "conflicts-refused";
inline constexpr std::string_view kHeld = "held-before-reuse";
inline constexpr std::string_view kReusedEarly = "reused-early";
inline constexpr std::string_view kAddressesAvailable = "pool-available-addresses";

// Summaries of NAT, and the usage of pools.
inline constexpr std::string_view kSourceSummary = "source-nat-summary-information";
inline constexpr std::string_view kSourceSummaryEntry = "source-nat-summary-entry";
inline constexpr std::string_view kDestinationSummary = "destination-nat-summary-information";
inline constexpr std::string_view kDestinationSummaryEntry = "destination-nat-summary-entry";
inline constexpr std::string_view kSummaryPool = "nat-summary-pool-entry";
inline constexpr std::string_view kSummaryRule = "nat-summary-rule-entry";
inline constexpr std::string_view kTotalPools = "total-pools";
inline constexpr std::string_view kTotalRules = "total-rules";
inline constexpr std::string_view kPat = "port-address-translation";
inline constexpr std::string_view kPoolUsage = "source-nat-pool-usage-information";
inline constexpr std::string_view kPoolUsageEntry = "source-nat-pool-usage-entry";
inline constexpr std::string_view kPortsUsed = "ports-used";
inline constexpr std::string_view kPortsAvailable = "ports-available";
inline constexpr std::string_view kPortsMaximum = "ports-total";
inline constexpr std::string_view kUsage = "ports-usage";
inline constexpr std::string_view kPeak = "ports-peak";

// Terms of NAT rules.
inline constexpr std::string_view kTerm = "rule-term";
inline constexpr std::string_view kDirection = "rule-match-direction";
inline constexpr std::string_view kSourceLow = "rule-source-address-low-range";
inline constexpr std::string_view kSourceHigh = "rule-source-address-high-range";
inline constexpr std::string_view kSourceExcept = "source-address-except-entry";
inline constexpr std::string_view kDestinationLow = "rule-destination-address-low-range";
inline constexpr std::string_view kDestinationHigh = "rule-destination-address-high-range";
inline constexpr std::string_view kDestinationExcept = "destination-address-except-entry";
inline constexpr std::string_view kSourcePorts = "rule-source-port";
inline constexpr std::string_view kDestinationPorts = "rule-destination-port";
inline constexpr std::string_view kApplication = "src-nat-application";
inline constexpr std::string_view kAction = "rule-action";
inline constexpr std::string_view kTranslatedPorts = "rule-translated-port";
inline constexpr std::string_view kPooling = "rule-address-pooling";
inline constexpr std::string_view kFiltering = "rule-filtering-type";

// Mappings and blocks of ports.
inline constexpr std::string_view kMappings = "service-nat-mapping-information";
inline constexpr std::string_view kMappingsOfSet = "sfw-per-service-set-nat-mapping";
inline constexpr std::string_view kMappingsOfPool = "service-nat-mapping-pool";
inline constexpr std::string_view kMapping = "service-nat-mapping";
inline constexpr std::string_view kMappingKind = "mapping-type";
inline constexpr std::string_view kInternal = "internal-ip";
inline constexpr std::string_view kInternalPort = "internal-port";
inline constexpr std::string_view kExternal = "external-ip";
inline constexpr std::string_view kExternalPort = "external-port";
inline constexpr std::string_view kMappingState = "mapping-state";
inline constexpr std::string_view kMappingSummary = "service-nat-mapping-summary-information";
inline constexpr std::string_view kMappingSummaryEntry = "service-nat-mapping-summary";
inline constexpr std::string_view kTotalAddressMappings = "total-address-mappings";
inline constexpr std::string_view kTotalEndpointMappings = "total-endpoint-independent-port-mappings";
inline constexpr std::string_view kTotalFilters = "total-endpoint-independent-filters";
inline constexpr std::string_view kDeterministic = "source-nat-deterministic-information";
inline constexpr std::string_view kPortBlocks = "source-nat-port-block-information";
inline constexpr std::string_view kBlockPool = "source-nat-block-pool";
inline constexpr std::string_view kBlock = "source-nat-block";
inline constexpr std::string_view kBlockRange = "block-port-range";
inline constexpr std::string_view kBlockState = "block-state";
inline constexpr std::string_view kBlockTimeLeft = "block-time-left";

// Redundancy groups: `rg-information/rg-state-information/services-rg-information/services-rg-rs-information/local-
// rs-state` is known.
inline constexpr std::string_view kChassis = "chassis-name";
inline constexpr std::string_view kProcessConnection = "iccp-connection";
inline constexpr std::string_view kGroupId = "rg-id";
inline constexpr std::string_view kLocalAddress = "local-rg-ip";
inline constexpr std::string_view kPeerAddress = "peer-rg-ip";
inline constexpr std::string_view kConnection = "rg-connection-status";
inline constexpr std::string_view kSetId = "rs-id";
inline constexpr std::string_view kPeerState = "peer-rs-state";
inline constexpr std::string_view kSetName = "rs-name";
inline constexpr std::string_view kServiceSetState = "rs-service-set";
inline constexpr std::string_view kSync = "stateful-sync";
inline constexpr std::string_view kHealth = "rs-health";
inline constexpr std::string_view kMember = "rs-member";
inline constexpr std::string_view kHealthState = "rs-health-status";
inline constexpr std::string_view kHealthWeight = "rs-health-weight";
inline constexpr std::string_view kReason = "reason";
inline constexpr std::string_view kReasonAge = "reason-age";
inline constexpr std::string_view kClaimed = "claimed-term";
inline constexpr std::string_view kAwaited = "claim-waits-for";
inline constexpr std::string_view kPath = "inter-chassis-path";
inline constexpr std::string_view kActive = "path-active";
inline constexpr std::string_view kPriority = "rs-priority";
inline constexpr std::string_view kGroupTerm = "rs-term";
inline constexpr std::string_view kDigest = "session-digest";
inline constexpr std::string_view kSessionsOfSet = "rs-service-set-sessions";
inline constexpr std::string_view kSent = "sequence-sent";
inline constexpr std::string_view kAcknowledged = "sequence-acknowledged";
inline constexpr std::string_view kApplied = "sequence-applied";
inline constexpr std::string_view kPending = "changes-pending";
inline constexpr std::string_view kRoleChange = "role-change";
inline constexpr std::string_view kAgo = "ago-ms";
inline constexpr std::string_view kFrom = "from-state";
inline constexpr std::string_view kTo = "to-state";
inline constexpr std::string_view kCounter = "rs-counter";
inline constexpr std::string_view kCounterName = "counter-name";
inline constexpr std::string_view kCounterValue = "counter-value";
inline constexpr std::string_view kPeer = "rs-peer";
inline constexpr std::string_view kUnacknowledgedRecords = "unacknowledged-records";
inline constexpr std::string_view kUnacknowledgedBytes = "unacknowledged-bytes";
inline constexpr std::string_view kOldestChange = "oldest-change-ms";
inline constexpr std::string_view kCopiedSlots = "copied-slots";
inline constexpr std::string_view kSlotsToCopy = "slots-to-copy";
inline constexpr std::string_view kEqualRanges = "equal-ranges";
inline constexpr std::string_view kComparedRanges = "compared-ranges";
inline constexpr std::string_view kDetector = "failure-detector";
inline constexpr std::string_view kDetectorState = "detector-state";
inline constexpr std::string_view kTolerates = "tolerated-silence-ms";
inline constexpr std::string_view kAtLeast = "tolerated-at-least-ms";
inline constexpr std::string_view kAtMost = "tolerated-at-most-ms";
inline constexpr std::string_view kOwnDelay = "worst-own-delay-ms";
inline constexpr std::string_view kPeerDelay = "worst-peer-delay-ms";
inline constexpr std::string_view kPeerSays = "worst-delay-peer-says-ms";
inline constexpr std::string_view kAvoided = "takeovers-avoided";
inline constexpr std::string_view kProbesSent = "probes-sent";
inline constexpr std::string_view kProbesAnswered = "probes-answered";
inline constexpr std::string_view kProbe = "probe";
inline constexpr std::string_view kScheduling = "scheduling";

// Reports of takeovers (not in Junos).
inline constexpr std::string_view kFailovers = "rg-failover-information";
inline constexpr std::string_view kFailover = "rg-failover";
inline constexpr std::string_view kHeard = "last-sign-of-life";
inline constexpr std::string_view kNewMaster = "new-master";
inline constexpr std::string_view kFormerMaster = "former-master";
inline constexpr std::string_view kKind = "failover-kind";
inline constexpr std::string_view kFirstPacket = "first-packet-ms";
inline constexpr std::string_view kAtRisk = "sessions-at-risk";
inline constexpr std::string_view kReportNumber = "report-number";
inline constexpr std::string_view kComplete = "report-complete";
inline constexpr std::string_view kEvent = "failover-event";
inline constexpr std::string_view kEventName = "event-name";
inline constexpr std::string_view kTime = "event-time";
inline constexpr std::string_view kAfter = "after-ms";
inline constexpr std::string_view kCopy = "copy-state";
inline constexpr std::string_view kMissing = "sequence-missing";

// What each chassis runs, in `commit-information` (not in Junos).
inline constexpr std::string_view kCommitOfChassis = "commit-chassis";
inline constexpr std::string_view kCommitNumber = "commit-number";
inline constexpr std::string_view kCommitState = "commit-state";
inline constexpr std::string_view kCommitLine = "commit-note";

inline constexpr std::array kNames = {
    Name{kSessionsOfInterface, "the sessions of one `ms-` card in `msp-session-table`"},
    Name{kSession, "one session of a `ms-` card"},
    Name{kSessionId, "`Session:` of a `ms-` card"},
    Name{kAlg, "`ALG:`"},
    Name{kFlags, "`Flags:` of a `ms-` card"},
    Name{kIpAction, "`IP Action:`"},
    Name{kOffload, "`Offload:`"},
    Name{kAsymmetric, "`Asymmetric:`"},
    Name{kSessionTimeLeft, "`Session timeout:`, seconds"},
    Name{kTranslation, "`Translation Type`"},
    Name{kGuarantee, "`Guarantee:` (not in Junos)"},
    Name{kNewestState, "`newest state at the peer:` (not in Junos)"},
    Name{kThreshold, "`Replication threshold:`, seconds (not in Junos)"},
    Name{kRank, "`Rank:` among the largest sessions (not in Junos)"},
    Name{kPacketsOfSession, "`Packets:` of both directions (not in Junos)"},
    Name{kBytesOfSession, "`Bytes:` of both directions (not in Junos)"},
    Name{kAge, "`Age:`, seconds (not in Junos)"},
    Name{kSessionGroups, "the answer of `sessions group-by` (not in Junos)"},
    Name{kGroupBy, "what the sessions of a group have in common"},
    Name{kSessionGroup, "a group in it"},
    Name{kGroupName, "its name"},
    Name{kOtherGroups, "all groups behind those of `top`"},
    Name{kGroupCount, "their number"},
    Name{kConsistency, "the answer of `redundancy-group consistency` and of `switchover dry-run` (not in Junos)"},
    Name{kConsistencyOfSet, "a redundancy set in it"},
    Name{kMasterChassis, "the chassis that is master"},
    Name{kStandbyChassis, "the chassis that is standby"},
    Name{kComparison, "what was compared"},
    Name{kCompared, "`sessions` or `nat-bindings`"},
    Name{kComparedSlots, "how many were compared"},
    Name{kEqualSlots, "how many are equal"},
    Name{kDifferentSlots, "how many differ"},
    Name{kChangingSlots, "how many changed at each look"},
    Name{kUnexaminedSlots, "how many differed and were not looked at again"},
    Name{kWithheldSessions, "sessions below the replication-threshold"},
    Name{kVerdict, "`equal`, `different`, `changing`, `not-examined` or `not-compared`"},
    Name{kDifference, "a difference, in words"},
    Name{kRefusal, "why the master would refuse a switchover"},
    Name{kLostSessions, "sessions that a switchover would lose"},
    Name{kLostBindings, "NAT bindings that it would lose"},
    Name{kPortType, "`Port:` of a logical interface: the type of the cluster file (not in Junos)"},
    Name{kPortDevice, "its device in the kernel (not in Junos)"},
    Name{kPortState, "its link: `up`, `down` or `missing` (not in Junos)"},
    Name{kScreenDrops, "the answer of `statistics screen-drops`"},
    Name{kScreenDropsOfSet, "the screens of a service set in it"},
    Name{kScreenLimits, "the answer of `statistics screen-session-limit-counters`"},
    Name{kScreenLimitsOfSet, "the limits of a service set in it"},
    Name{kSharedWith, "the service set that shows the figures of a shared pool (not in Junos)"},
    Name{kBlocksInUse, "`Current number of port blocks in use:`"},
    Name{kBlockErrors, "`Port block allocation errors:`"},
    Name{kBlockLimitErrors, "`Port blocks limit exceeded errors:`"},
    Name{kBlockAllocations, "`Port block allocations:` (not in Junos)"},
    Name{kBlockReleases, "`Port block releases:` (not in Junos)"},
    Name{kBlockLogsLost, "`Port block logs lost:` (not in Junos)"},
    Name{kBlockSize, "`Port block size:`"},
    Name{kBlocksOfHost, "`Max port blocks per address:` and `per host:`"},
    Name{kBlockTimeout, "`Active block timeout:`"},
    Name{kEffectiveRange, "`Effective port range:`"},
    Name{kEffectiveBlocks, "`Effective port blocks:`, and the total of a table of blocks"},
    Name{kEffectivePorts, "`Effective ports:`"},
    Name{kAddressMappings, "`Address mappings:` (not in Junos)"},
    Name{kEndpointMappings, "`Endpoint independent mappings:` (not in Junos)"},
    Name{kEifCreated, "`EIF sessions created:` (not in Junos)"},
    Name{kEifRefused, "`EIF refused:` (not in Junos)"},
    Name{kConflicts, "`Conflicts refused:` (not in Junos)"},
    Name{kHeld, "`Held before reuse:` (not in Junos)"},
    Name{kReusedEarly, "`Reused early:` (not in Junos)"},
    Name{kAddressesAvailable, "`Available addresses:`"},
    Name{kSourceSummary, "the answer of `nat source summary`"},
    Name{kSourceSummaryEntry, "a service set in it"},
    Name{kDestinationSummary, "the answer of `nat destination summary`"},
    Name{kDestinationSummaryEntry, "a service set in it"},
    Name{kSummaryPool, "a pool of a summary"},
    Name{kSummaryRule, "a term of a summary"},
    Name{kTotalPools, "`Total pools:`"},
    Name{kTotalRules, "`Total rules:` of a summary"},
    Name{kPat, "column `PAT`"},
    Name{kPoolUsage, "the answer of `nat resource-usage source-pool`"},
    Name{kPoolUsageEntry, "a pool in it"},
    Name{kPortsUsed, "ports in use of a pool, a pairing or a block"},
    Name{kPortsAvailable, "column `Avail`"},
    Name{kPortsMaximum, "ports that a pool or a block has"},
    Name{kUsage, "column `Usage`"},
    Name{kPeak, "column `Peak`"},
    Name{kTerm, "the name of a term"},
    Name{kDirection, "`Match direction`"},
    Name{kSourceLow, "the first address of a range of sources"},
    Name{kSourceHigh, "the last one"},
    Name{kSourceExcept, "`Source except`"},
    Name{kDestinationLow, "the first address of a range of destinations"},
    Name{kDestinationHigh, "the last one"},
    Name{kDestinationExcept, "`Destination except`"},
    Name{kSourcePorts, "`Source port`"},
    Name{kDestinationPorts, "`Destination port`"},
    Name{kApplication, "the name in `src-nat-app-entry`"},
    Name{kAction, "`Action` of destination and static rules, and of summaries"},
    Name{kTranslatedPorts, "`Translated port`"},
    Name{kPooling, "`Address pooling`"},
    Name{kFiltering, "`Filtering type`"},
    Name{kMappings, "the answer of `nat mappings`"},
    Name{kMappingsOfSet, "the mappings of a service set"},
    Name{kMappingsOfPool, "the mappings of a pool in it"},
    Name{kMapping, "a mapping or pairing"},
    Name{kMappingKind, "which of the two it is"},
    Name{kInternal, "the address of the host"},
    Name{kInternalPort, "its port"},
    Name{kExternal, "the translated address"},
    Name{kExternalPort, "its port"},
    Name{kMappingState, "`Mapping State`"},
    Name{kMappingSummary, "the answer of `nat mappings summary`"},
    Name{kMappingSummaryEntry, "an interface in it"},
    Name{kTotalAddressMappings, "`Total number of address mappings:`"},
    Name{kTotalEndpointMappings, "`Total number of endpoint independent port mappings:`"},
    Name{kTotalFilters, "`Total number of endpoint independent filters:`"},
    Name{kDeterministic, "the answer of `nat source deterministic`"},
    Name{kPortBlocks, "the answer of `nat source port-block`"},
    Name{kBlockPool, "a pool in one of the two"},
    Name{kBlock, "a block of ports"},
    Name{kBlockRange, "its first and its last port"},
    Name{kBlockState, "`Block_State`"},
    Name{kBlockTimeLeft, "`Left_Time(s)`; not there while the block is used"},
    Name{kChassis, "the chassis that says it"},
    Name{kProcessConnection, "`ICCP process connection:`"},
    Name{kGroupId, "`RG-ID`"},
    Name{kLocalAddress, "`Local RG IP`, and the local address of a path"},
    Name{kPeerAddress, "`Peer RG IP`, and the remote address of a path"},
    Name{kConnection, "`Status`, and the state of a path"},
    Name{kSetId, "`RS-ID`"},
    Name{kPeerState, "`Peer RS`"},
    Name{kSetName, "`Redundancy set:`"},
    Name{kServiceSetState, "a service set of a redundancy set"},
    Name{kSync, "`stateful sync`"},
    Name{kHealth, "the health of a member"},
    Name{kMember, "whose health it is: `local` or `peer`"},
    Name{kHealthState, "`health status:`"},
    Name{kHealthWeight, "the weight of what is wrong"},
    Name{kReason, "why something is as it is"},
    Name{kReasonAge, "seconds since the last change"},
    Name{kClaimed, "`Claims term:`"},
    Name{kAwaited, "`waits for:`"},
    Name{kPath, "a path to the peer"},
    Name{kActive, "whether the path is used"},
    Name{kPriority, "`Priority:`"},
    Name{kGroupTerm, "`Term:`"},
    Name{kDigest, "`digest:`"},
    Name{kSessionsOfSet, "the sessions of a service set"},
    Name{kSent, "`Sequence sent:`"},
    Name{kAcknowledged, "`acknowledged:`"},
    Name{kApplied, "`applied:`"},
    Name{kPending, "`changes pending:`"},
    Name{kRoleChange, "a line of `Role history`"},
    Name{kAgo, "how long ago it was, milliseconds"},
    Name{kFrom, "the role before"},
    Name{kTo, "the role after"},
    Name{kCounter, "a counter of a redundancy set"},
    Name{kCounterName, "its name"},
    Name{kCounterValue, "its value"},
    Name{kPeer, "what is known of the peer"},
    Name{kUnacknowledgedRecords, "`Unacknowledged:`"},
    Name{kUnacknowledgedBytes, "the same in octets"},
    Name{kOldestChange, "`oldest change`"},
    Name{kCopiedSlots, "how far a copy is"},
    Name{kSlotsToCopy, "how far it has to go"},
    Name{kEqualRanges, "ranges of slots that a copy did not need to carry"},
    Name{kComparedRanges, "ranges of slots that were compared"},
    Name{kDetector, "`Failure detector:`"},
    Name{kDetectorState, "its state"},
    Name{kTolerates, "`tolerates`"},
    Name{kAtLeast, "`at least`"},
    Name{kAtMost, "`at most`"},
    Name{kOwnDelay, "`Worst delay of the last minute: own`"},
    Name{kPeerDelay, "the same of the peer, as it is seen here"},
    Name{kPeerSays, "`peer says`"},
    Name{kAvoided, "`Takeovers avoided:`"},
    Name{kProbesSent, "`probes sent:`"},
    Name{kProbesAnswered, "`answered:`"},
    Name{kProbe, "`probe:`"},
    Name{kScheduling, "`Scheduling:`"},
    Name{kFailovers, "the answer of `redundancy-group failovers`"},
    Name{kFailover, "a report"},
    Name{kHeard, "`Last sign of life`"},
    Name{kNewMaster, "`New master`"},
    Name{kFormerMaster, "the chassis that was master"},
    Name{kKind, "`Kind`"},
    Name{kFirstPacket, "`Packet (ms)`; not there if it is not known"},
    Name{kAtRisk, "`At risk`; not there if it is not known"},
    Name{kReportNumber, "`report`"},
    Name{kComplete, "whether the report may still change"},
    Name{kEvent, "a row of the table of events; one that is not known is not there"},
    Name{kEventName, "`Event`"},
    Name{kTime, "`Time (UTC)`"},
    Name{kAfter, "`After it (ms)`"},
    Name{kCopy, "`Copy:`"},
    Name{kMissing, "`missing:`"},
    Name{kCommitOfChassis, "a chassis"},
    Name{kCommitNumber, "the number of its newest commit"},
    Name{kCommitState, "`running`, `waiting` or `failed`"},
    Name{kCommitLine, "a sentence about it"},
};

}  // namespace icr::cli::inferred
