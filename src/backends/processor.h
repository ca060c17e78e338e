/* The most that kernels may use of a processor, whatever it has: all of it, unless a build says
 * less, as those do in which tests see what a lesser processor would run.
 */
#ifndef LTAP_BACKENDS_PROCESSOR_H
#define LTAP_BACKENDS_PROCESSOR_H

#define LTAP_PROCESSOR_PLAIN  0
#define LTAP_PROCESSOR_AVX2   1
#define LTAP_PROCESSOR_AVX512 2

#ifndef LTAP_PROCESSOR_MOST
#define LTAP_PROCESSOR_MOST LTAP_PROCESSOR_AVX512
#endif

#endif
