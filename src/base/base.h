#ifndef CLARY_BASE_BASE_H
#define CLARY_BASE_BASE_H

/* Words every file uses: sizes, ownership marks and compiler hints.  Includes nothing but the
 * C library, so any header may include it. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define UNUSED __attribute__((unused))

/* Marks a local array that a hot function fills itself; we compile with automatic zeroing. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

/* AUTO(frame_free) Frame *frame = NULL; calls frame_free(frame) on every way out of the scope.
 * The header that declares frame_free says AUTO_FREE(Frame, frame_free) once. */
#define AUTO(function) __attribute__((cleanup(auto_##function)))
#define AUTO_FREE(Type, function)                                                                  \
    static inline void auto_##function(Type **pointer)                                             \
    {                                                                                              \
        function(*pointer);                                                                        \
    }                                                                                              \
    struct auto_semicolon_##function

/* Hands a pointer on: the variable is NULL afterwards and its AUTO does nothing. */
#define STEAL(pointer)                                                                             \
    ({                                                                                             \
        __typeof__(pointer) stolen_ = (pointer);                                                   \
        (pointer) = NULL;                                                                          \
        stolen_;                                                                                   \
    })

#endif
