/* The laws of sessions, over the model in sessions.pml: read that first. `laws` watches what must
 * hold in every state, and moves once, when one of them is broken; the LTL formulas say what must
 * hold in the end. tests/model/run.sh searches for both; the first kind by hand:
 *
 *   spin -a laws.pml && cc -O2 -DSAFETY -DNOCLAIM -o pan pan.c && ./pan
 *
 * After a failure `./pan -r laws.pml.trail` prints the steps that led there. */
#include "sessions.pml"

/* event_at_most_once: at most one event ends the future of an item.
 * none_acknowledged_twice: at most one completion of an item is accepted.
 * one_live_owner: whose tokens and claims are accepted is the one owner, whose registration has not
 * ended. */
#define OBEYS_OWNER_ONLY(t) ((!TOKEN_HOLDS(t) && !CLAIM_HOLDS(t)) || \
    (given_to[t] == given_to[right_claim] && life[given_to[t]] != ended))

/* old_owner_never_passes: of all tokens and claims ever given, only the right one is accepted. */
#define REFUSES_OLD(t) ((!TOKEN_HOLDS(t) || right[given_item[t]] == t) && \
    (!CLAIM_HOLDS(t) || right_claim == t))

/* unowned_lease_revives: the right one is accepted always, also when its deadline has passed, and
 * under the same epoch, as long as nobody stole. */
#define REVIVES(i) (right[i] == NONE || TOKEN_HOLDS(right[i]))

/* no_item_lost: what runs is in the hands of the one who may act, what is done was acknowledged,
 * what is purged was closed. In the end every item is done or purged, and its future has ended. */
#define IS_FOUND(i) ((item[i] != running || IS_ORPHAN(i) || holder[i] == owner) && \
    (item[i] != done || acknowledged[i] > 0) && (item[i] != purged || !IS_OPEN_FOR(i)))
#define IS_SETTLED(i) (item[i] == unscheduled || \
    ((item[i] == done || item[i] == purged) && outcome[i] == 1))

/* purge_leaves_no_orphan: nobody is in the right with an item whose session is closed. In the end
 * no row is left of a closed session or under an ended registration. */
#define IS_SERVED_OPEN(i) (right[i] == NONE || IS_OPEN_FOR(i))

#ifdef ONLY /* the one law that is not ignored */
#define IS_IGNORED true
#else
#define IS_IGNORED false
#endif
#define LAW(name, holds) :: !name && !(holds) -> assert(name)

active proctype laws()
{
    bool event_at_most_once = IS_IGNORED, none_acknowledged_twice = IS_IGNORED,
         one_live_owner = IS_IGNORED, old_owner_never_passes = IS_IGNORED,
         unowned_lease_revives = IS_IGNORED, no_item_lost = IS_IGNORED,
         purge_leaves_no_orphan = IS_IGNORED;
#ifdef ONLY
    ONLY = false;
#endif
end: if
    LAW(event_at_most_once, outcome[0] <= 1 && outcome[1] <= 1)
    LAW(none_acknowledged_twice, acknowledged[0] <= 1 && acknowledged[1] <= 1)
    LAW(one_live_owner, EVERY_LSN(OBEYS_OWNER_ONLY, &&))
    LAW(old_owner_never_passes, EVERY_LSN(REFUSES_OLD, &&))
    LAW(unowned_lease_revives,
        REVIVES(0) && REVIVES(1) && (right_claim == NONE || CLAIM_HOLDS(right_claim)))
    LAW(no_item_lost, IS_FOUND(0) && IS_FOUND(1))
    LAW(purge_leaves_no_orphan, IS_SERVED_OPEN(0) && IS_SERVED_OPEN(1))
    fi
}

ltl no_item_lost { []<> (IS_SETTLED(0) && IS_SETTLED(1)) }
ltl purge_leaves_no_orphan {
    []<> !(IS_ORPHAN(0) || IS_ORPHAN(1) || IS_LEFT(0) || IS_LEFT(1) || IS_SESSION_LEFT) }
