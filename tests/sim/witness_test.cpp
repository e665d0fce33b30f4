// Pairs with a witness: never do two members act at once, whatever is cut, and losing the witness alone changes
// nothing. Seeds are asked for as seeds.h says.
#include <gtest/gtest.h>

#include <string>

#include "model/base/log.h"
#include "tests/sim/seeds.h"

namespace icr::sim {
namespace {

std::string live_witnessed(std::uint64_t seed, Totals& totals) {
  World world(Files(seed % 4 == 3, static_cast<NatFlavour>(seed % kNatFlavourCount)), seed);
  world.make_witnessed(seed);
  if (seed % 2 == 0) world.make_hard();
  if (seed % 7 >= 5) world.make_commits(kEditLive);
  world.start(0);
  if (seed % 3 != 0) world.start(1);
  world.run(20s);
  if (world.violations().empty()) world.settle(40s);
  if (world.violations().empty()) world.prove_alive();
  totals.add(world.finish());
  return story(world);
}

TEST(Witnessed, NeverDoTwoMembersActUnderEverySeed) {
  const Seeds seeds = wanted_seeds({first_seed(), all_seeds() / 5});
  const Totals totals = live_through(seeds, live_witnessed);
  const std::uint64_t count = seeds.count;
  if (count < 60) return;
  EXPECT_GT(totals.crashes, count);
  EXPECT_GT(totals.took_over_hot, count / 2);
  EXPECT_GT(totals.keys_given, count);
  EXPECT_GT(totals.fenced, count / 4);
  EXPECT_GT(totals.two_masters, 0U) << "none met, so it was not tested that only one acts";
}

/// With 3 x 20 ms a promise lasts for 56 ms after the heartbeat that it answers. The key is asked for when 20 ms of
/// that are left, so the answer has 36 ms, whenever the standby sends heartbeats of its own.
TEST(Witnessed, WithShortHeartbeatsTheKeyIsGivenBackHoweverTheyStandToEachOther) {
  log::set_level(log::Level::error);
  Cluster cluster = simulated_cluster(false, NatFlavour::ports);
  cluster.redundancy_sets[0].heartbeat_interval = 20ms;
  cluster.redundancy_sets[0].heartbeat_count = 3;
  World world(std::move(cluster), 7);
  const auto run = [&world](Duration time) {
    for (const TimePoint end = world.now() + time; world.now() < end;) world.step(1ms);
  };
  world.make_witnessed(7);
  world.set_traffic(0);
  world.start(0);
  world.start(1);
  run(5s);
  Chassis& master = world.chassis(0);
  ASSERT_TRUE(master.shard().acts(world.now()));
  ASSERT_EQ(world.chassis(1).status().detector.threshold, 60ms);
  bool warned = false;
  for (int i = 0; i < 7; ++i) {
    const std::uint64_t before = master.counter("heartbeats-sent");
    while (master.counter("heartbeats-sent") == before) world.step(1ms);
    run(3ms);
    // A warning is told at once, and the heartbeats after it follow from there: all are 3 ms later than they were.
    warned = !warned;
    master.core().set_warning(warned);
    run(2s);
    EXPECT_EQ(master.key->until(), TimePoint::min()) << i;
    const std::uint64_t wanted = master.counter("witness-keys-wanted");
    run(1s);
    EXPECT_EQ(master.counter("witness-keys-wanted"), wanted) << i;
  }
  EXPECT_EQ(story(world), "");
}

/// A pair that is up, with a hot standby, traffic, and a witness.
class WitnessScenario : public ::testing::Test {
 protected:
  WitnessScenario() : world_(simulated_cluster(false, NatFlavour::ports), 7) {
    log::set_level(log::Level::error);
    world_.make_witnessed(7);
    world_.set_traffic(0);
    world_.start(0);
    world_.start(1);
    run(5s);
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
  [[nodiscard]] bool acts(std::size_t index) { return world_.chassis(index).shard().acts(world_.now()); }
  void TearDown() override {
    if (!world_.violations().empty()) ADD_FAILURE() << story(world_);
  }

  World world_;
};

TEST_F(WitnessScenario, TheMasterActsByThePromiseOfItsPeerAndTheKeyIsFree) {
  ASSERT_TRUE(acts(0));
  EXPECT_EQ(world_.chassis(0).key->until(), TimePoint::min());
}

TEST_F(WitnessScenario, LosingTheWitnessAloneChangesNothing) {
  world_.keys().set_up(world_.now(), false);
  const auto trips = world_.traffic().round_trips();
  run(5s);
  EXPECT_TRUE(acts(0));
  EXPECT_EQ(world_.chassis(0).counter("masters-fenced"), 0U);
  EXPECT_GT(world_.traffic().round_trips(), trips);
  // A planned switchover needs both members, and not the witness.
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
  ASSERT_TRUE(world_.chassis(0).core().request_switchover(world_.now()));
  EXPECT_TRUE(run_until([this] { return acts(1); }, 100ms));
  run(3s);
  EXPECT_TRUE(acts(1));
  EXPECT_EQ(world_.chassis(0).member().role(), Role::standby);
  EXPECT_EQ(world_.traffic().mapping_changes(), 0U);
}

TEST_F(WitnessScenario, ATakeoverWaitsForThePromiseAndTheKeyAndForNoLease) {
  world_.crash(0, true, true);
  const TimePoint died = world_.now();
  ASSERT_TRUE(run_until([this] { return acts(1); }, 2s));
  const Duration floor = world_.chassis(1).core().config().detection_floor();
  EXPECT_LE(world_.now() - died, floor + 10ms) << "the key was free, so there was no lease to wait for";
}

TEST_F(WitnessScenario, WithoutWitnessAndPeerNobodyActs) {
  world_.keys().set_up(world_.now(), false);
  run(100ms);
  world_.crash(0, true, true);
  run(5s);
  EXPECT_FALSE(acts(1));
  EXPECT_EQ(world_.chassis(1).member().role(), Role::claiming);
  world_.keys().set_up(world_.now(), true);
  EXPECT_TRUE(run_until([this] { return acts(1); }, 300ms));
}

TEST_F(WitnessScenario, OfTwoThatAreCutFromEachOtherTheOneThatReachesTheWitnessActs) {
  for (const std::size_t reaches : {std::size_t{1}, std::size_t{0}}) {
    world_.chassis(1 - reaches).key->cut = true;
    world_.split();
    ASSERT_TRUE(run_until([&] { return acts(reaches) && !acts(1 - reaches); }, 3s)) << reaches;
    run(3s);
    EXPECT_TRUE(acts(reaches));
    EXPECT_FALSE(acts(1 - reaches));
    world_.chassis(1 - reaches).key->cut = false;
    world_.heal();
    ASSERT_TRUE(run_until([&] { return world_.chassis(1 - reaches).member().role() == Role::standby; }, 3s));
    EXPECT_FALSE(world_.chassis(1 - reaches).shard().forwards(world_.now())) << "what it has may be out of date";
    ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
    run(3s);
  }
}

TEST_F(WitnessScenario, OfTwoThatAreCutFromEachOtherOneActsIfBothReachTheWitness) {
  world_.split();
  run(5s);
  EXPECT_NE(acts(0), acts(1));
  world_.heal();
  ASSERT_TRUE(run_until([this] { return world_.twins(); }, 5s));
}

}  // namespace
}  // namespace icr::sim
