/* The hooks of a run: who is called at which point, and the calls. */
#ifndef LTAP_RUN_HOOKS_H
#define LTAP_RUN_HOOKS_H

#include "plan/inside.h"
#include "plan/watch.h"

typedef struct ltap_hooked {
    ltap_hook hook;   /* layer is not kept */
    const char *what; /* "hook", or what it is to the user */
    uint64_t number;
    uint64_t held_bytes; /* copies that it keeps */
    /* NULL, or what it takes while it is called with a tensor. */
    uint64_t (*takes)(const void *user, const ltap_tensor *tensor);
    bool removed;        /* not called any more; its memory goes when no forward is under way */
    ltap_arena arena;    /* of its points */
    ltap_vector points;  /* ltap_point */
    ltap_vector insides; /* ltap_inside_point: those in bodies */
} ltap_hooked;

/* Who is called at a point; those of one point follow each other in the order of registration. */
typedef struct ltap_attached {
    size_t point;
    const ltap_hooked *hooked;
} ltap_attached;

typedef struct ltap_hooks {
    ltap_memory *memory;     /* borrowed from the run */
    ltap_vector list;        /* ltap_hooked *, in the order of registration */
    uint64_t n_given;        /* numbers so far */
    uint64_t n_ready;        /* those that this forward calls */
    size_t n_inside;         /* points in bodies, of those */
    bool changed;            /* what follows is not about the list as it is */
    ltap_vector points;      /* ltap_point: different ones, borrowed from the list */
    ltap_vector attached;    /* ltap_attached, sorted by point */
    ltap_vector first;       /* size_t: where a point's begin in attached, and the end */
    const ltap_watch *watch; /* NULL: no hooks */
} ltap_hooks;

void ltap_hooks_init(ltap_hooks *hooks, ltap_memory *memory);
void ltap_hooks_clear(ltap_hooks *hooks, ltap_getter *getter);
/* added: borrowed from the hooks. */
ltap_status ltap_hooks_add(ltap_hooks *hooks, const ltap_getter *getter, const ltap_hook *hook,
                           ltap_hooked **added, ltap_error *error);
/* busy: a forward is under way. */
void ltap_hooks_remove(ltap_hooks *hooks, uint64_t number, bool busy);
/* Before a forward: watch, attached and first are about the list as it is. */
ltap_status ltap_hooks_prepare(ltap_hooks *hooks, ltap_getter *getter, ltap_error *error);
/* What hooks keep, and the most that one of them takes in a forward of the plan. */
uint64_t ltap_hooks_bytes(const ltap_hooks *hooks, const ltap_plan *plan);

#endif
