// Whole chassis in virtual time, under faults. Seeds are asked for as seeds.h says.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <optional>
#include <random>

#include "model/base/log.h"
#include "tests/sim/seeds.h"

namespace icr::sim {
namespace {

/// A third of all seeds have a guarantee, and a sixth have a threshold that some sessions live to reach.
std::string guarantee_of(std::uint64_t seed) {
  if (seed % 6 == 2) return "replication-threshold: 2";
  if (seed % 3 != 1) return "";
  return seed % 2 == 0 ? "guarantee: output-commit, without-peer: stop" : "guarantee: output-commit";
}

/// One whole life from one seed.
std::string live(std::uint64_t seed, Totals& totals) {
  World world(Files(seed % 4 == 3, static_cast<NatFlavour>(seed % kNatFlavourCount), guarantee_of(seed), seed % 9 == 4),
              seed);
  if (seed % 2 == 0) world.make_hard();
  if (seed % 7 >= 3) world.make_commits(seed % 7 == 3 ? kEditLive : kEditAll);
  world.start(0);
  if (seed % 3 != 0) world.start(1);
  world.run(20s);
  if (world.violations().empty()) world.settle(40s);
  if (world.violations().empty()) world.prove_alive();
  totals.add(world.finish());
  return story(world);
}

/// The seeds are divided among parts, which can run at the same time.
constexpr std::uint64_t kParts = 3;

class Simulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Simulation, InvariantsHoldUnderEverySeed) {
  if (replays() && GetParam() != 0) return;  // the first part does it
  const std::uint64_t first = all_seeds() * GetParam() / kParts;
  const Seeds seeds = wanted_seeds({first_seed() + first, all_seeds() * (GetParam() + 1) / kParts - first});
  const Totals totals = live_through(seeds, live);
  const std::uint64_t count = seeds.count;
  if (count < 100) return;
  // A simulation in which nothing goes wrong shows nothing.
  EXPECT_GT(totals.crashes, count);
  EXPECT_GT(totals.moved_ill, 10U);
  EXPECT_GT(totals.took_over_hot, count / 2);
  EXPECT_GT(totals.took_over_cold, 0U);
  EXPECT_GT(totals.split_brains, 0U);
  EXPECT_GT(totals.switchovers_begun, count / 10);
  EXPECT_GT(totals.only_there, count / 5);
  EXPECT_GT(totals.adopted, totals.only_there / 2);
  EXPECT_GT(totals.conflicts, 0U);
  EXPECT_GT(totals.claims_waited, count);
  EXPECT_GT(totals.claims_refused, count / 4);
  EXPECT_GT(totals.claims_withdrawn, count / 20);
  EXPECT_GT(totals.claims_waived, count / 20);
  EXPECT_GT(totals.damaged, count / 20);
  EXPECT_GT(totals.commits, 2 * count);
  EXPECT_GT(totals.commits_of_one, count / 4);
  EXPECT_GT(totals.fetched, count / 4);
  EXPECT_GT(totals.restarts, 2 * count);
  EXPECT_GT(totals.adopted_commits, count / 2);
  EXPECT_GT(totals.adopted_by_master, count / 4);
  EXPECT_GT(totals.rematched, count / 4);
  EXPECT_GT(totals.failed_starts, count / 20);
  EXPECT_GT(totals.handed_over, count / 2);
  EXPECT_GT(totals.kept, 50 * count);
  EXPECT_GT(totals.gaps, count);
  EXPECT_GT(totals.attempts_after_loss, count / 2);
  EXPECT_GT(totals.births, 50 * count);
  EXPECT_GT(totals.deaths, 20 * count);
  EXPECT_GT(totals.bindings, 1000 * count);
  EXPECT_GT(totals.left_known, 50 * count);
  EXPECT_GT(totals.left_waited, 10 * count);
  EXPECT_GT(totals.left_alone, count);
  EXPECT_GT(totals.survived, count / 2);
  EXPECT_GT(totals.reports, count / 2);
  EXPECT_GT(totals.lost_at_risk, 0U);
  EXPECT_GT(totals.at_risk, totals.lost_at_risk);
}

INSTANTIATE_TEST_SUITE_P(Part, Simulation, ::testing::Range<std::uint64_t>(0, kParts));

std::uint64_t seeds_of_commits() { return all_seeds() / 6; }

/// Lets both chassis live under commits at any moment of the traffic, with nothing else that goes wrong, once for each
/// seed until one fails. `edits` is asked for (seed, preempt); `at_end` looks at a world that has settled, and `check`
/// gets (what happened, preempt).
Totals live_with_commits(const std::function<unsigned(std::uint64_t, bool)>& edits,
                         const std::function<void(World&)>& at_end,
                         const std::function<void(const Totals&, bool)>& check) {
  log::set_level(log::Level::error);
  const auto [first, count] = wanted_seeds({first_seed(), seeds_of_commits()});
  Totals totals;
  for (std::uint64_t seed = first; seed < first + count && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("ICR_SIM_SEED={}", seed));
    const bool preempt = seed % 4 == 3;
    World world(Files(preempt, static_cast<NatFlavour>(seed % kNatFlavourCount)), seed);
    world.start(0);
    world.start(1);
    world.make_strict();
    world.make_commits(edits(seed, preempt));
    world.run(20s);
    if (world.violations().empty()) world.settle(20s);
    if (world.violations().empty()) at_end(world);
    const Totals all = world.finish();
    check(all, preempt);
    totals.add(all);
    if (const std::string violations = story(world); !violations.empty()) ADD_FAILURE() << violations;
  }
  std::cout << "seeds " << first << " to " << first + count - 1 << ": " << totals.to_string() << "\n";
  return totals;
}

