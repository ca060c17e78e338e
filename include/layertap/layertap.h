/* layertap: named inner layers of a neural network, from C.
 *
 * The whole library in one include. The chapters, from simple to expert:
 *
 *   error.h     status codes and one-line messages
 *   tensor.h    what goes in and what comes out
 *   model.h     open a model file, walk over its layers
 *   getter.h    ask for layers by name; the pruned network
 *   prune.h     the pruned network as a file; a network in two halves
 *   run.h       forward: inputs in, an ordered dictionary of features out
 *   hook.h      callbacks at inner layers while a forward runs
 *   intervene.h declared changes to inner layers: zero, mean, scale, noise, a value
 *   profile.h   where the time of a run goes
 *   image.h     pictures in, with the preprocessing that networks were trained with
 *   arrays.h    .npy, .npz and .safetensors in
 *   writer.h    .npy, .npz, .safetensors and folders out
 *   picture.h   pictures of features
 *   summary.h   facts about a layer over many forwards: deviation, dead channels, histogram
 *   compare.h   how far two tensors are apart
 *   random.h    random numbers that are the same everywhere
 *   memory.h    your own allocator, limits
 *
 * Threads: a model and a getter are immutable and may be used by any number of threads at once;
 * a run, a writer and an image belong to one thread at a time. There is no global state.
 */
#ifndef LAYERTAP_LAYERTAP_H
#define LAYERTAP_LAYERTAP_H

#include <layertap/arrays.h>
#include <layertap/compare.h>
#include <layertap/error.h>
#include <layertap/getter.h>
#include <layertap/hook.h>
#include <layertap/image.h>
#include <layertap/intervene.h>
#include <layertap/memory.h>
#include <layertap/model.h>
#include <layertap/picture.h>
#include <layertap/profile.h>
#include <layertap/prune.h>
#include <layertap/random.h>
#include <layertap/run.h>
#include <layertap/summary.h>
#include <layertap/tensor.h>
#include <layertap/writer.h>

#endif
