/* The laws: codes and words. */
#include "indexes/law.h"

#include "engine/base/assert.h"

struct law {
    const char *code;
    const char *text;
};

#define LAW(code, text) [HF_LAW_##code] = { #code, text }
/* clang-format off */
static const struct law laws[] = {
    LAW(L1, "The counters of LSNs run from 1 without gap or repeat, up to the row next_lsn."),
    LAW(L2, "Every part of a record matches its checksum."),
    LAW(L4, "LSN 1 is store_created, with the id that seeds all checksums; no other record is."),
    LAW(L6, "A record decodes exactly: its parts fit together, its kind is known, its fields are "
            "within their limits."),
    LAW(L7, "What a record brings about in other instances stands right behind it: children start, "
            "parents are told of ends."),
    LAW(H1, "Events of an execution are 1, 2, 3 ...; executions count up; nothing happens to what "
            "has ended or is gone."),
    LAW(H2, "What a record answers, keeps or carries on was there before it."),
    LAW(H3, "A message is consumed once, a timer fires once, an idempotency key is used once."),
    LAW(H4, "What has ended, be it an execution or an instance, leaves nothing pending."),
    LAW(H5, "A timer fires when it is due, not before."),
    LAW(H6, "Parent and child name each other while both run; whoever was a child is in its "
            "family."),
    LAW(H10, "Numbers of instances count up and are never used again; an id belongs to one "
             "instance."),
    LAW(H11, "Suspended and resumed alternate."),
    LAW(Q1, "An item is completed or called off once, and stands where its state says."),
    LAW(Q2, "What a turn schedules, opens or sets is an event of its own record, one thing an "
            "event."),
    LAW(Q4, "Who completes an item or hands it back presents its latest delivery."),
    LAW(Q5, "A delivery says truly why the item was to be had, and from whom."),
    LAW(Q6, "Attempts count deliveries, and deaths are not more."),
    LAW(Q7, "An item that was put aside comes back when it is due, not before."),
    LAW(Q8, "A turn stands on the head of the present execution."),
    LAW(Q9, "A running instance is due while it is fresh or has messages, and only then."),
    LAW(S1, "A session is opened once, under an id; what is opened again is another incarnation."),
    LAW(S2, "A session has one owner at most, and only its owner's claim releases it."),
    LAW(S3, "A claim or release says truly why, and from whom the session comes."),
    LAW(S4, "What runs in a session runs under its owner."),
    LAW(S5, "After a newer claim or the close nothing is completed under an older one."),
    LAW(S6, "A closed session and an ended instance leave no session and no item of one behind."),
    LAW(S7, "Nothing is claimed, delivered or restarted in a session that is not open."),
    LAW(S11, "An item of a session has the session's tag."),
    LAW(R1, "Who acts is a registration that lives."),
    LAW(R2, "A worker id has one live registration; an ended one stays while something is left "
            "under it."),
    LAW(T1, "A token is of one delivery or claim, and of the present generation of the store."),
    LAW(X1, "A row is what the fold of the log makes of it."),
    LAW(X2, "No row without its record, and none missing; rows point to each other both ways."),
    LAW(X3, "Counts are those of what is counted."),
    LAW(X6, "Pruned is what a record says, former executions alone, and no row of it is left."),
    LAW(X7, "What waits to be reclaimed has ended."),
    LAW(P1, "The tables can be read."),
};
/* clang-format on */
_Static_assert(sizeof(laws) / sizeof(laws[0]) == HF_LAW_COUNT, "each law has its words");

const char *hf_law_code(enum hf_law law)
{
    hf_assert(law < HF_LAW_COUNT);
    hf_assert(laws[law].code);
    return laws[law].code;
}

const char *hf_law_text(enum hf_law law)
{
    hf_assert(law < HF_LAW_COUNT);
    hf_assert(laws[law].text);
    return laws[law].text;
}

hf_status hf_law_broken(hf_error *error, enum hf_law law, hf_status status)
{
    hf_assert(status != HF_OK);
    if (status == HF_CORRUPT) hf_error_code(error, hf_law_code(law));
    return status;
}
