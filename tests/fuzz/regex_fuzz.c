/* A pattern, a line feed, a text.  A whole match is also found by searching. */

#include "format/regex.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str all = {(const char *)data, size};
    size_t line = str_find(all, '\n');
    Str pattern = str_slice(all, 0, line), text = str_from(all, line < size ? line + 1 : size);
    if (text.len > 4096) text.len = 4096;
    AUTO(regex_free) Regex *regex = NULL;
    Error err = {0};
    if (!regex_new(pattern, 0, &regex, &err)) {
        if (!err.text[0]) abort();
        return 0;
    }
    if ((size_t)regex_states(regex) * text.len > 4 << 20) return 0; /* linear, but long */
    Str groups[REGEX_GROUPS_MAX];
    bool whole = regex_matches(regex, text), found = regex_search(regex, text, groups);
    if (whole && !found) abort();
    for (int i = 0; found && i < regex_groups(regex); i++) {
        if (!groups[i].ptr) continue;
        if (groups[i].ptr < text.ptr || groups[i].ptr + groups[i].len > text.ptr + text.len)
            abort();
    }
    return 0;
}
