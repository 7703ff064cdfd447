#ifndef CLARY_SERVICE_CLOUDTRAIL_AUDIT_H
#define CLARY_SERVICE_CLOUDTRAIL_AUDIT_H

/* The audit trail (rule U1): CloudTrail's event of each call that changes something or is refused. */

#include "service/call.h"

bool audit_open(Server *server, Error *err);
void audit_close(Server *server);

/* The dispatcher calls this once per call, before the answer leaves.  `failure` is NULL when the call succeeded;
 * call->code then has the code.  Which calls are recorded is decided here: writes and refusals, not the reads that
 * succeed; `call->operation` is NULL when the request never got so far. */
void audit_record(Call *call, const Error *failure);

#endif
