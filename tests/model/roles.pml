/* The role and term protocol of a redundancy set, for spin (docs/roles.md).
 *
 * Two members run RoleMachine (node/redundancy/role.cpp). Each transition names the function that it stands for. What is
 * left out, and why that is safe:
 *   - Time. A timer may end at any moment, so each order of events that some clocks could make is covered.
 *   - Cuts. A message may be lost or come late at any moment, and a member may find its peer silent at any moment, so a
 *     cut of one or both directions is one of the covered schedules.
 *   - Refused claims. A refusal has no effect but that the claim goes on, so it is a claim that is not answered yet.
 *   - Priorities. Both members have the same one; the first member then wins, as with any two priorities one does.
 *   - Sessions. A copy is complete or not (`hot`); what is in it is the matter of tests/sim.
 *
 * tests/model/run.py chooses sizes: CRASHES; LOSSES, how often a member finds its peer lost while that lives; REQUESTS of
 * switchovers; ILLNESSES, how often health changes; LATE for heartbeats that others overtake; FORGETS for disks that lose
 * everything; EVER for a memory of all terms; QUIET for progress. FAULT_* plant mistakes that the properties must find.
 */
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 2
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif
#ifndef ILLNESSES
#define ILLNESSES 0
#endif
#define MAX_TERM 14 /* above what the faults above can lead to, which is asserted */

/* Roles (model/record/role.h). A member that claims acts as what it was: `claim` is not 0. */
#define INIT 0
#define STANDBY 1
#define MASTER 2
/* Why mastership is claimed (RoleCause), as far as it decides when the claim is withdrawn. */
#define ALONE 0
#define LOST 1 /* peer_silent, connection_closed, peer_not_master, elected */
#define OFFERED 2
#define MASTER_ILL 3
#define HIGHER 4

/* RoleMachine and what MemberStart gives to it. */
bool alive[2];
byte role[2], highest[2], state[2], former[2], claim[2], cause[2];
byte mterm[2]; /* term_: in which it is master */
bool hot[2];   /* sync_ == Sync::hot; not hot is cold */
bool present[2]; /* peer_present_ */
byte prole[2], pterm[2];
bool phot[2];  /* of peer_ */
bool handing[2]; /* handover_ is not none */
#if ILLNESSES > 0
bool ill[2], pill[2];
byte illnesses;
#define ILL(i) ill[i]
#define PILL(i) pill[i]
#else
#define ILL(i) false
#define PILL(i) false
#endif

/* What is on disk: remember_term() and claim_term() of storage::CheckpointOutput. */
byte dterm[2], dclaim[2];

/* PeerBoots. */
byte boot[2], pboot[2], retired[2]; /* retired: a bit for each boot */

/* Messages on their way to member i: the newest heartbeat, and, with LATE, one that others have overtaken. `fresh`: its
 * number is above every number of that boot that member i has taken in its present life. */
typedef Beat {
  bool valid, fresh, hot;
  byte boot, role, term, state;
#if ILLNESSES > 0
  bool ill;
#endif
#ifdef WITNESS
  bool relies, promises, old;
#endif
};
Beat new[2];
#ifdef LATE
Beat old[2];
#endif
byte copy[2];  /* the term of a complete copy (StreamBegin to BulkEnd) on its way to member i, 0: none */
byte offer[2]; /* the term that Handover on its way to member i offers, 0: none */