/// Mastership moves once for each commit at most, and no packet is lost of a conversation that its file has a place
/// for.
TEST(Commits, LoseNoPacket) {
  const Totals totals = live_with_commits(
      [](std::uint64_t seed, bool) { return seed % 2 == 0 ? kEditKeepsAll : kEditAll; }, [](World&) {},
      [](const Totals& all, bool preempt) { EXPECT_LE(all.masterships, 1 + all.commits * (preempt ? 2 : 1)); });
  const std::uint64_t count = seeds_of_commits();
  if (count < 50 || replays()) return;
  EXPECT_GT(totals.commits, 4 * count);
  EXPECT_GT(totals.handed_over, 2 * count);
  EXPECT_GT(totals.round_trips, 500 * count);
  EXPECT_GT(totals.kept, 100 * count);
  EXPECT_GT(totals.homeless, count);
}

/// Commits that need no restart: mastership stays where it is, no packet is lost of a host that is still admitted, and
/// afterwards each session has the timeout of the last file.
TEST(Commits, WithoutARestartMoveNothing) {
  const Totals totals =
      live_with_commits([](std::uint64_t, bool preempt) { return preempt ? kEditLive & ~kEditPriority : kEditLive; },
                        [](World& world) { world.check_timeouts(); },
                        [](const Totals& all, bool) {
                          EXPECT_EQ(all.masterships, 1U);
                          EXPECT_EQ(all.restarts, 0U);
                        });
  const std::uint64_t count = seeds_of_commits();
  if (count < 50 || replays()) return;
  EXPECT_GT(totals.adopted_by_master, 3 * count);
  EXPECT_GT(totals.round_trips, 500 * count);
  EXPECT_GT(totals.rematched, count);
}

/// Sessions of a term that is gone have the guarantee of their service set, which has none here. So the peer need not
/// know what their packets tell, and packets that wait for it leave.
TEST(Commits, ATermThatGoesTakesItsGuaranteeAlong) {
  log::set_level(log::Level::error);
  World world(Files(false, NatFlavour::ports, "guarantee: output-commit", true), 7);
  const auto run = [&world](Duration time) {
    for (const TimePoint end = world.now() + time; world.now() < end;) world.step(1ms);
  };
  const auto commit = [&](std::uint32_t edits) {
    world.commit(edits, 3);
    for (const TimePoint end = world.now() + 5s; world.now() < end && !world.committed();) world.step(1ms);
    ASSERT_TRUE(world.committed());
  };
  world.set_traffic(0);
  world.start(0);
  world.start(1);
  run(2s);
  commit(kEditRules);
  run(1s);
  Chassis& master = world.chassis(0);
  ASSERT_TRUE(master.member().complete());
  master.data_blocked = true;
  world.set_traffic(30);
  run(500ms);
  world.set_traffic(0);
  ASSERT_GT(master.engine().counters().waits_for_peer, 0U);
  const std::uint64_t out = master.engine().counters().packets_out;
  commit(0);
  run(2ms);
  EXPECT_GT(master.engine().counters().packets_out, out);
  EXPECT_GT(master.counter("link-full"), 0U) << "the peer has heard of nothing";
  world.settle(10s);
  for (const auto& violation : world.violations()) ADD_FAILURE() << violation;
}

