// Which addresses of `probes` count as dead, whatever comes late, twice, or from somebody else.
#include "node/redundancy/address_probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace icr::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

AddressProbe probe(const char* address, std::uint32_t weight = 255, Duration interval = 1s, std::uint32_t count = 3) {
  return {*IpAddress::parse(address), "", interval, count, weight};
}

class AddressProbesTest : public ::testing::Test {
 protected:
  /// Time goes on in steps of 10 ms. Addresses of `alive_` answer at once.
  void run(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end; now_ += 10ms) {
      for (const std::uint64_t each : std::exchange(answers_, {})) probes_.on_answer(each);
      while (const auto request = probes_.next(now_)) {
        ++asked_;
        last_ = request->nonce;
        if (alive_.contains(request->address.to_string())) answers_.push_back(request->nonce);
      }
    }
  }
  [[nodiscard]] std::vector<std::string> dead() const {
    std::vector<std::string> out;
    for (const auto& each : probes_.troubles()) out.push_back(each.reason);
    return out;
  }

  AddressProbes probes_{7};
  TimePoint now_{100s};
  std::set<std::string> alive_{"192.0.2.1", "192.0.2.2"};
  std::vector<std::uint64_t> answers_;
  std::uint64_t last_ = 0;
  int asked_ = 0;
};

TEST_F(AddressProbesTest, AnAddressIsDeadAfterSoManyRequestsAndAliveWithOneAnswer) {
  probes_.take(now_, {probe("192.0.2.1", 100), probe("192.0.2.9", 60), probe("192.0.2.2")});
  run(2990ms);
  EXPECT_THAT(dead(), IsEmpty()) << "two requests are judged";
  run(20ms);
  EXPECT_THAT(probes_.troubles(), ElementsAre(ProbeTrouble{60, "address 192.0.2.9 does not answer"}));
  run(5s);
  EXPECT_THAT(dead(), ElementsAre("address 192.0.2.9 does not answer"));
  alive_.insert("192.0.2.9");
  run(1020ms);
  EXPECT_THAT(dead(), IsEmpty());
  alive_.clear();
  run(4s);
  EXPECT_EQ(dead().size(), 3U);
  EXPECT_EQ(asked_, 3 * 14) << "one request in each interval";
}

TEST_F(AddressProbesTest, ASingleLossIsForgotten) {
  probes_.take(now_, {probe("192.0.2.1", 255, 1s, 2)});
  for (int i = 0; i < 20; ++i) {
    run(1s);
    alive_.clear();
    if (i % 2 != 0) alive_.insert("192.0.2.1");
    EXPECT_THAT(dead(), IsEmpty()) << i;
  }
}

TEST_F(AddressProbesTest, AnAnswerThatIsLateCounts) {
  // Each answer takes one and a half intervals.
  probes_.take(now_, {probe("192.0.2.9", 255, 1s, 2)});
  std::vector<std::pair<TimePoint, std::uint64_t>> on_their_way;
  for (int i = 0; i < 1000; ++i, now_ += 10ms) {
    std::erase_if(on_their_way, [this](const auto& each) {
      if (each.first > now_) return false;
      probes_.on_answer(each.second);
      return true;
    });
    while (const auto request = probes_.next(now_)) on_their_way.emplace_back(now_ + 1500ms, request->nonce);
    EXPECT_THAT(dead(), IsEmpty()) << i;
  }
}

TEST_F(AddressProbesTest, WhatIsNoAnswerToARecentRequestSaysNothing) {
  probes_.take(now_, {probe("192.0.2.9")});
  run(10ms);
  const std::uint64_t old = last_;
  run(6s);
  ASSERT_EQ(dead().size(), 1U);
  for (const std::uint64_t nonce : {std::uint64_t{0}, std::uint64_t{1}, last_ + 1, old}) {
    probes_.on_answer(nonce);
    EXPECT_EQ(dead().size(), 1U) << nonce;
  }
  EXPECT_EQ(probes_.answered(), 0U);
  probes_.on_answer(last_);
  EXPECT_THAT(dead(), IsEmpty());
  // The same answer again, which a network or a stranger repeats, does not prove that the address still lives.
  const std::uint64_t repeated = last_;
  for (int i = 0; i < 4; ++i) {
    run(1s);
    probes_.on_answer(repeated);
  }
  EXPECT_EQ(dead().size(), 1U);
}

TEST_F(AddressProbesTest, APauseOfTheThreadIsNotTheSilenceOfAnAddress) {
  probes_.take(now_, {probe("192.0.2.1", 255, 100ms, 1)});
  run(1s);
  for (int i = 0; i < 20; ++i) {
    now_ += 10s;  // nothing runs; the answer to the last request waits in the socket
    run(10ms);
    EXPECT_THAT(dead(), IsEmpty());
    run(190ms);
    EXPECT_THAT(dead(), IsEmpty());
  }
  EXPECT_LT(asked_, 80) << "what was left out is not made up for";
}

TEST_F(AddressProbesTest, AnotherConfigurationKeepsWhatIsKnown) {
  probes_.take(now_, {probe("192.0.2.1"), probe("192.0.2.9", 255)});
  run(4s);
  ASSERT_EQ(dead().size(), 1U);
  probes_.take(now_, {probe("192.0.2.9", 30, 500ms, 5), probe("192.0.2.2"), probe("192.0.2.8", 255, 500ms, 2)});
  EXPECT_THAT(probes_.troubles(), ElementsAre(ProbeTrouble{30, "address 192.0.2.9 does not answer"}));
  run(1100ms);
  EXPECT_THAT(dead(), ElementsAre("address 192.0.2.9 does not answer", "address 192.0.2.8 does not answer"));
  probes_.take(now_, {});
  EXPECT_THAT(dead(), IsEmpty());
  EXPECT_EQ(probes_.next_deadline(), TimePoint::max());
}

TEST_F(AddressProbesTest, OneAddressByTwoInterfacesIsTwoProbes) {
  AddressProbe one = probe("192.0.2.1", 10);
  AddressProbe other = probe("192.0.2.1", 20);
  one.interface = "outside0";
  other.interface = "outside1";
  probes_.take(now_, {one, other});
  for (int i = 0; i < 500; ++i, now_ += 10ms) {
    while (const auto request = probes_.next(now_)) {
      if (request->interface == "outside0") probes_.on_answer(request->nonce);
    }
  }
  EXPECT_THAT(probes_.troubles(),
              ElementsAre(ProbeTrouble{20, "address 192.0.2.1 does not answer by interface outside1"}));
}

}  // namespace
}  // namespace icr::node
