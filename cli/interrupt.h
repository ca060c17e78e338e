/* Interruption: the work stops at a place where nothing is half-written. */
#ifndef LTAP_CLI_INTERRUPT_H
#define LTAP_CLI_INTERRUPT_H

/* From here on SIGINT, SIGTERM and SIGHUP are only noted; a second one ends the process at once. */
void cli_interrupt_watch(void);
int cli_interrupt_seen(void);
/* Ends by the noted signal itself, so that the parent sees it; returns where there was none. */
void cli_interrupt_end(void);

#endif
