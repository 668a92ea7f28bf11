/* What clients ask: start an instance, send it a message, suspend it, end it at once, delete it.
 *
 * An idempotency key makes a repeated command one: the record that did it holds the key, the fold
 * keeps (key -> record, instance), and a command that comes with a key that is known is done
 * already. A key names one command for one instance; for another instance or another kind of
 * command it is refused, and so is the key of a deleted one: what it named is gone. Only its
 * deletion is done for ever. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "logstore/command_family.h"
#include "logstore/token.h"

/* What a command says of its instance, and what is known of it. */
struct target {
    hf_slice id, key;
    enum hf_record_kind kind;        /* of the record that the command is, when it is done */
    bool is_done;                    /* the key is known: nothing is to be done */
    struct hf_row_instance instance; /* when it exists; number 0: it does not */
};

static hf_status target_find(struct hf__step *step, struct target *self)
{
    hf_status status = hf_instance_find(step->tables, self->id, &self->instance, step->error);
    if (status == HF_NOT_FOUND) self->instance.number = 0;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Refuses a key that another command has used. */
static hf_status key_refuse(struct hf__step *step, const struct target *self,
                            const struct hf_row_command_key *row)
{
    return hf_error_set(step->error, HF_INVALID,
                        "idempotency key \"" HF_FMT "\" was used for another command, of instance "
                        "number %llu (record %llu): give each command a key of its own",
                        HF_ARG(self->key), (unsigned long long)row->instance,
                        (unsigned long long)row->lsn);
}

static hf_status target_check_key(struct hf__step *step, struct target *self)
{
    struct hf_row_command_key row;
    struct hf_log_record record;
    if (hf_slice_is_empty(self->key)) return HF_OK;
    hf_status status = hf_command_key_find(step->tables, self->key, &row, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK) return status;
    status = hf_log_read(step->tables, &step->store->identity.id, row.lsn, &record, step->error);
    if (status == HF_NOT_FOUND) {
        return hf_error_corrupt(step->error, row.lsn, "a command's record is not there");
    }
    if (status != HF_OK) return status;
    bool is_of_it = row.instance == self->instance.number || record.kind == HF_RECORD_DELETED;
    self->is_done = is_of_it && record.kind == self->kind;
    return self->is_done ? HF_OK : key_refuse(step, self, &row);
}

/* Whether id and key are well-formed, what they name, and whether it was done already. */
static hf_status target_resolve(struct hf__step *step, struct target *self)
{
    hf_status status = hf__check_name(step, "instance id", self->id);
    if (status == HF_OK) status = hf__check_optional_name(step, "idempotency key", self->key);
    if (status == HF_OK) status = target_find(step, self);
    if (status == HF_OK) status = target_check_key(step, self);
    return status;
}

/* The same of a command with a body. */
static hf_status target_resolve_with(struct hf__step *step, hf_slice body, struct target *self)
{
    hf_status status = hf__check_body(step, "the command's body", body);
    return status == HF_OK ? target_resolve(step, self) : status;
}

static hf_status target_missing(struct hf__step *step, const struct target *self)
{
    hf_assert(self->instance.number == 0);
    return hf_error_set(step->error, HF_NOT_FOUND,
                        "instance \"" HF_FMT "\" does not exist: start it first", HF_ARG(self->id));
}

hf_status hf__command_start(struct hf__step *step, struct hf_store_start *start)
{
    struct target target = { .id = start->id, .key = start->key, .kind = HF_RECORD_STARTED };
    hf_status status = hf__check_name(step, "orchestration name", start->orchestration);
    if (status == HF_OK) {
        status = hf__check_optional_name(step, "orchestration version", start->version);
    }
    if (status == HF_OK) status = target_resolve_with(step, start->body, &target);
    if (status != HF_OK) return status;
    if (target.is_done) {
        start->out_instance = target.instance.number;
        return HF_OK;
    }
    if (target.instance.number != 0) {
        return hf_error_set(step->error, HF_EXISTS,
                            "instance \"" HF_FMT "\" exists (number %llu, orchestration \"" HF_FMT
                            "\"): choose another id",
                            HF_ARG(start->id), (unsigned long long)target.instance.number,
                            HF_ARG(target.instance.orchestration));
    }
    struct hf_started record = { .id = start->id,
                                 .orchestration = start->orchestration,
                                 .version = start->version,
                                 .body = start->body,
                                 .key = start->key };
    status = hf_instance_number_next(step->tables, &record.instance, step->error);
    if (status == HF_OK) status = hf__step_append(step, HF_RECORD_STARTED, &record, NULL);
    if (status == HF_OK) start->out_instance = record.instance;
    return status;
}

hf_status hf__command_message(struct hf__step *step, const struct hf_store_message *message)
{
    struct target target = { .id = message->id, .key = message->key, .kind = HF_RECORD_MESSAGE };
    hf_status status = target_resolve_with(step, message->body, &target);
    if (status != HF_OK || target.is_done) return status;
    if (target.instance.number == 0) return target_missing(step, &target);
    if (hf_instance_has_ended(&target.instance)) {
        if (message->ended_is_fine) return HF_OK;
        return hf_error_set(step->error, HF_NOT_FOUND,
                            "instance \"" HF_FMT "\" has ended: it takes no more messages",
                            HF_ARG(message->id));
    }
    struct hf_message_record record = { .instance = target.instance.number,
                                        .body = message->body,
                                        .key = message->key };
    return hf__step_append(step, HF_RECORD_MESSAGE, &record, NULL);
}

hf_status hf__command_terminate(struct hf__step *step, const struct hf_store_terminate *terminate)
{
    struct target target = { .id = terminate->id,
                             .key = terminate->key,
                             .kind = HF_RECORD_TERMINATED };
    hf_status status = target_resolve_with(step, terminate->body, &target);
    if (status != HF_OK || target.is_done) return status;
    if (target.instance.number == 0) return target_missing(step, &target);
    if (hf_instance_has_ended(&target.instance)) return HF_OK;
    struct hf_terminated record = { .instance = target.instance.number,
                                    .execution = target.instance.execution,
                                    .event_id = target.instance.next_event_id,
                                    .body = terminate->body,
                                    .key = terminate->key };
    status = hf__step_append(step, HF_RECORD_TERMINATED, &record, NULL);
    if (status != HF_OK) return status;
    return hf__family_end(step, &target.instance, &target.instance.lost);
}

hf_status hf__command_delete(struct hf__step *step, const struct hf_store_delete *deletion)
{
    struct target target = { .id = deletion->id, .key = deletion->key, .kind = HF_RECORD_DELETED };
    hf_status status = target_resolve(step, &target);
    if (status != HF_OK || target.is_done) return status;
    if (target.instance.number == 0) return target_missing(step, &target);
    if (deletion->with_descendants) return hf__tree_delete(step, &target.instance, deletion);
    if (!deletion->even_running && !hf_instance_has_ended(&target.instance)) {
        return hf_error_set(step->error, HF_STILL_RUNNING,
                            "instance \"" HF_FMT "\" has not ended: wait for it, terminate it, or "
                            "delete it even running",
                            HF_ARG(deletion->id));
    }
    struct hf_deleted record = { .instance = target.instance.number, .key = deletion->key };
    status = hf__step_append(step, HF_RECORD_DELETED, &record, NULL);
    if (status != HF_OK) return status;
    return hf__family_end(step, &target.instance, &target.instance.deleted);
}

/* ---- suspended and resumed ------------------------------------------------------------------- */

static hf_status suspend_append(struct hf__step *step, const struct hf_store_suspend *suspend,
                                const struct hf_row_instance *instance)
{
    bool is_suspended = instance->suspended_code.size > 0;
    if (is_suspended != suspend->resumes) return HF_OK;
    struct hf_suspended record = { .instance = instance->number, .key = suspend->key };
    if (!suspend->resumes) {
        record.code = suspend->code;
        record.text = suspend->text;
    }
    return hf__step_append(step, HF_RECORD_SUSPENDED, &record, NULL);
}

static hf_status suspend_turn(struct hf__step *step, const struct hf_store_suspend *suspend)
{
    struct hf__turn_verdict verdict;
    hf_status status = hf__turn_token_check(step, suspend->token, suspend->registration, &verdict);
    if (status != HF_OK) return status;
    if (verdict.code) return hf__turn_refuse(step, suspend->token, verdict.code);
    return suspend_append(step, suspend, &verdict.instance);
}

hf_status hf__command_suspend(struct hf__step *step, const struct hf_store_suspend *suspend)
{
    struct target target = { .id = suspend->id, .key = suspend->key, .kind = HF_RECORD_SUSPENDED };
    hf_assert(suspend->resumes || suspend->code.size > 0);
    if (suspend->token) return suspend_turn(step, suspend);
    hf_status status = target_resolve(step, &target);
    if (status != HF_OK || target.is_done) return status;
    if (target.instance.number == 0) return target_missing(step, &target);
    if (hf_instance_has_ended(&target.instance)) {
        return hf_error_set(step->error, HF_NOT_FOUND,
                            "instance \"" HF_FMT "\" has ended: there is nothing to %s",
                            HF_ARG(suspend->id), suspend->resumes ? "resume" : "suspend");
    }
    return suspend_append(step, suspend, &target.instance);
}