#ifdef WITNESS
/* The right to act (docs/witness.md). A master acts while it has the promise of its peer, or the key at the witness. */
bool offered[2];     /* Handover::offered: it has stopped to act */
byte gave[2];        /* it has promised not to act: 1, and the peer can free it of that; 2, and only time can */
bool right_p[2];     /* the peer's promise has not ended, by the clock of member i */
bool right_k[2];     /* its lease at the witness has not ended, by the clock of member i */
bool hears_reliance[2], hears_old[2]; /* the newest heartbeat heard: its sender relies; it has stopped since to do so */
bool answer[2];      /* an answer of the witness is on its way to member i: it has the key */
byte key;            /* at the witness: 0 free, 1 and 2: of member 0 and 1; 3: given back, which the witness has yet to hear */
bool relied;
#define OFFERED_OUT(i) offered[i]
#define RELIES(i) (alive[i] && ((role[i] == MASTER && !offered[i]) || claim[i] != 0))
#define WILLING(i) (alive[i] && !RELIES(i))
#define HAS_RIGHT(i) (gave[i] == 0 && (right_p[i] || right_k[i]))
#define ACTS(i) (alive[i] && role[i] == MASTER && !offered[i] && HAS_RIGHT(i))
#else
#define HAS_RIGHT(i) true
#define ACTS(i) (alive[i] && role[i] == MASTER)
#endif

/* Faults that have happened, and what the properties need. */
byte crashes, losses, requests;
byte acted[2]; /* the highest term in which the chassis was ever master */
#ifdef EVER
byte owner[MAX_TERM + 1]; /* a bit for each chassis that was ever master in the term */
#endif
bool quiet;
byte turn, patience[2];
/* What one step uses. All are 0 between steps, so that they do not make more states. */
byte m_role, m_term, m_state, m_boot, m_hot, m_ill, m_taken, m_fresh, m_other, m_relies, m_promises, m_old, known, t;

#define FOLLOWS(i) (role[i] == STANDBY && present[i] && prole[i] == MASTER && pterm[i] >= highest[i])

/* RoleMachine::end_handover */
#ifdef WITNESS
#define END_HANDOVER(i)  \
  handing[i] = false;    \
  offered[i] = false
#else
#define END_HANDOVER(i) handing[i] = false
#endif

/* RoleMachine::next_own_term */
inline next_own_term(i) {
  t = highest[i];
  if
  :: former[i] > t -> t = former[i]
  :: else
  fi;
  t = t + 1;
#ifndef FAULT_TERMS_WITHOUT_PARITY
  if
  :: t % 2 != i -> t = t + 1
  :: else
  fi
#endif
}

/* RoleMachine::seek_mastership, and StoreClaimant::ask: the disk has the claimed term soon. An answer that is there at once
 * is one that comes next (grant). */
inline seek(i, why) {
  next_own_term(i);
  assert(t <= MAX_TERM);
#ifdef FAULT_CLAIM_NOT_REPLACED
  t = (claim[i] != 0 -> claim[i] : t);
#endif
  claim[i] = t;
  cause[i] = why;
  dclaim[i] = (t > dclaim[i] -> t : dclaim[i])
}

inline withdraw(i) {
  claim[i] = 0;
  cause[i] = 0
}

/* RoleMachine::become_master */
inline become_master(i) {
  END_HANDOVER(i);
  /* A master's term grows, and is above each term that it has heard of. */
  t = claim[i];
  assert(t > highest[i] && t > mterm[i] && t > former[i]);
  withdraw(i);
  role[i] = MASTER;
  hot[i] = false;
  mterm[i] = t;
  highest[i] = t;
  state[i] = t;
  dterm[i] = t;
  /* No two masters in a term. */
  assert(!(role[1 - i] == MASTER && mterm[1 - i] == t));
#ifdef EVER
  /* Not even at different times. */
  assert((owner[t] & (1 << (1 - i))) == 0);
  owner[t] = owner[t] | (1 << i);
#endif
#ifndef FORGETS
  /* A disk that keeps what it took keeps each life of a chassis out of the terms of the former ones. */
  assert(t > acted[i]);
#endif
  acted[i] = (t > acted[i] -> t : acted[i])
}

/* RoleMachine::follow */
inline follow(i) {
  END_HANDOVER(i);
  withdraw(i);
  role[i] = STANDBY;
  mterm[i] = 0;
  hot[i] = false
}