TEST(SimulationItself, ASeedReplaysExactly) {
  log::set_level(log::Level::error);
  Totals once;
  Totals again;
  EXPECT_EQ(live(42, once), live(42, again));
  EXPECT_EQ(once.to_string(), again.to_string());
}

/// A pair that is up, with a hot standby and traffic, in good weather.
class Scenario : public ::testing::TestWithParam<NatFlavour> {
 protected:
  Scenario() : cluster_(simulated_cluster(false, GetParam())), world_(cluster_, 7) {
    log::set_level(log::Level::error);
    world_.set_traffic(0);
    world_.start(0);
    world_.start(1);
    run(2s);
    world_.set_traffic(15);
    run(3s);
  }
  void run(Duration time) {
    for (const TimePoint end = world_.now() + time; world_.now() < end;) world_.step(1ms);
  }
  template <class Condition>
  bool run_until(Condition condition, Duration limit) {
    for (const TimePoint end = world_.now() + limit; world_.now() < end && !condition();) world_.step(1ms);
    return condition();
  }
  void quiesce() {
    world_.set_traffic(0);
    ASSERT_TRUE(run_until([this] { return world_.twins(); }, 2s));
  }
  void TearDown() override {
    for (const auto& violation : world_.violations()) ADD_FAILURE() << violation;
  }

  Cluster cluster_;
  World world_;
};

TEST_P(Scenario, TakeoverKeepsEverySessionAndEveryMapping) {
  quiesce();
  run(1s);
  const auto sessions = world_.chassis(0).shard().sessions();
  const auto digest = world_.chassis(0).shard().digest();
  ASSERT_GT(sessions, 10U);
  world_.crash(0, true, true);
  ASSERT_TRUE(run_until([this] { return world_.chassis(1).active(); }, 10ms));
  EXPECT_EQ(world_.chassis(1).shard().sessions(), sessions);
  EXPECT_EQ(world_.chassis(1).shard().digest(), digest);
  const FailoverReport& report = world_.chassis(1).failovers().front();
  EXPECT_EQ(report.risk.sessions, 0U) << "the master had nothing to say";
  EXPECT_EQ(report.risk.former_sessions, sessions);
  EXPECT_EQ(report.risk.missing, 0U);
  EXPECT_EQ(report.risk.oldest_us, 0U);
  const auto changed = world_.traffic().mapping_changes();
  const auto trips = world_.traffic().round_trips();
  world_.set_traffic(0.001);  // the conversations go on, new ones do not begin
  run(2s);
  EXPECT_EQ(world_.traffic().mapping_changes(), changed);
  EXPECT_GT(world_.traffic().round_trips(), trips);
}

TEST_P(Scenario, EveryBlockOfPortsThatAHostHasWasReported) {
  quiesce();
  const Chassis& master = world_.chassis(0);
  int blocks = 0;
  SessionRecord record;
  for (std::uint32_t slot = master.shard().table().capacity(); slot < master.shard().high_water(); ++slot) {
    if (master.shard().read(slot, world_.now(), record) && record.kind == RecordKind::port_block) ++blocks;
  }
  const bool in_blocks = GetParam() == NatFlavour::blocks || GetParam() == NatFlavour::mappings_in_blocks;
  EXPECT_EQ(blocks > 0, in_blocks);
  EXPECT_EQ(master.blocks_reported, blocks);
}

TEST_P(Scenario, SwitchoverUnderTrafficLosesNothing) {
  for (int round = 0; round < 6; ++round) {
    const auto from = world_.master();
    ASSERT_TRUE(from);
    ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
    run(200ms);
    ASSERT_TRUE(world_.chassis(*from).core().request_switchover(world_.now()));
    ASSERT_TRUE(run_until([&] { return world_.master() && *world_.master() != *from; }, 1s)) << "round " << round;
    run(1s);
  }
  EXPECT_EQ(world_.traffic().mapping_changes(), 0U);
}

