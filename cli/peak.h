/* How fast the processor multiplies and adds, measured. */
#ifndef LTAP_CLI_PEAK_H
#define LTAP_CLI_PEAK_H

/* Float operations a second (a multiply-add is two) of independent vector multiply-adds that never
 * touch memory, on this many threads at once. Takes about 30 ms. 0: no thread could be made. */
double cli_peak_measure(int threads);

#endif
