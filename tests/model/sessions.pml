/* Sessions, small and whole: the checks of the store against every order of events.
 *
 * What it is: one instance, one session id that is opened up to twice, two items, two workers with
 * two registrations each, and up to TROUBLES misfortunes: a deadline passes, work is stolen, a
 * process crashes or shuts down, an item is handed back, a session is released.
 * What it is not: tags, capacity, the order of work, ordinary items, turn tokens, timers, lost
 * commits, the bytes of rows. Other tests see to those.
 *
 * How to read it: each d_step (atomic where there is a choice) is one store transaction, check and
 * effect, and names the command of engine/store.h that it models. Rows come first, then how tokens
 * are judged, then who acts: orchestration, worker, knowledge (what was given and is presented),
 * housekeeping, misfortune. What must hold of all that stands in laws.pml, which includes this.
 *
 * - A stalled worker is one that acts on old knowledge. Nothing that was given is forgotten: a
 *   token or a claim may be presented at any later time, also when its registration has ended. A
 *   refusal changes nothing and so is no step: the laws judge all that was ever given, always.
 * - `right` and `right_claim` are no rows. They are the specification's view of who is right, moved
 *   by what happens and not by what a check finds. Rows may lag behind it, answers may not.
 * - A deadline is a bit that may be set at any time. It makes work stealable and judges no token.
 * - What an ended registration or a closed session leaves behind moves row by row, by RECLAIM, at
 *   any later time; that the record itself moves it is the order in which nothing comes between.
 * - LSNs count deliveries only. A claim comes with the delivery of its first item.
 * - No step leads back: each run ends, where nothing is left to do. That is the fairness behind
 *   the laws that say "in the end" (LTL). For them CALM is set: misfortunes and turns may cease at
 *   any time, and a worker may stay away, so that no progress can depend on them.
 *
 * run.sh also compiles it with BREAK set to one of the names below, which spoils that one check,
 * and proves that the law that stands on it falls. */

mtype = { NOTHING, NO_EPOCH_COMPARE, NO_TOKEN_COMPARE, NO_OWNER_COMPARE, NO_FINAL_CHECK,
          NO_INCARNATION, NO_PURGE, NO_REQUEUE, NO_RECLAIM, DEAD_MAY_ACT, CLOCK_DECIDES,
          RENEWAL_CLAIMS, LATE_COMPLETIONS };
#ifndef TROUBLES
#define TROUBLES 4
#define CALM false
#define BREAK NOTHING
#endif
#define NONE 0
#define LSN_MAX 8 /* 2 deliveries, and what troubles add to them: going beyond it is an error */
#define EVERY_LSN(X, and) X(1) and X(2) and X(3) and X(4) and X(5) and X(6) and X(7) and X(8)

/* ---- rows ---------------------------------------------------------------------------------- */

mtype = { unborn, lives, crashed, ended };
mtype = { unscheduled, ready, running, done, purged }; /* with the last two its row is gone */

mtype life[5] = { unborn, lives, unborn, lives, unborn }; /* registrations: 1 and 2, 3 and 4 */
byte passed[5];   /* soft row: 1, the deadline of items has passed; 2, that of sessions, too */
bool is_open;     /* whether the session has a row */
byte incarnation; /* of the latest opening */
byte owner, epoch;
mtype item[2] = unscheduled;
byte item_incarnation[2], holder[2], delivery[2];
bool inbox[2];    /* its completion waits for a turn */
byte outcome[2];  /* events that end its future: completed, or session closed */

/* ---- the log, and the specification's view ------------------------------------------------- */

byte lsn;
byte given_item[LSN_MAX + 1], given_to[LSN_MAX + 1]; /* what each delivery gave, and to whom */
bool claims[LSN_MAX + 1];                            /* whether it claimed the session */
byte right[2], right_claim; /* the one token of an item, the one epoch, that must be accepted */
byte acknowledged[2];       /* completions that were accepted */
byte troubles = TROUBLES;   /* that may still come */
bool is_gone;               /* a worker never came back; the other one will */
bool is_calm;               /* no more of them, and no more turns but to consume */

/* ---- how tokens are judged ----------------------------------------------------------------- */

#define MAY_ACT(r) (life[r] != ended || BREAK == DEAD_MAY_ACT)
#define IS_PRESENT(i) \
    (is_open && (item_incarnation[i] == incarnation || BREAK == NO_INCARNATION))
#define IS_OBEYED(t) /* as far as registration and session go */ \
    (MAY_ACT(given_to[t]) && IS_PRESENT(given_item[t]) && \
     (owner == given_to[t] || BREAK == NO_OWNER_COMPARE) && \
     (passed[given_to[t]] == 0 || BREAK != CLOCK_DECIDES))
