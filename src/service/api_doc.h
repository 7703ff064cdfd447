#ifndef CLARY_SERVICE_API_DOC_H
#define CLARY_SERVICE_API_DOC_H

/* What claryd does of each operation that AWS has: `claryd --describe-api`, from which tools/api_doc.py makes
 * doc/api.md. */

#include "base/strbuf.h"

enum { API_DESCRIPTION_BYTES_MAX = 4 << 20 };

/* {"services": [{"name", "version", "protocols", "operations": [{"name", "does": "computes" or "stores",
 * "action", "resource"}], "refused": [names]}]} */
void api_describe(StrBuf *out);

#endif
