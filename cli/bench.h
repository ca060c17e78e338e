/* One bench from beginning to end, shared by the command, the measuring and the report. */
#ifndef LTAP_CLI_BENCH_H
#define LTAP_CLI_BENCH_H

#include "cli/json.h"
#include "cli/model.h"
#include "cli/report.h"
#include "cli/request.h"
#include "cli/sizes.h"
#include "cli/stage.h"
#include <layertap/profile.h>
#include <layertap/run.h>

enum { CLI_BENCH_BATCHES = 16 };

/* Durations of forwards, in seconds. */
typedef struct cli_latency {
    double median, p95, min;
    long runs;
} cli_latency;

typedef struct cli_throughput {
    long batch;
    double per_second; /* inputs, not forwards; NaN: this batch was refused */
    ltap_error error;  /* why */
} cli_throughput;

typedef struct cli_bench {
    const cli_arguments *arguments;
    cli_talk talk;
    cli_model model;
    cli_request request;
    ltap_getter *getter;
    ltap_run *run;
    cli_sizes sizes;
    ltap_input *inputs;  /* of one forward, one per input that the request needs */
    cli_stage *stages;   /* their memory */
    ltap_tensor *shapes; /* theirs for the latency; data NULL */
    size_t n_inputs;
    long runs;      /* --runs; 0: as many as fit */
    double seconds; /* --seconds */
    double open_seconds, first_seconds;
    cli_latency latency;
    uint64_t peak_bytes; /* of the process, after the latency; 0: not known */
    cli_throughput throughput[CLI_BENCH_BATCHES];
    size_t n_throughput;
    double peak_rate; /* --profile: float operations a second; 0: not known */
} cli_bench;

/* Opens, runs once, and measures all that is asked for. */
LTAP_MUST_USE ltap_status cli_bench_measure(cli_bench *bench, ltap_error *error);

/* The batch of the inputs as they are; 1 where they have none. */
long cli_bench_batch(const cli_bench *bench);
/* 1 where the number of rows in a forward is free. */
int cli_bench_is_free(const cli_bench *bench);

/* The table, or the document. */
LTAP_MUST_USE ltap_status cli_bench_report(const cli_bench *bench, ltap_error *error);

/* The same for --profile: steps, the slowest first. */
LTAP_MUST_USE ltap_status cli_bench_print_profile(const cli_bench *bench, ltap_error *error);
json_t *cli_bench_profile_document(const cli_bench *bench);

#endif
