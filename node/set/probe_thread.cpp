#include "node/set/probe_thread.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"

namespace icr::node {
namespace {

/// The thread wakes up so often when it has nothing to do.
constexpr Duration kIdleProbeThread = 1s;
constexpr int kLooksAtAnswers = 4;

}  // namespace

Result<std::unique_ptr<ProbeThread>> ProbeThread::start(Parts parts, std::vector<AddressProbe> probes) {
  const int wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const int news = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::unique_ptr<ProbeThread> out(new ProbeThread(std::move(parts), wake, news));
  if (wake < 0 || news < 0) return fail("addresses cannot be probed: no file descriptor is left");
  out->take(std::move(probes));
  out->thread_ = std::thread([thread = out.get()] { thread->run(); });
  return out;
}

ProbeThread::~ProbeThread() {
  stopping_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  if (wake_ >= 0) (void)!::write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  for (const int descriptor : {wake_, news_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void ProbeThread::take(std::vector<AddressProbe> probes) {
  {
    const MutexLock lock(wanted_mutex_);
    std::swap(wanted_, probes);
    wants_ = true;
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

bool ProbeThread::take_report(std::vector<ProbeTrouble>& out) {
  if (written_ == read_) return false;
  if (!report_mutex_.try_lock()) return false;
  const MutexLock lock(report_mutex_, std::adopt_lock);
  std::uint64_t count = 0;
  (void)!::read(news_, &count, sizeof count);
  out = report_;
  read_ = written_;
  return true;
}

void ProbeThread::append_to(CounterList& out) const {
  out.push_back({"address-probes-sent", sent_});
  out.push_back({"address-probes-answered", answered_});
  out.push_back({"address-probes-deaths", deaths_});
}

// -- The thread --

void ProbeThread::run() {
  probes_ = std::make_unique<AddressProbes>(parts_.seed);
  while (!stopping_.load(std::memory_order_acquire)) {
    // The order matters: what has arrived is read before a request is judged.
    const TimePoint now = monotonic_now();
    take_wanted(now);
    read_answers(now);
    send_due(now);
    report();
    sleep(now);
  }
}

void ProbeThread::take_wanted(TimePoint now) {
  std::vector<AddressProbe> wanted;
  {
    const MutexLock lock(wanted_mutex_);
    if (!std::exchange(wants_, false)) return;
    wanted = wanted_;
  }
  probes_->take(now, wanted);
  std::erase_if(probers_, [&wanted](const auto& each) {
    return std::none_of(wanted.begin(), wanted.end(), [&each](const auto& p) { return p.interface == each.first; });
  });
}

Prober& ProbeThread::prober_of(const std::string& interface) {
  auto& prober = probers_[interface];
  if (!prober) {
    prober = std::make_unique<Prober>(parts_.identifier, Prober::Anywhere{}, interface);
    if (!prober->warning().empty()) log::warn("redundancy", "set={} {}", parts_.set, prober->warning());
  }
  return *prober;
}

void ProbeThread::send_due(TimePoint now) {
  while (const auto request = probes_->next(now)) {
    prober_of(request->interface).send(now, request->address, request->nonce);
  }
  sent_.store(probes_->sent(), std::memory_order_relaxed);
}

void ProbeThread::read_answers(TimePoint now) {
  for (const auto& [interface, prober] : probers_) {
    // take_answers() reads a bounded number of ICMP messages, and answers may wait behind messages of other hosts.
    for (int look = 0; look < kLooksAtAnswers; ++look) {
      for (const std::uint64_t nonce : prober->take_answers(now)) probes_->on_answer(nonce);
    }
  }
  answered_.store(probes_->answered(), std::memory_order_relaxed);
}

void ProbeThread::report() {
  std::vector<ProbeTrouble> troubles = probes_->troubles();
  if (troubles == told_) return;
  for (const ProbeTrouble& each : troubles) {
    if (std::find(told_.begin(), told_.end(), each) != told_.end()) continue;
    deaths_.fetch_add(1, std::memory_order_relaxed);
    log::warn("redundancy", "set={} {}", parts_.set, each.reason);
  }
  for (const ProbeTrouble& each : told_) {
    if (std::find(troubles.begin(), troubles.end(), each) != troubles.end()) continue;
    log::info("redundancy", "set={} no more: {}", parts_.set, each.reason);
  }
  told_ = troubles;
  const MutexLock lock(report_mutex_);
  report_ = std::move(troubles);
  ++written_;
  // Under the lock, or take_report() could come in between and leave the descriptor readable.
  const std::uint64_t one = 1;
  (void)!::write(news_, &one, sizeof one);
}

void ProbeThread::sleep(TimePoint now) {
  std::vector<int> descriptors;
  for (const auto& [interface, prober] : probers_) prober->append_descriptors(now, descriptors);
  std::vector<pollfd> polled{{wake_, POLLIN, 0}};
  for (const int descriptor : descriptors) polled.push_back({descriptor, POLLIN, 0});
  const Duration until_next = std::clamp<Duration>(probes_->next_deadline() - now, Duration::zero(), kIdleProbeThread);
  const auto timeout = static_cast<int>(until_next / 1ms) + 1;
  (void)::poll(polled.data(), polled.size(), timeout);
  std::uint64_t count = 0;
  (void)!::read(wake_, &count, sizeof count);
}

}  // namespace icr::node
