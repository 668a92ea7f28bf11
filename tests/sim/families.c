/* Who stems from whom, whatever became of either, and how trees are deleted. */
#include "tests/sim/sim.h"

/* Of a topmost one everything does, also what has lost the parent in between. */
static bool stems_from(const struct sim_shadow *shadow, int index, int top)
{
    bool is_topmost = shadow->instances[top].parent == SIM_NONE;
    int at = shadow->instances[index].parent;
    while (at != SIM_NONE && at != top) {
        if (shadow->instances[at].life == SIM_GONE && !is_topmost) return false;
        at = shadow->instances[at].parent;
    }
    return at == top;
}

/* The same of an instance by its number. */
bool sim_is_below(struct sim *sim, int index, uint64_t number)
{
    const struct sim_instance *top = sim_instance_find(sim, number);
    return top && stems_from(&sim->shadow, index, (int)(top - sim->shadow.instances));
}

/* How many there are in a tree; 0: one of them runs. */
static size_t tree_ended_count(const struct sim_shadow *shadow, int top)
{
    size_t count = 0;
    for (int i = top; i < (int)shadow->instances_count; i++) {
        const struct sim_instance *each = &shadow->instances[i];
        if (i != top && (each->life == SIM_GONE || !stems_from(shadow, i, top))) continue;
        if (each->life != SIM_ENDED) return 0;
        count++;
    }
    return count;
}

/* What is below goes, the lowest first: who is gone is nobody's parent any more. */
void sim_below_end(struct sim *sim, int top)
{
    struct sim_shadow *shadow = &sim->shadow;
    for (int i = (int)shadow->instances_count - 1; i > top; i--) {
        struct sim_instance *each = &shadow->instances[i];
        if (each->life == SIM_GONE || !stems_from(shadow, i, top)) continue;
        sim_instance_end(sim, each, SIM_GONE);
    }
}

void sim_deleted_ended_answer(struct sim *sim, struct sim_act *act)
{
    const struct hf_store_delete_ended *deletion = &act->command.delete_ended;
    struct sim_shadow *shadow = &sim->shadow;
    uint64_t trees = 0, deleted = 0;
    sim_check(sim, deletion->out_looked_count == deletion->count, "some were not looked at");
    for (size_t i = 0; i < deletion->count; i++) {
        const struct sim_instance *top = sim_instance_find(sim, deletion->runs[i].instance);
        if (top->life == SIM_GONE || top->execution != deletion->runs[i].execution) continue;
        int index = (int)(top - shadow->instances);
        size_t count = tree_ended_count(shadow, index);
        if (count == 0) continue;
        trees++;
        deleted += count;
        sim_below_end(sim, index);
        sim_instance_end(sim, &shadow->instances[index], SIM_GONE);
    }
    sim_check(sim, deletion->out_trees_count == trees, "%llu trees go instead of %llu",
              (unsigned long long)deletion->out_trees_count, (unsigned long long)trees);
    sim_check(sim, deletion->out_deleted_count == deleted, "%llu go instead of %llu",
              (unsigned long long)deletion->out_deleted_count, (unsigned long long)deleted);
}