#define IS_HELD(i, t) /* the item's row says so */ \
    ((item[i] == running || BREAK == NO_FINAL_CHECK) && holder[i] == given_to[t] && \
     (delivery[i] == t || BREAK == NO_TOKEN_COMPARE))

#define TOKEN_HOLDS(t) \
    (IS_HELD(given_item[t], t) && IS_OBEYED(t) && (epoch <= t || BREAK == NO_EPOCH_COMPARE))
#define CLAIM_HOLDS(t) \
    (claims[t] && IS_OBEYED(t) && (epoch == t || BREAK == NO_EPOCH_COMPARE))

/* ---- steps that commands share ------------------------------------------------------------- */

#define RUNS_IN_SESSION(i) (item[i] == running && item_incarnation[i] == incarnation)

inline requeue(i)
{
    item[i] = ready; holder[i] = NONE; delivery[i] = NONE; right[i] = NONE
}

inline claim(r) /* what ran under the former owner goes back to the queue */
{
    owner = r; epoch = lsn; claims[lsn] = true;
    right_claim = lsn; right[0] = NONE; right[1] = NONE;
    if :: RUNS_IN_SESSION(0) && BREAK != NO_REQUEUE -> requeue(0) :: else fi;
    if :: RUNS_IN_SESSION(1) && BREAK != NO_REQUEUE -> requeue(1) :: else fi
}

inline deliver(i, r)
{
    lsn++; given_item[lsn] = i; given_to[lsn] = r;
    if :: owner != r -> claim(r) :: else fi;
    item[i] = running; holder[i] = r; delivery[i] = lsn; right[i] = lsn
}

inline end_registration(r) /* one small record: rows stay, and all that was given to r is void */
{
    life[r] = ended; passed[r] = 0;
    right[0] = (given_to[right[0]] == r -> NONE : right[0]);
    right[1] = (given_to[right[1]] == r -> NONE : right[1]);
    right_claim = (given_to[right_claim] == r -> NONE : right_claim)
}

/* ---- the orchestration: COMMIT_TURN -------------------------------------------------------- */

inline consume(i) /* a completion for a future that has ended is dropped */
{
    inbox[i] = false;
    outcome[i] = (outcome[i] == 0 || BREAK == LATE_COMPLETIONS -> outcome[i] + 1 : outcome[i])
}

inline end_future(i) /* one that is pending when its session closes ends by that */
{
    outcome[i] = (item[i] != unscheduled && item_incarnation[i] == incarnation &&
                  outcome[i] == 0 -> 1 : outcome[i])
}

active proctype orchestration()
{
    byte next; /* the item to schedule */
end: do
    :: d_step { !is_calm && !is_open && incarnation < 2 -> is_open = true; incarnation++ }
    :: d_step { !is_calm && is_open && next < 2 ->
            item[next] = ready; item_incarnation[next] = incarnation; next++ }
    :: atomic { !is_calm && is_open -> /* the session's row goes at once, its items by RECLAIM */
            if :: inbox[0] -> consume(0) :: true fi; /* it came before the turn, or too late */
            if :: inbox[1] -> consume(1) :: true fi;
            is_open = false; owner = NONE; epoch = NONE;
            right[0] = NONE; right[1] = NONE; right_claim = NONE;
            end_future(0); end_future(1) }
    /* When a completion is consumed matters only against a close: so not while one may come. */
    :: d_step { inbox[0] && (!is_open || is_calm) -> consume(0) }
    :: d_step { inbox[1] && (!is_open || is_calm) -> consume(1) }
    od
}

/* ---- a worker; r is its present registration ----------------------------------------------- */

#define HAS_ROW(i) (item[i] == ready || item[i] == running)
#define CAN_ASK(i, r) (life[r] != crashed && MAY_ACT(r) && HAS_ROW(i) && IS_PRESENT(i) && \
    (BREAK == NOTHING || lsn < LSN_MAX)) /* what is broken may go round for ever */

/* FETCH_ITEMS: what is ready in an own or claimable session, and what an ended owner still holds.
 * The first claim is the first worker's: the other way round is the same with names exchanged. */
#define FETCH(i) d_step { CAN_ASK(i, r) && (lsn > 0 || r <= 2) && \
    ((item[i] == ready && (owner == r || owner == NONE)) || \
     (life[owner] == ended && (item[i] == ready || holder[i] == owner))) -> deliver(i, r) }

/* The same, from an owner whose deadlines have passed. When only that of items has, an item is
 * given to nobody but its owner, again, with a new token. */
#define STEAL(i) d_step { CAN_ASK(i, r) && troubles > 0 && \
    ((owner != r && passed[owner] == 2 && (item[i] == ready || holder[i] == owner)) || \
     (owner == r && passed[r] > 0 && holder[i] == r)) -> deliver(i, r); troubles-- }

