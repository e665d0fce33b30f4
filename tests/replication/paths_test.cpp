// Two members with two paths to each other, over loopback addresses. The right side is two single links, so that the
// tests decide what comes by which path.
#include "replication/zmq/paths.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>

#include "tests/replication/link_bed.h"

namespace icr::replication::test {
namespace {

using ::testing::ElementsAre;

/// Longer than a busy machine keeps a message.
constexpr PathTiming kPatience{10s, 60s};
/// For a test in which one path is silent.
constexpr PathTiming kSilence{50ms, 60s};

class PathsTest : public LinkTest {
 protected:
  void SetUp() override {
    LinkTest::SetUp();
    cluster_.chassis.resize(2);
    cluster_.redundancy_sets.resize(1);
    cluster_.redundancy_sets[0].id = 1;
    cluster_.redundancy_sets[0].members = {{0, "ms-0/0/0", 1}, {1, "ms-0/0/0", 2}};
    for (std::uint16_t i = 0; i < 2; ++i) {
      auto& chassis = cluster_.chassis[i];
      chassis.stable_id = i + 1U;
      chassis.inter_chassis_address = IpAddress::parse("127.0.0.1").value();
      chassis.alternate_addresses = {IpAddress::parse("127.0.0.2").value()};
      chassis.inter_chassis_port = i == 0 ? left_port_ : right_port_;
    }
    auto left = Paths::open(context(), cluster_, 0, 0, kPatience);
    ASSERT_TRUE(left) << left.error().message;
    paths_ = std::move(*left);
    for (std::size_t i = 0; i < 2; ++i) open_right(i);
  }
  void open_right(std::size_t path) {
    auto link = Link::open(context(), cluster_, 0, 1, path);
    ASSERT_TRUE(link) << link.error().message;
    right_.at(path).link = std::move(*link);
  }
  /// Waits until the condition holds. Meanwhile the right side speaks by the paths that are in `speaking_`.
  template <class Condition>
  bool await(Condition condition) {
    return LinkTest::await({&right_[0], &right_[1]}, [&] {
      for (const std::size_t path : speaking_) (void)right_.at(path).link->send_control(text("hello"));
      while (paths_->drain(log_, 64)) {
      }
      return condition();
    });
  }
  [[nodiscard]] std::vector<PathState> states() const {
    std::vector<PathState> out;
    for (const PathStatus& path : paths_->status()) out.push_back(path.state);
    return out;
  }
  [[nodiscard]] std::size_t active() const {
    const auto paths = paths_->status();
    EXPECT_EQ(std::count_if(paths.begin(), paths.end(), [](const auto& path) { return path.active; }), 1);
    return static_cast<std::size_t>(
        std::find_if(paths.begin(), paths.end(), [](const auto& path) { return path.active; }) - paths.begin());
  }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    CounterList list;
    paths_->append_to(list);
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.name == name; });
    EXPECT_NE(found, list.end()) << name;
    return found == list.end() ? 0 : found->value;
  }
  /// Waits until both paths are up and the first one is active.
  bool both_up() {
    paths_->set_timing({10s, 0s});
    const bool done = await([&] { return states() == std::vector{PathState::up, PathState::up} && active() == 0; });
    paths_->set_timing(kPatience);
    return done;
  }

  Cluster cluster_;
  std::unique_ptr<Paths> paths_;
  Log log_;
  std::array<End, 2> right_;
  std::vector<std::size_t> speaking_ = {0, 1};
};

TEST_F(PathsTest, HeartbeatsLeaveByEachAndTheRestByOne) {
  ASSERT_TRUE(both_up());
  EXPECT_EQ(active(), 0U);
  EXPECT_EQ(log_.connected, 1) << "the peer is connected once, whatever the number of paths";
  EXPECT_TRUE(paths_->send_heartbeat(text("beat")));
  EXPECT_TRUE(await([&] { return right_[0].log.control.size() == 1 && right_[1].log.control.size() == 1; }));
  EXPECT_TRUE(paths_->send_control(text("word")));
  EXPECT_TRUE(await([&] { return paths_->send_data(text("record")); }));
  EXPECT_TRUE(await([&] { return !right_[0].log.data.empty(); }));
  EXPECT_THAT(right_[0].log.control, ElementsAre(text("beat"), text("word")));
  EXPECT_THAT(right_[1].log.control, ElementsAre(text("beat")));
  EXPECT_TRUE(right_[1].log.data.empty());
}

