#ifndef CLARY_SERVICE_CLOUDTRAIL_AUDIT_H
#define CLARY_SERVICE_CLOUDTRAIL_AUDIT_H

/* The audit trail (rule U1): CloudTrail's event of each call that changes something or is refused.
 *
 * Events form a hash chain: each row's hash covers the one before, and a row beside the table holds the last, so
 * that an edit, a cut, a swap or an insert is found by audit_verify.  Objects, records, log lines and
 * invocations (CloudTrail's data events) are not recorded. */

#include "service/call.h"

enum {
    AUDIT_RECORD_BYTES_MAX = 64 << 10,
    AUDIT_PARAMETERS_BYTES_MAX = 32 << 10, /* longer ones are left out */
    AUDIT_STRANGERS_MAX = 100, /* events a minute of callers who could not be verified */
    AUDIT_DAYS = 90,
};

bool audit_open(Server *server, Error *err);
void audit_close(Server *server);
extern const Service cloudtrail_service;

/* Before the handler: the event of a change is written in the transaction of the change. */
void audit_begin(Call *call);
void audit_cancel(Call *call); /* the call was parked and will begin again */

/* The dispatcher calls this once per call, before the answer leaves.  `failure` is NULL when the call succeeded;
 * call->code then has the code.  Which calls are recorded is decided here: writes and refusals, not the reads that
 * succeed; `call->operation` is NULL when the request never got so far. */
void audit_record(Call *call, const Error *failure);

/* Reads the whole chain.  False when it is broken: err says where. */
bool audit_verify(Db *db, int64_t *ret_events, Error *err);

#endif
