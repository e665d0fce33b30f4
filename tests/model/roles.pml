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
};
Beat new[2];
#ifdef LATE
Beat old[2];
#endif
byte copy[2];  /* the term of a complete copy (StreamBegin to BulkEnd) on its way to member i, 0: none */
byte offer[2]; /* the term that Handover on its way to member i offers, 0: none */

/* Faults that have happened, and what the properties need. */
byte crashes, losses, requests;
byte acted[2]; /* the highest term in which the chassis was ever master */
#ifdef EVER
byte owner[MAX_TERM + 1]; /* a bit for each chassis that was ever master in the term */
#endif
bool quiet;
byte turn, patience[2];
/* What one step uses. All are 0 between steps, so that they do not make more states. */
byte m_role, m_term, m_state, m_boot, m_hot, m_ill, m_taken, m_fresh, known, t;

#define FOLLOWS(i) (role[i] == STANDBY && present[i] && prole[i] == MASTER && pterm[i] >= highest[i])

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
  handing[i] = false;
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
  handing[i] = false;
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
      :: handing[i] && m_ill -> handing[i] = false
      :: else
      fi
    fi;
    if
    :: role[i] == MASTER -> give_up_if_ill(i)
    :: else
    fi
  fi
}

/* RedundancyMember::accept_boot and PeerBoots: to which process of the peer member i listens, and in which order. */
inline take(i) {
  m_taken = true;
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
  :: m_taken -> on_peer(i)
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
  CLEAR(new[i]);
  CLEAR_ILL(new[i]);
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
  old[i].fresh = false;
  if
  :: CLEAR(old[i]); CLEAR_ILL(old[i])
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
    old[j].ill = new[j].ill
#endif
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
}
#define SAYS_SOMETHING_NEW(i, j)                                                               \
  (!new[j].valid || new[j].boot != boot[i] || new[j].role != role[i] || new[j].hot != hot[i] || \
   new[j].state != state[i] || new[j].term != (role[i] == MASTER -> mterm[i] : highest[i]))

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
  handing[i] = false;
  patience[i] = 0;
  pboot[i] = 0;
  retired[i] = 0;
#if ILLNESSES > 0
  ill[i] = false;
  pill[i] = false;
#endif
  copy[i] = 0;
  offer[i] = 0;
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
  if
  :: highest[i] = dterm[i];
     state[i] = dterm[i];
     former[i] = dclaim[i]
  :: highest[i] = dterm[i];
     former[i] = dclaim[i]
  :: dterm[i] = 0;
#ifndef FAULT_CLAIM_NOT_KEPT
     former[i] = dclaim[i]
#endif
#ifdef FORGETS
  :: dterm[i] = 0;
     dclaim[i] = 0
#endif
  fi
}

inline forget() {
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
   claim[i] == 0 && claim[j] == 0 && !handing[i])
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
  /* RoleMachine::on_claim: all claimants have granted. */
  :: alive[i] && claim[i] != 0 -> become_master(i)
  /* RoleMachine::review_claim: the offer is not repeated any more. */
  :: alive[i] && claim[i] != 0 && cause[i] == OFFERED -> withdraw(i)
  /* RoleMachine::request_switchover, or a heartbeat that asks for it. */
  :: alive[i] && role[i] == MASTER && requests < REQUESTS ->
    requests = requests + 1;
    begin_handover(i)
  /* RoleMachine::take_offer and RedundancyMember::send_offer */
  :: alive[i] && role[i] == MASTER && handing[i] && offer[j] != mterm[i] -> offer[j] = mterm[i]
  /* RoleMachine::tick: handover_until_ is over, or the peer is lost. */
  :: alive[i] && role[i] == MASTER && handing[i] -> handing[i] = false
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
  /* A message is lost. */
  :: new[i].valid -> CLEAR(new[i]); CLEAR_ILL(new[i])
  :: else
  fi
}

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
  :: else
  fi;
  if
  :: role[i] == INIT && !present[i] && claim[i] == 0 -> seek(i, ALONE)
  :: role[i] == INIT /* the hold time is not over */
  :: role[i] == MASTER && handing[i] ->
    /* An offer is repeated 40 times before it is called off; a few are enough here. */
    patience[i] = patience[i] + 1;
    if
    :: patience[i] > 3 -> handing[i] = false
    :: else -> offer[j] = mterm[i]
    fi
  :: else
  fi;
  if
  :: claim[i] != 0 && cause[i] == OFFERED && offer[i] == 0 && !FOLLOWS(i) -> withdraw(i)
  :: claim[i] != 0 && !(cause[i] == OFFERED && !FOLLOWS(i)) -> become_master(i)
  :: else
  fi;
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
  :: atomic { !quiet -> step(0, 1); forget() }
  :: atomic { !quiet -> step(1, 0); forget() }
#ifdef QUIET
  :: atomic { !quiet -> quiet = true; turn = 0; patience[0] = 0; patience[1] = 0 }
  :: atomic { quiet && turn == 0 -> quiet_round(0, 1); turn = 1; forget() }
  :: atomic { quiet && turn == 1 -> quiet_round(1, 0); turn = 0; forget() }
#endif
  od
}

#ifdef QUIET
/* Progress: when all is connected and quiet for ever, there is at last one master with one hot standby, for ever. */
ltl progress { [] (quiet -> <> [] GOOD) }
#endif
