#ifndef CLARY_SERVICE_CHECK_H
#define CLARY_SERVICE_CHECK_H

/* Is everything that is stored as it was written?  (Rules D7 and U1.) */

#include "format/json.h"
#include "service/server.h"

/* Reads every object and the whole audit trail; writes an object's members: objects, events, findings. */
bool server_check(Server *server, JsonWriter *out, Error *err);

#endif
