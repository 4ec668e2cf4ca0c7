/* distance.h -- how unlike two words are: for "did you mean".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_DISTANCE_H
#define NEXUS_BASE_DISTANCE_H

#include "base/slice.h"

#define MAX_DISTANCE_LEN 40

/* How many letters are to be put in, taken out, exchanged or swapped with their neighbour to make
 * one of the other. Neither is longer than MAX_DISTANCE_LEN. With any_case letters that differ in
 * case only are the same, but for a swap. */
unsigned distance_between(struct slice a, struct slice b, bool any_case);

#endif
