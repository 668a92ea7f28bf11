/* Has this deadline passed, and may this registration act? The one place where commands ask. Leases
 * are soft rows; that a registration has ended is a hard one. */
#ifndef HF_LEASE_H
#define HF_LEASE_H

#include "indexes/rows.h"
#include "logstore/store_internal.h"

/* A registration as others see it: what of its work may be stolen. */
struct hf__holder {
    uint64_t registration;
    uint64_t ended_reason;              /* enum hf_reason; 0: it lives, as far as the store knows */
    bool has_died;                      /* its process did, as a record says */
    bool items_passed, sessions_passed; /* work of that kind may be stolen; of an ended one: both,
                                           but for the sessions of a dead one while its reclaim
                                           window is open */
    uint64_t items_deadline_boot_ms, sessions_deadline_boot_ms; /* 0: there is no lease row */
    struct hf_item_id makes_way_for;                            /* a suspect; 0: none */
};

/* Looks up a registration that may be any number. Passed is a deadline that the boot clock has
 * reached, one of another boot, and one whose lease row is gone (soft state was lost); but nothing
 * that lives has passed in the grace after a stall. Registrations of a former store generation have
 * ended with it. Errors: those of hf_lease_get but HF_NOT_FOUND. */
HF_MUST_CHECK hf_status hf__holder_get(struct hf__step *step, uint64_t registration,
                                       struct hf__holder *out_holder);

/* Proves that a registration may act: that it is known and has not ended. out_row may be NULL.
 * Errors: HF_STALE with code registration_dead or store_generation. */
HF_MUST_CHECK hf_status hf__registration_check(struct hf__step *step, uint64_t registration,
                                               struct hf_row_registration *out_row);

/* Opens the reclaim window of a registration that has just been declared dead: its lease's deadline
 * for sessions. Nobody waits for that: whoever fetches or peeks after it finds the sessions, and
 * every idle worker peeks some times a second. Without a row left of it this has no effect. Errors:
 * those of hf_lease_put. */
HF_MUST_CHECK hf_status hf__lease_open_window(struct hf__step *step, uint64_t registration);

/* Notes in the lease of a registration for which suspect it takes no other work; 0: for none.
 * Without a lease nothing is noted. Errors: those of hf_lease_put. */
HF_MUST_CHECK hf_status hf__lease_make_way(struct hf__step *step, uint64_t registration,
                                           const struct hf_item_id *suspect);

/* Until when a turn that is handed back for delay_ms is held back: milliseconds of the boot clock
 * in the lower 48 bits, and above them the boot, as 16 bits of a hash of its id: the clock of the
 * next one begins anew. It is never 0. */
uint64_t hf__hold_until(const struct hf__step *step, uint64_t delay_ms);

/* The latest hold of the present boot. */
uint64_t hf__hold_last(const struct hf__step *step);

/* Whether a hold is over: its time has come, or it is one of another boot. */
bool hf__hold_is_over(const struct hf__step *step, uint64_t hold);

/* Writes the lease of a registration. The deadline of sessions becomes at least that of items: else
 * a session could be taken while its items may not. Errors: those of hf_lease_put. */
HF_MUST_CHECK hf_status hf__lease_renew(struct hf__step *step, uint64_t registration,
                                        uint64_t items_deadline_boot_ms,
                                        uint64_t sessions_deadline_boot_ms);

#endif