TEST_P(Scenario, BothKilledAtOnceComeBackFromTheirCheckpoints) {
  quiesce();
  run(1500ms);
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 2s));
  const auto sessions = world_.chassis(0).shard().sessions();
  ASSERT_GT(sessions, 10U);
  world_.crash(0, true, false);
  world_.crash(1, true, false);
  world_.start(0);
  world_.start(1);
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
  EXPECT_EQ(world_.chassis(0).shard().sessions(), sessions);
  EXPECT_TRUE(world_.chassis(0).active()) << "it was master, so its state is the newest";
}

TEST_P(Scenario, OfTwoThatComeBackTheOneWithADamagedCheckpointFollows) {
  quiesce();
  run(1500ms);
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 2s));
  const auto sessions = world_.chassis(0).shard().sessions();
  ASSERT_GT(sessions, 10U);
  world_.crash(0, true, false);
  world_.crash(1, true, false);
  world_.start(0, true);
  world_.start(1);
  ASSERT_FALSE(world_.chassis(0).whole());
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
  EXPECT_TRUE(world_.chassis(1).active()) << "the other one was master, and has lost a part of what it had";
  EXPECT_EQ(world_.chassis(1).shard().sessions(), sessions);
}

TEST_P(Scenario, ATakeoverWaitsForTheWitnessAndTheDisk) {
  quiesce();
  const auto digest = world_.chassis(0).shard().digest();
  world_.chassis(1).witness.moody = true;
  world_.crash(0, true, true);
  // Whatever its mood, it is asked again, or answers late; meanwhile nothing is forwarded (the oracle looks).
  const bool waited = run_until([this] { return world_.chassis(1).member().role() == Role::claiming; }, 40ms);
  if (waited) run(1s);
  world_.chassis(1).witness.moody = false;
  ASSERT_TRUE(run_until([this] { return world_.chassis(1).active(); }, 300ms));
  EXPECT_EQ(world_.chassis(1).shard().digest(), digest);
}

TEST_P(Scenario, AStandbyThatStartsLateBecomesHotWhileTrafficRuns) {
  world_.crash(1, false, true);
  world_.set_traffic(30);
  run(3s);
  const auto trips = world_.traffic().round_trips();
  world_.start(1);
  ASSERT_TRUE(run_until([this] { return world_.chassis(1).status().sync == Sync::hot; }, 1s));
  run(1s);
  EXPECT_GT(world_.traffic().round_trips(), trips);
  quiesce();
}

TEST_P(Scenario, AStandbyThatComesBackGetsOnlyWhatDiffers) {
  quiesce();
  run(1500ms);
  world_.crash(1, true, false);
  world_.set_traffic(5);
  run(300ms);
  world_.start(1);
  const Chassis& standby = world_.chassis(1);
  ASSERT_TRUE(run_until([&] { return standby.status().sync == Sync::hot; }, 3s));
  quiesce();
  const auto equal = standby.counter("digests-equal");
  EXPECT_GT(equal, 5U);
  // Of some, the acknowledgement overtakes the answer: they are copied.
  EXPECT_GT(world_.chassis(0).counter("ranges-equal"), 0U);
  EXPECT_LE(world_.chassis(0).counter("ranges-equal"), equal);
  EXPECT_LT(equal, standby.counter("digests-compared")) << "traffic went on meanwhile";
}

TEST_P(Scenario, AfterASwitchoverAlmostNothingIsCopied) {
  quiesce();
  ASSERT_TRUE(world_.chassis(0).core().request_switchover(world_.now()));
  ASSERT_TRUE(run_until([&] { return world_.master() == 1U && world_.twins(); }, 2s));
  const Chassis& former = world_.chassis(0);
  EXPECT_GT(former.counter("digests-equal"), 5U);
  EXPECT_LE(former.counter("digests-compared") - former.counter("digests-equal"), 2U);
}

TEST_P(Scenario, AfterASplitWhatEitherMasterSetUpLivesOrIsCountedAsAConflict) {
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
  world_.split();
  ASSERT_TRUE(run_until([this] { return world_.chassis(0).active() && world_.chassis(1).active(); }, 2s));
  const auto trips = world_.traffic().round_trips();
  run(3s);
  EXPECT_GT(world_.traffic().round_trips(), trips);
  world_.heal();
  // The oracle compares what the member that yielded had with what lives at the master afterwards, and what was
  // refused.
  ASSERT_TRUE(run_until([this] { return world_.chassis(0).counter("merges-completed") == 1; }, 2s));
  const std::uint64_t created = world_.chassis(1).counter("merge-created");
  EXPECT_GT(created, 5U);
  const FailoverReport& report = world_.chassis(1).failovers().front();
  ASSERT_TRUE(report.risk.merge);
  EXPECT_EQ(report.risk.merge->returned, created);
  EXPECT_EQ(report.risk.merge->updated, world_.chassis(1).counter("merge-updated"));
  EXPECT_EQ(world_.chassis(0).counter("merge-not-sent"), 0U);
  EXPECT_EQ(world_.chassis(0).counter("merges-given-up"), 0U);
  ASSERT_EQ(world_.master(), 1U);
  run(1s);
  quiesce();
}