proctype worker(byte r)
{
end: do
    :: FETCH(0) :: FETCH(1)
    :: STEAL(0) :: STEAL(1)
    :: d_step { life[r] == lives && passed[r] > 0 -> /* RENEW */
            passed[r] = 0;
            epoch = (BREAK == RENEWAL_CLAIMS && owner == r -> lsn + 1 : epoch) }
    :: d_step { r % 2 == 1 && life[r] != lives -> /* REGISTER: ends its dead former one */
            if :: life[r] == crashed -> end_registration(r) :: else fi;
            r++; life[r] = lives }
    :: d_step { r % 2 == 1 && life[r] != lives && lsn > 0 && CALM && !is_gone ->
            is_gone = true } -> break
    od
}

init { atomic { run worker(1); run worker(3) } }

/* ---- knowledge: what was given, presented at any time by whom it was given to -------------- */

#define PRESENTED(t) (t <= lsn && life[given_to[t]] != crashed)
#define COMPLETE(t) /* COMPLETE_ITEM: its row goes, a message comes */ \
    :: d_step { PRESENTED(t) && TOKEN_HOLDS(t) -> \
        item[given_item[t]] = done; right[given_item[t]] = NONE; \
        inbox[given_item[t]] = true; acknowledged[given_item[t]]++ }
#define ABANDON(t) /* ABANDON_ITEM */ \
    :: d_step { PRESENTED(t) && TOKEN_HOLDS(t) && troubles > 0 -> \
        requeue(given_item[t]); troubles-- }
#define RELEASE(t) /* RELEASE_SESSIONS: refused while an item runs in it */ \
    :: d_step { PRESENTED(t) && CLAIM_HOLDS(t) && !RUNS_IN_SESSION(0) && !RUNS_IN_SESSION(1) && \
        troubles > 0 -> owner = NONE; right_claim = NONE; troubles-- }

active proctype knowledge()
{
end: do
    EVERY_LSN(COMPLETE,)
    EVERY_LSN(ABANDON,)
    EVERY_LSN(RELEASE,)
    od
}

/* ---- housekeeping, by whatever process ----------------------------------------------------- */

#define IS_OPEN_FOR(i) (is_open && item_incarnation[i] == incarnation)
#define IS_ORPHAN(i) (HAS_ROW(i) && !IS_OPEN_FOR(i))
#define IS_LEFT(i) (item[i] == running && !IS_ORPHAN(i) && life[holder[i]] == ended)
#define IS_SESSION_LEFT (is_open && life[owner] == ended)

#define PURGE(i) d_step { IS_ORPHAN(i) && BREAK != NO_PURGE -> \
    item[i] = purged; holder[i] = NONE; delivery[i] = NONE }
#define GIVE_BACK(i) d_step { IS_LEFT(i) && BREAK != NO_RECLAIM -> requeue(i) }
#define DECLARE_DEAD(r) d_step { life[r] == crashed -> end_registration(r) }

active proctype housekeeping()
{
end: do
    :: DECLARE_DEAD(1) :: DECLARE_DEAD(3) /* END_REGISTRATION: proved dead */
    :: PURGE(0) :: PURGE(1)               /* RECLAIM of a closed session */
    :: GIVE_BACK(0) :: GIVE_BACK(1)       /* RECLAIM of an ended registration: its items, */
    :: d_step { IS_SESSION_LEFT && !RUNS_IN_SESSION(0) && !RUNS_IN_SESSION(1) &&
                BREAK != NO_RECLAIM -> owner = NONE } /* then its session */
    od
}

#define CRASH(r) d_step { troubles > 0 && life[r] == lives -> life[r] = crashed; troubles-- }
#define SHUT_DOWN(r) d_step { troubles > 0 && life[r] == lives -> end_registration(r); troubles-- }
#define PASS(r, deadline) d_step { /* it matters to an owner alone */ \
    troubles > 0 && owner == r && life[r] != ended && passed[r] < deadline -> \
    passed[r] = deadline; troubles-- }

active proctype misfortune() /* spares a worker's last registration, else nobody were left */
{
end: do
    :: CRASH(1) :: CRASH(3)
    :: SHUT_DOWN(1) :: SHUT_DOWN(3) /* END_REGISTRATION */
    :: PASS(1, 1) :: PASS(2, 1) :: PASS(3, 1) :: PASS(4, 1)
    :: PASS(1, 2) :: PASS(2, 2) :: PASS(3, 2) :: PASS(4, 2)
    :: d_step { CALM && !is_calm -> is_calm = true; troubles = 0 }
    od
}
