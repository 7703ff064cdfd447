/* The logger, the one mutable global. */

#include "base/log.h"

#include "base/strbuf.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int level_now = LOG_INFO;

void log_level_set(LogLevel level)
{
    atomic_store(&level_now, (int)level);
}

void log_write(LogLevel level, const char *format, ...)
{
    static const char *const names[] = {"debug: ", "", "warning: ", "error: ", ""};
    if ((int)level < atomic_load(&level_now)) return;

    int saved = errno;
    AUTO_STRBUF StrBuf text = STRBUF(16 * 1024);
    va_list args;
    va_start(args, format);
    strbuf_addv(&text, format, args);
    va_end(args);

    AUTO_STRBUF StrBuf line = STRBUF(64 * 1024);
    strbuf_addf(&line, "clary: %s", names[level]);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 127)
            strbuf_addf(&line, "\\x%02x", c);
        else
            strbuf_add_char(&line, (char)c);
    }
    strbuf_add_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written; /* nowhere left to complain */
    errno = saved;
}