/* RoleMachine::outranks_peer and elect. m_...: the report of the peer. */
inline elect(i) {
  if
  :: (role[i] == STANDBY && hot[i]) != (m_role == STANDBY && m_hot) -> m_taken = (role[i] == STANDBY && hot[i])
  :: else ->
    if
    :: state[i] != m_state -> m_taken = (state[i] > m_state)
    :: else ->
      if
      :: ILL(i) != m_ill -> m_taken = !ILL(i)
      :: else ->
        if
        :: state[i] != 0 -> m_taken = (state[i] % 2 == i)
        :: else -> m_taken = (i == 0)
        fi
      fi
    fi
  fi;
#ifdef FAULT_NOBODY_ELECTED
  m_taken = (m_taken && state[i] != m_state);
#endif
  if
  :: m_taken -> seek(i, LOST)
  :: else ->
    if
    :: role[i] == INIT -> follow(i)
    :: else -> withdraw(i)
    fi
  fi
}

/* RoleMachine::begin_handover, and Sender::drained: that everything is acknowledged takes time, not more. */
inline begin_handover(i) {
  if
  :: !handing[i] && present[i] && prole[i] == STANDBY && phot[i] && !PILL(i) -> handing[i] = true; patience[i] = 0
  :: else
  fi
}

/* RoleMachine::claim_from_ill, after ill_grace or not yet. */
inline claim_from_ill(i) {
  if
  :: ILL(i) || !hot[i] || !FOLLOWS(i) || !PILL(i) ->
    if
    :: claim[i] != 0 && cause[i] == MASTER_ILL -> withdraw(i)
    :: else
    fi
  :: else ->
    if
    :: claim[i] == 0 -> seek(i, MASTER_ILL)
    :: true
    fi
  fi
}

/* RoleMachine::give_up_if_ill */
inline give_up_if_ill(i) {
  if
  :: ILL(i) -> begin_handover(i)
  :: else
  fi
}

/* RoleMachine::on_peer */
inline on_peer(i) {
  known = highest[i];
  prole[i] = m_role;
  pterm[i] = m_term;
  phot[i] = m_hot;
#if ILLNESSES > 0
  pill[i] = m_ill;
#endif
  present[i] = true;
#ifndef FAULT_TERM_NOT_HEARD
  highest[i] = (m_term > known -> m_term : known);
#endif
  if
  :: role[i] == INIT ->
    if
    :: m_role == MASTER -> follow(i)
    :: m_role != MASTER && !m_hot -> elect(i)
    :: else -> withdraw(i)
    fi
  :: role[i] == STANDBY ->
    if
#ifdef FAULT_STANDBY_WAITS
    :: m_role != MASTER -> withdraw(i)
#else
    :: m_role != MASTER -> elect(i)
#endif
    :: else ->
      if
      :: claim[i] != 0 && cause[i] == LOST -> withdraw(i)
      :: else
      fi;
      if
      :: m_term >= highest[i] && m_term > known -> follow(i)
      :: else
      fi
    fi;
    claim_from_ill(i)
  :: role[i] == MASTER ->
    if
    :: m_role == MASTER ->
#ifndef FAULT_MASTER_DOES_NOT_YIELD
      if
      :: m_term > mterm[i] -> follow(i)
      :: else
      fi
#else
      skip
#endif
#ifndef FAULT_HIGHER_TERM_IGNORED
    :: m_role != MASTER && m_term > mterm[i] -> seek(i, HIGHER)
#endif
    :: else ->
      if
      :: handing[i] && m_ill -> END_HANDOVER(i)
      :: else
      fi
    fi;
    if
    :: role[i] == MASTER -> give_up_if_ill(i)
    :: else
    fi
  fi
}