TEST_F(PathsTest, APathByWhichNothingComesIsSilentUntilSomethingComes) {
  ASSERT_TRUE(both_up());
  const std::uint64_t changes = counter("link-active-path-changes");
  speaking_ = {1};
  paths_->set_timing(kSilence);
  ASSERT_TRUE(await([&] { return states() == std::vector{PathState::silent, PathState::up}; }));
  EXPECT_EQ(active(), 1U);
  EXPECT_EQ(log_.disconnected, 0) << "the peer is still heard";
  EXPECT_EQ(counter("link-paths-lost"), 1U);
  EXPECT_EQ(counter("link-active-path-changes"), changes + 1);
  EXPECT_TRUE(await([&] { return paths_->send_data(text("record")); }));
  EXPECT_TRUE(await([&] { return !right_[1].log.data.empty(); }));
  EXPECT_TRUE(right_[0].log.data.empty());
  speaking_ = {0, 1};
  paths_->set_timing(kPatience);
  ASSERT_TRUE(await([&] { return states() == std::vector{PathState::up, PathState::up}; }));
  EXPECT_EQ(active(), 1U) << "it may be lost again soon";
  paths_->set_timing({10s, 50ms});
  EXPECT_TRUE(await([&] { return active() == 0; }));
  EXPECT_EQ(counter("link-active-path-changes"), changes + 2);
}

TEST_F(PathsTest, APeerThatIsSilentByEachPathIsLeftToTheDetector) {
  ASSERT_TRUE(both_up());
  speaking_ = {};
  constexpr Duration kEqual = 500ms;  // the last messages of both paths have come within this time
  paths_->set_timing({kEqual});
  const auto until = std::chrono::steady_clock::now() + 2 * kEqual;
  EXPECT_TRUE(await([&] { return std::chrono::steady_clock::now() > until; }));
  EXPECT_THAT(states(), ElementsAre(PathState::up, PathState::up));
  EXPECT_EQ(log_.disconnected, 0);
}

TEST_F(PathsTest, ThePeerIsDisconnectedWhenNoPathIsLeft) {
  ASSERT_TRUE(both_up());
  right_[0].link.reset();
  speaking_ = {1};
  ASSERT_TRUE(await([&] { return states() == std::vector{PathState::down, PathState::up}; }));
  EXPECT_EQ(active(), 1U);
  EXPECT_EQ(log_.disconnected, 0);
  right_[1].link.reset();
  speaking_ = {};
  ASSERT_TRUE(await([&] { return log_.disconnected == 1; }));
  open_right(1);
  speaking_ = {1};
  ASSERT_TRUE(await([&] { return log_.connected == 2; }));
  EXPECT_THAT(states(), ElementsAre(PathState::down, PathState::up));
}

TEST_F(PathsTest, ThePeerIsDisconnectedAlsoWhenTheOtherPathWasSilentBefore) {
  ASSERT_TRUE(both_up());
  speaking_ = {1};
  paths_->set_timing(kSilence);
  ASSERT_TRUE(await([&] { return states() == std::vector{PathState::silent, PathState::up}; }));
  right_[1].link.reset();
  speaking_ = {};
  EXPECT_TRUE(await([&] { return log_.disconnected == 1; })) << "a connection that is dead unnoticed says nothing";
}

TEST_F(PathsTest, NamesTheirEnds) {
  const auto paths = paths_->status();
  ASSERT_EQ(paths.size(), 2U);
  EXPECT_EQ(paths[1].local.to_string(), "127.0.0.2");
  EXPECT_EQ(paths[1].remote.to_string(), "127.0.0.2");
}

TEST_F(PathsTest, AnAddressThatThisMachineDoesNotHaveIsRefused) {
  cluster_.chassis[0].inter_chassis_port = free_ports();
  cluster_.chassis[0].alternate_addresses = {IpAddress::parse("198.51.100.1").value()};
  const auto refused = Paths::open(context(), cluster_, 0, 0, kSilence);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("198.51.100.1"));
}

}  // namespace
}  // namespace icr::replication::test
