#include "node/kernel/steering_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "model/base/clock.h"
#include "tests/support/network_namespace.h"

namespace icr::node {
namespace {

using test::output_of;
using test::wait_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

/// What a FakeSteering was asked for, and a kernel's lock that keeps it.
class Kernel {
 public:
  void enter(const std::string& what) {
    std::unique_lock lock(mutex_);
    calls_.push_back(what);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !locked_; });
  }
  void lock(bool locked) {
    const std::lock_guard lock(mutex_);
    locked_ = locked;
    changed_.notify_all();
  }
  [[nodiscard]] std::vector<std::string> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  /// Waits until the last call is this one.
  [[nodiscard]] bool wait_for(const std::string& what) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return !calls_.empty() && calls_.back() == what; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool locked_ = false;
  std::vector<std::string> calls_;
};

class FakeSteering final : public Steering {
 public:
  FakeSteering(Kernel& kernel, std::string refusal) : kernel_(kernel), refusal_(std::move(refusal)) {}
  Result<void> acquire(TimePoint) override {
    kernel_.enter("acquire");
    warning_ = refusal_;
    if (refusal_.empty()) return {};
    return fail("{}", refusal_);
  }
  void release(TimePoint) override {
    kernel_.enter("release");
    warning_.clear();
  }
  void tick(TimePoint, const WorkerSigns&) override {}
  std::optional<TimePoint> next_deadline() const override { return std::nullopt; }
  const std::string& warning() const override { return warning_; }
  void append_to(CounterList&) const override {}

 private:
  Kernel& kernel_;
  const std::string refusal_;
  std::string warning_;
};

std::unique_ptr<SteeringThread> start(Kernel& kernel, const std::string& refusal = {}) {
  auto thread = SteeringThread::start({"rs1", std::make_unique<FakeSteering>(kernel, refusal), nullptr, nullptr, [] {}},
                                      monotonic_now());
  if (!thread) throw std::runtime_error(thread.error().message);
  return std::move(*thread);
}

TEST(SteeringThread, TheWorkerDoesNotWaitForTheKernel) {
  Kernel kernel;
  const auto thread = start(kernel);
  EXPECT_TRUE(thread->released());
  kernel.lock(true);
  thread->acquire();
  ASSERT_TRUE(kernel.wait_for("acquire"));
  EXPECT_FALSE(thread->released());
  // The lock is held by this thread, so each of these would never return if it waited.
  thread->release();
  thread->alive(monotonic_now());
  EXPECT_FALSE(thread->update_warning(monotonic_now()));
  EXPECT_FALSE(thread->released()) << "the addresses may still come";
  EXPECT_FALSE(thread->wait_released(monotonic_now()));
  kernel.lock(false);
  EXPECT_TRUE(thread->wait_released(monotonic_now() + 10s));
  EXPECT_THAT(kernel.calls(), ElementsAre("acquire", "release"));
}

TEST(SteeringThread, CarriesOutTheLastWishOnly) {
  Kernel kernel;
  const auto thread = start(kernel);
  kernel.lock(true);
  thread->acquire();
  ASSERT_TRUE(kernel.wait_for("acquire"));
  thread->release();
  thread->acquire();
  thread->release();
  thread->acquire();
  kernel.lock(false);
  EXPECT_TRUE(wait_until([&] { return kernel.calls().size() == 2; }, 10s));
  EXPECT_FALSE(thread->released());
  thread->stop();
  EXPECT_THAT(kernel.calls(), ElementsAre("acquire", "acquire", "release"));
  EXPECT_TRUE(thread->released());
}

TEST(SteeringThread, TellsWhenTheTrafficWasDrawn) {
  Kernel kernel;
  const auto thread = start(kernel);
  EXPECT_EQ(thread->drawn(), std::nullopt);
  kernel.lock(true);
  const TimePoint asked = monotonic_now();
  thread->acquire();
  ASSERT_TRUE(kernel.wait_for("acquire"));
  EXPECT_EQ(thread->drawn(), std::nullopt) << "the kernel is still at work";
  kernel.lock(false);
  ASSERT_TRUE(wait_until([&] { return thread->drawn().has_value(); }, 10s));
  EXPECT_GE(*thread->drawn(), asked);
  EXPECT_LE(*thread->drawn(), monotonic_now());
  // It is asked for once more: what counts is when that is done.
  const TimePoint first = *thread->drawn();
  thread->acquire();
  ASSERT_TRUE(wait_until([&] { return thread->drawn() && *thread->drawn() > first; }, 10s));
  thread->release();
  EXPECT_EQ(thread->drawn(), std::nullopt);
}

