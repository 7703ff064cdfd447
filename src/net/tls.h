#ifndef CLARY_NET_TLS_H
#define CLARY_NET_TLS_H

/* TLS for the HTTP server, by OpenSSL 3: versions 1.2 and 1.3, AEAD suites with forward secrecy
 * only, ALPN "h2" and "http/1.1".
 *
 * A context is made once and shared by the servers of all loops; OpenSSL locks what they share.  It
 * has either one certificate, from files, or an authority (a CA of our own) that makes a
 * certificate for each name a client asks for: so a proxy answers for *.amazonaws.com.
 *
 * Whoever has an authority's key can pose as any site to programs that trust it, so the key is made
 * with mode 0600 and the authority's certificate permits names below amazonaws.com only. */

#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

typedef struct TlsContext TlsContext;
typedef struct Tls Tls;

/* PEM files: the certificate (then those between it and the root), and its key. */
bool tls_context_new(const char *certificate_path, const char *key_path, TlsContext **ret_context,
                     Error *err);

/* An authority's key (mode 0600) and certificate, good for ten years.  Files that are there stay as
 * they are; one without the other is an error. */
bool tls_authority_create(const char *key_path, const char *certificate_path, Error *err);
bool tls_authority_new(const char *key_path, const char *certificate_path, TlsContext **ret_context,
                       Error *err);

void tls_context_free(TlsContext *context); /* after all sessions; NULL is fine */
AUTO_FREE(TlsContext, tls_context_free);

/* Is it a name that an authority makes certificates for: amazonaws.com or one below it? */
bool tls_is_aws_name(Str host);

/* ---- a session, inside of net ----
 *
 * The server calls these through the context, so that programs without TLS link none of it. */

enum { TLS_RECORD = 16 << 10 };

typedef enum TlsState { TLS_DONE, TLS_READ, TLS_WRITE, TLS_FAILED } TlsState;

typedef struct TlsMethods {
    /* The server's side on a connected socket; name: for clients that send none (SNI); h2: offer
     * HTTP/2.  Or NULL. */
    Tls *(*start)(TlsContext *context, int fd, Str name, bool h2);
    void (*end)(Tls *tls); /* does not close the socket */
    /* Goes on with the handshake: READ and WRITE say what it waits for. */
    TlsState (*handshake)(Tls *tls);
    /* Says that nothing follows: WRITE when the socket has no room for it now, else DONE. */
    TlsState (*bye)(Tls *tls);
    bool (*is_h2)(const Tls *tls); /* what ALPN agreed on */
    /* As recv and send on a socket that does not wait: -1 and errno EAGAIN.  `size` is at least
     * TLS_RECORD, so that nothing stays inside that epoll does not know of.  After EAGAIN, `send`
     * must be called with the same bytes (and maybe more). */
    ssize_t (*recv)(Tls *tls, char *buffer, size_t size);
    ssize_t (*send)(Tls *tls, const char *bytes, size_t n);
} TlsMethods;

/* Every context begins with it. */
static inline const TlsMethods *tls_methods(const TlsContext *context)
{
    return *(const TlsMethods *const *)(const void *)context;
}

#endif