#ifdef WITNESS
/* ActingRight::on_heard */
inline on_right(i) {
  /* Another process cannot free this member of what it promised to the former one. */
#ifndef FAULT_FREED_BY_ANOTHER_PROCESS
  if
  :: m_other && gave[i] == 1 -> gave[i] = 2
  :: else
  fi;
#endif
  hears_reliance[i] = m_relies;
  hears_old[i] = m_old;
  if
  :: !m_relies && gave[i] == 1 -> gave[i] = 0
#ifdef FAULT_START_FORGOTTEN_AT_A_WORD
  :: !m_relies && gave[i] == 2 -> gave[i] = 0
#endif
  :: else
  fi;
  if
  :: m_promises && RELIES(i) -> right_p[i] = true
  :: else
  fi
}
#endif

/* RedundancyMember::accept_boot and PeerBoots: to which process of the peer member i listens, and in which order. */
inline take(i) {
  m_taken = true;
  m_other = (m_boot != pboot[i]);
  if
  :: m_boot == pboot[i] -> m_taken = m_fresh /* in_order */
  :: else ->
    if
    :: (retired[i] & (1 << m_boot)) != 0 && (present[i] || !m_fresh) -> m_taken = false
    :: else ->
      retired[i] = retired[i] & ~(1 << m_boot);
      retired[i] = (pboot[i] != 0 -> retired[i] | (1 << pboot[i]) : retired[i]);
      pboot[i] = m_boot
    fi
  fi;
  if
  :: m_taken ->
#ifdef WITNESS
    on_right(i);
#endif
    on_peer(i)
  :: else
  fi
}

#define READ(slot)         \
  m_role = slot.role;      \
  m_term = slot.term;      \
  m_state = slot.state;    \
  m_boot = slot.boot;      \
  m_hot = slot.hot;        \
  m_fresh = slot.fresh
#if ILLNESSES > 0
#define READ_ILL(slot) m_ill = slot.ill
#else
#define READ_ILL(slot) m_ill = false
#endif
#ifdef WITNESS
#define READ_RIGHT(slot)    \
  m_relies = slot.relies;   \
  m_promises = slot.promises; \
  m_old = slot.old
#define CLEAR_RIGHT(slot) \
  slot.relies = false;    \
  slot.promises = false;  \
  slot.old = false
#else
#define READ_RIGHT(slot) skip
#define CLEAR_RIGHT(slot) skip
#endif
#define CLEAR(slot)    \
  slot.valid = false;  \
  slot.fresh = false;  \
  slot.hot = false;    \
  slot.boot = 0;       \
  slot.role = 0;       \
  slot.term = 0;       \
  slot.state = 0
#if ILLNESSES > 0
#define CLEAR_ILL(slot) slot.ill = false
#else
#define CLEAR_ILL(slot) skip
#endif

/* RedundancyMember::on_heartbeat with the newest message. What it has overtaken is refused from now on. */
inline receive_new(i) {
  READ(new[i]);
  READ_ILL(new[i]);
  READ_RIGHT(new[i]);
  CLEAR(new[i]);
  CLEAR_ILL(new[i]);
  CLEAR_RIGHT(new[i]);
#ifdef LATE
  if
  :: old[i].valid && old[i].boot == m_boot -> old[i].fresh = false
  :: else
  fi;
#endif
  take(i)
}

#ifdef LATE
/* The late one: once, or also a second time. */
inline receive_old(i) {
  READ(old[i]);
  READ_ILL(old[i]);
  READ_RIGHT(old[i]);
  old[i].fresh = false;
  if
  :: CLEAR(old[i]); CLEAR_ILL(old[i]); CLEAR_RIGHT(old[i])
  :: quiet == false
  fi;
  take(i)
}
#endif