TEST(SteeringThread, WhatTheKernelRefusesIsNotDrawn) {
  Kernel kernel;
  const auto thread = start(kernel, "cannot add virtual address");
  thread->acquire();
  ASSERT_TRUE(wait_until([&] { return thread->update_warning(monotonic_now()); }, 10s));
  EXPECT_EQ(thread->drawn(), std::nullopt);
}

TEST(SteeringThread, AKernelThatDoesNotAnswerIsAWarningUntilItDoes) {
  Kernel kernel;
  const auto thread = start(kernel);
  kernel.lock(true);
  thread->acquire();
  ASSERT_TRUE(kernel.wait_for("acquire"));
  const TimePoint kept = monotonic_now();
  EXPECT_FALSE(thread->update_warning(kept));
  EXPECT_TRUE(thread->update_warning(kept + Steering::kLease + 1ms));
  EXPECT_EQ(thread->warning(), "virtual addresses could not be renewed for more than 3 s");
  EXPECT_FALSE(thread->update_warning(kept + Steering::kLease + 2ms)) << "it is told once";
  kernel.lock(false);
  EXPECT_TRUE(wait_until([&] { return thread->update_warning(monotonic_now()); }, 10s));
  EXPECT_THAT(thread->warning(), IsEmpty());
}

TEST(SteeringThread, ARefusalIsAWarningAndIsCounted) {
  Kernel kernel;
  const auto thread = start(kernel, "cannot add virtual address");
  thread->acquire();
  EXPECT_TRUE(wait_until([&] { return thread->update_warning(monotonic_now()); }, 10s));
  EXPECT_EQ(thread->warning(), "cannot add virtual address");
  CounterList counters;
  thread->append_to(counters);
  EXPECT_EQ(test::counter(counters, "steering-failures"), 1U);
  thread->release();
  EXPECT_TRUE(wait_until([&] { return thread->update_warning(monotonic_now()); }, 10s));
  EXPECT_THAT(thread->warning(), IsEmpty());
}

class SteeringThreadTest : public test::InNewNamespace {
 protected:
  void SetUp() override {
    InNewNamespace::SetUp();
    if (IsSkipped()) return;
    output_of("ip link add va0 type veth peer name va0p && ip link set va0 up && ip link set va0p up");
    auto steering = open_steering(addresses_, monotonic_now());
    if (!steering) throw std::runtime_error(steering.error().message);
    auto thread = SteeringThread::start({"rs1", std::move(*steering), nullptr, nullptr, [] {}}, monotonic_now());
    if (!thread) throw std::runtime_error(thread.error().message);
    thread_ = std::move(*thread);
  }
  static bool held() { return output_of("ip -o addr show dev va0").find("198.18.0.1/24") != std::string::npos; }

  const std::vector<VirtualAddress> addresses_ = {{"va0", IpAddress::parse("198.18.0.1").value(), 24}};
  std::unique_ptr<SteeringThread> thread_;
};

TEST_F(SteeringThreadTest, HoldsTheAddressesWhileTheWorkerLives) {
  thread_->acquire();
  ASSERT_TRUE(wait_until([] { return held(); }, 10s));
  // The worker lives for longer than a lease.
  const TimePoint end = monotonic_now() + Steering::kLease + 1s;
  EXPECT_TRUE(wait_until(
      [&] {
        thread_->alive(monotonic_now());
        return monotonic_now() >= end;
      },
      10s));
  EXPECT_TRUE(held());
  // Then it hangs.
  EXPECT_TRUE(wait_until([] { return !held(); }, 10s)) << "the kernel withdraws the address";
  // Then it goes on.
  EXPECT_TRUE(wait_until(
      [&] {
        thread_->alive(monotonic_now());
        return held();
      },
      10s));
  CounterList counters;
  thread_->append_to(counters);
  EXPECT_EQ(test::counter(counters, "steering-leases-expired"), 1U);
  thread_->release();
  EXPECT_TRUE(wait_until([&] { return thread_->released(); }, 10s));
  EXPECT_FALSE(held());
}

TEST_F(SteeringThreadTest, AnEndReleasesTheAddresses) {
  thread_->acquire();
  ASSERT_TRUE(wait_until([] { return held(); }, 10s));
  thread_.reset();
  EXPECT_FALSE(held());
}

}  // namespace
}  // namespace icr::node
