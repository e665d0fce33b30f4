#include "tests/sim/slow.h"

namespace icr::sim {

bool SlowDisk::claim_term(std::uint64_t term) {
  if (claim_ != term) asked_at_ = now_;
  if (longest_ == Duration()) return direct_.claim_term(term);
  claim_ = term;
  // Most disks are fast, most of the time.
  const Duration most = random_() % 4 == 0 ? longest_ : longest_ / 20;
  due_ = now_ + Duration(static_cast<Duration::rep>(random_() % static_cast<std::uint64_t>(most.count())));
  return true;
}

void SlowDisk::run(TimePoint now) {
  now_ = now;
  if (claim_ == 0 || now < due_) return;
  (void)direct_.claim_term(claim_);
  claim_ = 0;
}

void Witness::ask(TimePoint now, std::uint64_t term) {
  term_ = term;
  word_ = node::ClaimAnswer::granted;
  at_ = now;
  if (!moody) return;
  const std::uint64_t mood = random_() % 16;
  if (mood < 6) return;
  if (mood < 12) {
    at_ = now + 1ms * (random_() % 600);
  } else if (mood < 13) {
    at_ = TimePoint::max();
  } else {
    word_ = node::ClaimAnswer::refused;
    if (mood < 15) at_ = now + 1ms * (random_() % 100);
  }
}

node::ClaimAnswer Witness::answer(TimePoint now) {
  if (!moody) word_ = node::ClaimAnswer::granted;
  if (moody && now < at_) return node::ClaimAnswer::pending;
  if (word_ == node::ClaimAnswer::granted) {
    granted_.insert(term_);
  } else {
    ++refusals_;
  }
  return word_;
}

}  // namespace icr::sim