/* RedundancyMember::send_heartbeat to member j, over the one before it, which is lost or becomes late. */
inline send(i, j) {
#ifdef LATE
  if
  :: new[j].valid && !quiet ->
    old[j].valid = true;
    old[j].fresh = new[j].fresh;
    old[j].hot = new[j].hot;
    old[j].boot = new[j].boot;
    old[j].role = new[j].role;
    old[j].term = new[j].term;
    old[j].state = new[j].state;
#if ILLNESSES > 0
    old[j].ill = new[j].ill;
#endif
#ifdef WITNESS
    old[j].relies = new[j].relies;
    old[j].promises = new[j].promises;
    old[j].old = new[j].old;
#endif
    skip
  :: true
  fi;
#endif
  new[j].valid = true;
  new[j].fresh = true;
  new[j].hot = hot[i];
  new[j].boot = boot[i];
  new[j].role = role[i];
  new[j].term = (role[i] == MASTER -> mterm[i] : highest[i]);
  new[j].state = state[i]
#if ILLNESSES > 0
  ;
  new[j].ill = ill[i]
#endif
#ifdef WITNESS
  ;
  /* ActingRight::on_send. The promise counts from when the peer sent the heartbeat that it answers, and here from when that
   * was heard, which is later. */
  new[j].relies = RELIES(i);
  new[j].old = false;
  new[j].promises = (WILLING(i) && hears_reliance[i] && !hears_old[i]);
#ifdef FAULT_MASTER_PROMISES
  new[j].promises = (hears_reliance[i] && !hears_old[i]);
#endif
  gave[i] = ((WILLING(i) && hears_reliance[i] && gave[i] == 0) -> 1 : gave[i])
#endif
}
#ifdef WITNESS
#define SAYS_OTHER_RIGHT(i, j) \
  (new[j].relies != RELIES(i) || new[j].promises != (WILLING(i) && hears_reliance[i] && !hears_old[i]))
#else
#define SAYS_OTHER_RIGHT(i, j) false
#endif
#define SAYS_SOMETHING_NEW(i, j)                                                               \
  (!new[j].valid || new[j].boot != boot[i] || new[j].role != role[i] || new[j].hot != hot[i] || \
   new[j].state != state[i] || new[j].term != (role[i] == MASTER -> mterm[i] : highest[i]) || \
   SAYS_OTHER_RIGHT(i, j))

/* RoleMachine::on_sync, when the copy is complete. */
inline receive_copy(i) {
  if
  :: FOLLOWS(i) && copy[i] == highest[i] && !hot[i] ->
    hot[i] = true;
    if
    :: pterm[i] > state[i] ->
      state[i] = pterm[i];
      dterm[i] = state[i]
    :: else
    fi
  :: else
  fi;
  copy[i] = 0
}

/* RoleMachine::on_offer */
inline receive_offer(i) {
  if
  :: !ILL(i) && role[i] == STANDBY && hot[i] && offer[i] == highest[i] && prole[i] == MASTER -> seek(i, OFFERED)
  :: else
  fi;
  offer[i] = 0
}

/* RoleMachine::on_peer_lost */
inline peer_lost(i, silent) {
  present[i] = (!silent && !hot[i]);
  if
  :: role[i] == STANDBY && (silent || hot[i]) -> seek(i, LOST)
  :: else
  fi
}

/* The process ends. */
inline crash(i) {
  alive[i] = false;
  role[i] = INIT;
  highest[i] = 0;
  state[i] = 0;
  former[i] = 0;
  withdraw(i);
  mterm[i] = 0;
  hot[i] = false;
  present[i] = false;
  prole[i] = 0;
  pterm[i] = 0;
  phot[i] = false;
  END_HANDOVER(i);
  patience[i] = 0;
  pboot[i] = 0;
  retired[i] = 0;
#if ILLNESSES > 0
  ill[i] = false;
  pill[i] = false;
#endif
  copy[i] = 0;
  offer[i] = 0;
#ifdef WITNESS
  offered[i] = false;
  hears_reliance[i] = false;
  hears_old[i] = false;
  gave[i] = (gave[i] != 0 -> 2 : 0);
#endif
  new[i].fresh = new[i].valid;
#ifdef LATE
  old[i].fresh = old[i].valid
#endif
}

/* RoleMachine's constructor, with what storage::restore found: all of it; the terms, but not all of the state; the claims
 * only, because persist_term() waits for nothing; or, with FORGETS, nothing (a new disk, or one whose last writes were
 * lost). */
