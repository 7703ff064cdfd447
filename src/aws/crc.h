#ifndef CLARY_AWS_CRC_H
#define CLARY_AWS_CRC_H

#include "aws/digest.h"

/* The checksum of what came before, `crc` (0 at first), continued. */
uint64_t crc_add(DigestKind kind, uint64_t value, Str bytes);

#endif