/// Section "a busy machine": threads of both chassis are delayed again and again, by as much as a thread at nice 0 that
/// lacks processor time; heartbeats are 3 x 20 ms. No master loses mastership.
TEST(BusyMachine, StarvedMembersNeverTakeOver) {
  log::set_level(log::Level::error);
  for (std::uint64_t seed = 1; seed <= std::max<std::uint64_t>(1, all_seeds() / 10); ++seed) {
    Cluster cluster = simulated_cluster(false, static_cast<NatFlavour>(seed % kNatFlavourCount));
    cluster.redundancy_sets[0].heartbeat_interval = 20ms;
    World world(cluster, seed);
    std::mt19937_64 random(seed);
    const auto run = [&world](Duration time) {
      for (const TimePoint end = world.now() + time; world.now() < end;) world.step(1ms);
    };
    world.set_traffic(0);
    world.start(0);
    world.start(1);
    run(2s);
    world.set_traffic(15);
    for (int round = 0; round < 100; ++round) {
      const std::uint64_t who = random() % 3;
      world.chassis(0).paused = who != 1;
      world.chassis(1).paused = who != 0;
      run(1ms * (random() % 240 + 10));
      world.chassis(0).paused = world.chassis(1).paused = false;
      run(1ms * (random() % 100 + 1));
    }
    EXPECT_TRUE(world.chassis(0).active()) << "seed " << seed;
    EXPECT_GT(world.chassis(1).counter("takeovers-avoided"), 0U) << "seed " << seed;
    world.settle(10s);
    EXPECT_EQ(world.finish().masterships, 1U) << "seed " << seed;
    for (const auto& violation : world.violations()) ADD_FAILURE() << "seed " << seed << ": " << violation;
  }
}

/// Shared case field.master-with-dead-link, at any moment of the traffic.
TEST(BusyMachine, IllHealthOfTheMasterMovesMastershipOnce) {
  log::set_level(log::Level::error);
  for (std::uint64_t seed = 1; seed <= std::max<std::uint64_t>(1, all_seeds() / 5); ++seed) {
    const Cluster cluster = simulated_cluster(false, static_cast<NatFlavour>(seed % kNatFlavourCount));
    World world(cluster, seed);
    std::mt19937_64 random(seed);
    const auto run = [&world](Duration time) {
      for (const TimePoint end = world.now() + time; world.now() < end;) world.step(1ms);
    };
    world.set_traffic(30);
    world.start(0);
    world.start(1);
    run(2s + 1us * (random() % 3'000'000));
    ASSERT_TRUE(world.chassis(0).active());
    for (std::size_t i = 0; i < 2; ++i) world.chassis(i).set_ill(world.now(), false);
    world.chassis(0).set_ill(world.now(), true);
    run(250ms);
    EXPECT_EQ(world.master(), std::optional<std::size_t>(1)) << "seed " << seed;
    run(1ms * (random() % 3000));
    world.chassis(0).set_ill(world.now(), false);
    run(10s);
    EXPECT_EQ(world.master(), std::optional<std::size_t>(1)) << "seed " << seed;
    world.settle(10s);
    const Totals totals = world.finish();
    EXPECT_EQ(totals.masterships, 2U) << "seed " << seed;
    EXPECT_EQ(totals.mapping_changes, 0U) << "seed " << seed;
    for (const auto& violation : world.violations()) ADD_FAILURE() << "seed " << seed << ": " << violation;
  }
}

INSTANTIATE_TEST_SUITE_P(Nat, Scenario,
                         ::testing::Values(NatFlavour::ports, NatFlavour::blocks, NatFlavour::mappings,
                                           NatFlavour::mappings_in_blocks, NatFlavour::addresses));

}  // namespace
}  // namespace icr::sim