inline restart(i) {
  alive[i] = true;
  boot[i] = boot[i] + 1;
#ifdef WITNESS
  /* What a former life promised is not known, so the new one waits as long as any promise lasts. */
#ifdef FAULT_PROMISE_FORGOTTEN
  gave[i] = 0;
#else
  gave[i] = 2;
#endif
#endif
  if
  :: highest[i] = dterm[i];
     state[i] = dterm[i];
     former[i] = dclaim[i]
#ifndef WHOLE
  :: highest[i] = dterm[i];
     former[i] = dclaim[i]
  :: dterm[i] = 0;
#ifndef FAULT_CLAIM_NOT_KEPT
     former[i] = dclaim[i]
#endif
#endif
#ifdef FORGETS
  :: dterm[i] = 0;
     dclaim[i] = 0
#endif
  fi
}

#ifdef WITNESS
/* The time of a promise of member i is over by its own clock. By the clock of the peer it was over before, because that
 * counts from when it sent what the promise answers; and a promise that is still on its way is too old. */
inline promise_ends(i, j) {
#ifndef FAULT_PROMISE_COUNTED_FROM_ITS_ARRIVAL
  right_p[j] = false;
  new[j].promises = false;
#ifdef LATE
  old[j].promises = false;
#endif
#endif
  gave[i] = 0
}

/* The lease ends at the witness. By the clock of the member it was over before, because that counts from when it sent the
 * request, and lasts shorter; and an answer that is still on its way is too old. */
inline lease_ends(i) {
#ifndef FAULT_LEASE_OUTLIVED
  right_k[i] = false;
  answer[i] = false;
#endif
  key = 0
}

/* The member gives its lease back. It acts by it no more from before it says so, and asks with another lease from now on. */
inline give_back(i) {
#ifndef FAULT_KEY_USED_AFTER_GIVEN_BACK
  right_k[i] = false;
#endif
  answer[i] = false;
  key = (key == i + 1 -> 3 : key)
}

/* ActingRight::set_reliance: the member relies on nothing that answers what it has sent until now. */
inline stop_relying(i, j) {
  right_p[i] = false;
  right_k[i] = false;
  answer[i] = false;
  key = (key == i + 1 -> 3 : key);
#ifndef FAULT_OLD_PROMISES_COUNT
  new[i].promises = false;
  hears_old[j] = hears_reliance[j];
  new[j].old = new[j].relies;
#ifdef LATE
  old[i].promises = false;
  old[j].old = old[j].relies
#else
  skip
#endif
#endif
}

#define BEGIN_STEP(i) relied = RELIES(i)
#define END_STEP(i, j)                          \
  if                                            \
  :: relied && !RELIES(i) -> stop_relying(i, j) \
  :: else                                       \
  fi;                                           \
  relied = false;                               \
  assert(!(ACTS(0) && ACTS(1)))
#else
#define BEGIN_STEP(i) skip
#define END_STEP(i, j) skip
#endif

inline forget() {
  m_other = 0;
  m_relies = 0;
  m_promises = 0;
  m_old = 0;
  m_role = 0;
  m_term = 0;
  m_state = 0;
  m_boot = 0;
  m_hot = 0;
  m_ill = 0;
  m_taken = 0;
  m_fresh = 0;
  known = 0;
  t = 0
}

#define ONE_MASTER(i, j)                                                                                             \
  (alive[i] && alive[j] && role[i] == MASTER && role[j] == STANDBY && hot[j] && FOLLOWS(j) && highest[j] == mterm[i] && \
   claim[i] == 0 && claim[j] == 0 && !handing[i] && ACTS(i))
#define GOOD (ONE_MASTER(0, 1) || ONE_MASTER(1, 0))

