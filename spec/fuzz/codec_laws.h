/* codec_laws.h -- what holds for any bytes, whatever the serializer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CODEC_LAWS_H
#define NEXUS_SPEC_CODEC_LAWS_H

#include "wire/codec.h"

/* Reads the bytes in every way there is, and CHECKs:
 * - walking token by token and skipping come to the same verdict;
 * - a refusal says why;
 * - what was accepted transcodes to every serializer, and the result is accepted there;
 * - there and back again changes nothing once the first loss is over;
 * - a message stays the same message in every serializer. */
void codec_laws_check(enum codec codec, struct slice bytes);

#endif
