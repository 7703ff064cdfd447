#ifndef CLARY_BASE_ERROR_H
#define CLARY_BASE_ERROR_H

/* One way to fail.  A function that can fail returns bool, takes `Error *err` last and fills it
 * exactly when it returns false.  The deepest function states the fact; callers add context:
 *
 *     reading 'train.csv': row 17: 9 fields, the header has 8
 *
 * error_set, error_sys and error_in return false, so that callers can return them. */

#include "base/base.h"

typedef enum ErrorKind {
    ERROR_NONE,
    ERROR_INVALID,     /* the input or a setting is wrong; the user can mend it */
    ERROR_NOT_FOUND,   /* the thing that was named does not exist */
    ERROR_CONFLICT,    /* it exists already, or its state forbids the call */
    ERROR_LIMIT,       /* larger than a stated maximum */
    ERROR_DENIED,      /* not permitted */
    ERROR_UNSUPPORTED, /* valid, but not built here */
    ERROR_NUMERIC,     /* a computation diverged or is undefined */
    ERROR_CANCELLED,   /* asked to stop */
    ERROR_TIMEOUT,
    ERROR_NO_MEMORY, /* data-sized memory was refused */
    ERROR_IO,        /* the system failed us */
    ERROR_INTERNAL,  /* a bug of ours */
} ErrorKind;

enum { ERROR_TEXT_MAX = 2048 };

typedef struct Error {
    ErrorKind kind;
    char text[ERROR_TEXT_MAX]; /* a sentence without a final stop; NUL-terminated */
} Error;

/* States a finding of ours.  `err` may be NULL where the caller needs no text. */
bool error_set(Error *err, ErrorKind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* States a failed system call: "FORMAT: strerror(code)".  The kind follows from `code`. */
bool error_sys(Error *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "FORMAT: " before the text that is there, keeping the kind. */
bool error_in(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends to the text that is there, keeping the kind; what does not fit is cut with "...". */
bool error_more(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* All four yield false.  clang's analyzer cannot see that across files, and follows ways that are not. */
#if defined(__clang_analyzer__)
#define error_set(...) (error_set(__VA_ARGS__), false)
#define error_sys(...) (error_sys(__VA_ARGS__), false)
#define error_in(...) (error_in(__VA_ARGS__), false)
#define error_more(...) (error_more(__VA_ARGS__), false)
#endif

/* "invalid", "not found", ...: for logs and JSON. */
const char *error_kind_name(ErrorKind kind);

#endif