/* Anything that may happen to member i, whose peer is j. */
inline step(i, j) {
  if
  :: !alive[i] -> restart(i)
  :: alive[i] && crashes < CRASHES ->
    crashes = crashes + 1;
    crash(i)
  :: alive[i] && new[i].valid -> receive_new(i)
#ifdef LATE
  :: alive[i] && old[i].valid -> receive_old(i)
#endif
  :: alive[i] && copy[i] != 0 -> receive_copy(i)
  :: alive[i] && offer[i] != 0 -> receive_offer(i)
  :: alive[i] && SAYS_SOMETHING_NEW(i, j) -> send(i, j)
  /* Sender: StreamBegin to BulkEnd, while the standby is heard (RedundancyMember::may_send). */
  :: alive[i] && role[i] == MASTER && present[i] && copy[j] != mterm[i] -> copy[j] = mterm[i]
  /* RedundancyMember::check_liveness; a dead peer costs nothing of the number of LOSSES. */
  :: alive[i] && present[i] && (losses < LOSSES || !alive[j]) ->
    losses = (alive[j] -> losses + 1 : losses);
    if
    :: peer_lost(i, true)
    :: peer_lost(i, false)
    fi
  /* RoleMachine::tick: the hold time is over. */
  :: alive[i] && role[i] == INIT && !present[i] && claim[i] == 0 -> seek(i, ALONE)
  /* RoleMachine::on_claim: all claimants have granted. With a witness, ActingRight is one of them. */
#ifdef FAULT_WITNESS_NOT_ASKED
  :: alive[i] && claim[i] != 0 -> become_master(i); right_k[i] = true; gave[i] = 0
#else
  :: alive[i] && claim[i] != 0 && HAS_RIGHT(i) -> become_master(i)
#endif
  /* RoleMachine::review_claim: the offer is not repeated any more. */
  :: alive[i] && claim[i] != 0 && cause[i] == OFFERED -> withdraw(i)
  /* RoleMachine::request_switchover, or a heartbeat that asks for it. */
  :: alive[i] && role[i] == MASTER && requests < REQUESTS ->
    requests = requests + 1;
    begin_handover(i)
  /* RoleMachine::take_offer and RedundancyMember::send_offer */
#ifdef WITNESS
  :: alive[i] && role[i] == MASTER && handing[i] && !offered[i] -> offered[i] = true /* everything is acknowledged */
  :: alive[i] && role[i] == MASTER && offered[i] && offer[j] != mterm[i] -> offer[j] = mterm[i]
#else
  :: alive[i] && role[i] == MASTER && handing[i] && offer[j] != mterm[i] -> offer[j] = mterm[i]
#endif
  /* RoleMachine::tick: handover_until_ is over, or the peer is lost. */
  :: alive[i] && role[i] == MASTER && handing[i] -> END_HANDOVER(i)
#if ILLNESSES > 0
  /* RoleMachine::on_condition */
  :: alive[i] && illnesses < ILLNESSES ->
    illnesses = illnesses + 1;
    ill[i] = !ill[i];
    if
    :: ill[i] && claim[i] != 0 && cause[i] == OFFERED -> withdraw(i)
    :: else
    fi;
    if
    :: role[i] == MASTER -> give_up_if_ill(i)
    :: role[i] == STANDBY -> claim_from_ill(i)
    :: else
    fi
#endif
#ifdef WITNESS
  /* The clock of member i: the promise of its peer, or its lease, ends. */
  :: right_p[i] -> right_p[i] = false
  :: right_k[i] -> right_k[i] = false
  :: gave[i] != 0 -> promise_ends(i, j)
  /* Witness: the request of member i is carried out there. */
  :: RELIES(i) && key == 0 -> key = i + 1; answer[i] = true
#ifdef FAULT_KEY_TAKEN_FROM_ITS_HOLDER
  :: RELIES(i) && key == j + 1 -> key = i + 1; answer[i] = true
#endif
  :: RELIES(i) && key == i + 1 && !answer[i] -> answer[i] = true /* renewed */
#ifdef FAULT_LEASE_RENEWED_BY_THE_OTHER
  :: RELIES(i) && key == j + 1 && !answer[i] -> answer[i] = true
#endif
  :: answer[i] -> right_k[i] = true; answer[i] = false
  :: ACTS(i) && right_p[i] && key == i + 1 -> give_back(i)
  :: key == i + 1 -> lease_ends(i)
  :: key == 3 -> key = 0
#endif
  /* A message is lost. */
  :: new[i].valid -> CLEAR(new[i]); CLEAR_ILL(new[i]); CLEAR_RIGHT(new[i])
  :: else
  fi
}

