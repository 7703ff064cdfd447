#ifndef CLARY_SERVICE_CLOUDTRAIL_EVENTS_H
#define CLARY_SERVICE_CLOUDTRAIL_EVENTS_H

#include "aws/shape.h"
#include "base/strbuf.h"
#include "format/json.h"

/* A message as CloudTrail shows it: names begin in lower case, what is sensitive or a blob is hidden. */
void audit_message_text(const Json *message, const Shape *shape, StrBuf *out);

void audit_link_hash(const uint8_t before[static 32], int64_t number, Str record,
                     uint8_t ret[static 32]);

#endif
