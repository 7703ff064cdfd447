#ifndef CLARY_FORMAT_REGEX_H
#define CLARY_FORMAT_REGEX_H

/* Regular expressions that take linear time, for patterns and texts of strangers.
 *
 *     if (!regex_new(STR("loss=([0-9.]+)"), 0, &regex, err)) return false;
 *     Str groups[REGEX_GROUPS_MAX];
 *     if (regex_search(regex, line, groups)) use(groups[1]);
 *
 * The notation that Java, Python and ECMAScript share: classes, \d \w \s (ASCII), \p{L} and other general
 * categories, groups (numbered, named, (?:...)), greedy and lazy repetition, ^ $ \A \z \Z \b \B, alternatives,
 * (?i) (?s) (?m), look-ahead and look-behind of any length.  Refused: back-references, possessive and atomic
 * groups, conditionals.  A match is the one that those languages find: leftmost, then by preference.
 * Texts are UTF-8; a byte that is not is a character of its own.
 *
 * The time is (states of the pattern) x (bytes of the text), the memory (states + groups) plus a bit per byte
 * and look-around.  A Regex does not change: threads may share it. */

#include "base/error.h"
#include "base/str.h"

typedef struct Regex Regex;

enum {
    REGEX_BYTES_MAX = 1024,
    REGEX_OUR_BYTES_MAX = 4096,
    REGEX_STATES_MAX = 10000, /* repetition counts expand */
    REGEX_GROUPS_MAX = 10,    /* with group 0, the whole match */
    REGEX_DEPTH_MAX = 32,     /* of groups in groups */
    REGEX_LOOKS_MAX = 16,
};

enum {
    REGEX_IGNORE_CASE = 1, /* ASCII letters */
    REGEX_OURS = 2,        /* the pattern is no stranger's and may be longer */
};

bool regex_new(Str pattern, int flags, Regex **ret_regex, Error *err);
void regex_free(Regex *regex);
AUTO_FREE(Regex, regex_free);

/* The whole text, as Java's matches() and Python's fullmatch(). */
bool regex_matches(const Regex *regex, Str text);

/* The first match anywhere.  Groups that took no part have ptr NULL; ret_groups may be NULL. */
bool regex_search(const Regex *regex, Str text, Str ret_groups[REGEX_GROUPS_MAX]);

int regex_states(const Regex *regex);
int regex_groups(const Regex *regex); /* with group 0; at most REGEX_GROUPS_MAX */

#endif