#ifdef WITNESS
/* Time passes, and the witness answers at once; or, with AWAY, never. */
inline quiet_right(i, j) {
  if
  :: gave[i] == 2 || (gave[i] == 1 && !WILLING(i)) -> promise_ends(i, j)
  :: else
  fi;
#ifdef AWAY
  right_k[i] = false;
  answer[i] = false;
#else
  if
  :: key == 3 -> key = 0
  :: else
  fi;
  if
  :: RELIES(i) && !right_p[i] && (key == 0 || key == i + 1) -> key = i + 1; right_k[i] = true
  :: ACTS(i) && right_p[i] && key == i + 1 -> give_back(i)
  :: else
  fi
#endif
}
#endif

/* One round of SetCore::round of member i while all is connected and nothing fails: what has arrived, timers, claims, and
 * what is sent. */
inline quiet_round(i, j) {
  if
  :: !alive[i] -> restart(i)
  :: else
  fi;
  if
  :: new[i].valid -> receive_new(i)
  :: else
  fi;
#ifdef LATE
  if
  :: old[i].valid -> receive_old(i)
  :: else
  fi;
#endif
  if
  :: copy[i] != 0 -> receive_copy(i)
  :: else
  fi;
  if
  :: offer[i] != 0 -> receive_offer(i)
  :: offer[i] == 0 && claim[i] != 0 && cause[i] == OFFERED -> withdraw(i) /* the offer is not repeated any more */
  :: else
  fi;
  if
  :: role[i] == INIT && !present[i] && claim[i] == 0 -> seek(i, ALONE)
  :: role[i] == INIT /* the hold time is not over */
  :: role[i] == MASTER && handing[i] ->
    /* An offer is repeated 40 times before it is called off; a few are enough here. */
    patience[i] = patience[i] + 1;
    if
    :: patience[i] > 6 -> END_HANDOVER(i)
    :: else ->
#ifdef WITNESS
      offered[i] = true;
#endif
      offer[j] = mterm[i]
    fi
  :: else
  fi;
  if
  :: claim[i] != 0 && HAS_RIGHT(i) -> become_master(i)
  :: else
  fi;
#ifdef WITNESS
  quiet_right(i, j);
#endif
  send(i, j);
  if
  :: role[i] == MASTER && present[i] && !phot[i] -> copy[j] = mterm[i]
  :: else
  fi
}

init {
  d_step {
    alive[0] = true;
    alive[1] = true;
    boot[0] = 1;
    boot[1] = 1
  };
  do
  :: atomic { !quiet -> BEGIN_STEP(0); step(0, 1); END_STEP(0, 1); forget() }
  :: atomic { !quiet -> BEGIN_STEP(1); step(1, 0); END_STEP(1, 0); forget() }
#ifdef QUIET
  :: atomic { !quiet -> quiet = true; turn = 0; patience[0] = 0; patience[1] = 0 }
  :: atomic { quiet && turn == 0 -> BEGIN_STEP(0); quiet_round(0, 1); END_STEP(0, 1); turn = 1; forget() }
  :: atomic { quiet && turn == 1 -> BEGIN_STEP(1); quiet_round(1, 0); END_STEP(1, 0); turn = 0; forget() }
#endif
  od
}

#ifdef QUIET
/* Progress: when all is connected and quiet for ever, there is at last one master with one hot standby, for ever. */
ltl progress { [] (quiet -> <> [] GOOD) }
#endif
