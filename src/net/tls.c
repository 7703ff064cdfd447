/* TLS sessions and certificates, by OpenSSL 3.
 *
 * An authority's certificates share one key, made at start: only the names in them differ, and none
 * leaves this process.  They are made when a client first asks for a name (some 100 us for the
 * signature) and kept, up to a number; names come from clients, so the number is bounded. */

#include "net/tls.h"

#include "net/http_grammar.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    NAME_MAX_LEN = 253,
    CERTIFICATES_MAX = 1024,
    DAY = 24 * 3600,
    AUTHORITY_DAYS = 3650,
    CERTIFICATE_DAYS = 365,
};

typedef struct Issued {
    char name[NAME_MAX_LEN + 1];
    X509 *certificate;
} Issued;

struct TlsContext {
    const TlsMethods *methods; /* first */
    SSL_CTX *ssl;
    X509 *authority; /* NULL: one certificate for all */
    EVP_PKEY *authority_key, *key;
    pthread_mutex_t lock; /* of what was issued */
    Issued *issued;
    size_t n_issued;
};

struct Tls {
    SSL *ssl;
    bool h2; /* is offered */
    char name[NAME_MAX_LEN + 1];
};

/* What OpenSSL says of its failure, which is then forgotten. */
PRINTF_LIKE(2, 3) static bool ssl_error(Error *err, const char *format, ...)
{
    char text[512], reason[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    unsigned long code = ERR_peek_last_error();
    ERR_error_string_n(code, reason, sizeof reason);
    const char *words = ERR_reason_error_string(code);
    ERR_clear_error();
    return error_set(err, ERROR_INVALID, "%s: %s", text, words ? words : reason);
}

/* ---- names ---- */

/* Lower case, without a final dot; false when it is no name. */
static bool take_name(Str host, char name[static NAME_MAX_LEN + 1])
{
    if (host.len && host.ptr[host.len - 1] == '.') host.len--;
    if (host.len == 0 || host.len > NAME_MAX_LEN) return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!http_is(c, CHAR_HOST) || c == '~') return false;
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    name[host.len] = '\0';
    return true;
}

bool tls_is_aws_name(Str host)
{
    char text[NAME_MAX_LEN + 1];
    if (!take_name(host, text)) return false;
    Str name = str_of(text);
    return str_is(name, "amazonaws.com") || str_ends(name, STR(".amazonaws.com"));
}

/* ---- certificates ---- */

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    bytes[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

static bool set_name(X509_NAME *name, const char *common)
{
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"clary", -1,
                                      -1, 0) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1,
                                      -1, 0);
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

/* A certificate with what both kinds have; signed by the caller. */
static X509 *new_certificate(EVP_PKEY *key, const char *common, int days)
{
    X509 *certificate = X509_new();
    if (certificate && X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY) &&
        X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) &&
        X509_set_pubkey(certificate, key) && set_name(X509_get_subject_name(certificate), common))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static X509 *make_authority(EVP_PKEY *key)
{
    X509 *certificate = new_certificate(key, "clary local authority", AUTHORITY_DAYS);
    if (certificate && X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) &&
        add_extension(certificate, certificate, NID_basic_constraints,
                      "critical,CA:TRUE,pathlen:0") &&
        add_extension(certificate, certificate, NID_key_usage,
                      "critical,digitalSignature,keyCertSign,cRLSign") &&
        add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
        add_extension(certificate, certificate, NID_name_constraints,
                      "critical,permitted;DNS:amazonaws.com") &&
        X509_sign(certificate, key, EVP_sha256()))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static X509 *make_leaf(const TlsContext *context, const char *name)
{
    char names[NAME_MAX_LEN + 8];
    snprintf(names, sizeof names, "DNS:%s", name);
    /* A common name has at most 64 bytes; clients look at the alternative names only. */
    X509 *certificate = new_certificate(context->key, "clary", CERTIFICATE_DAYS);
    if (certificate &&
        X509_set_issuer_name(certificate, X509_get_subject_name(context->authority)) &&
        add_extension(certificate, context->authority, NID_basic_constraints,
                      "critical,CA:FALSE") &&
        add_extension(certificate, context->authority, NID_key_usage,
                      "critical,digitalSignature") &&
        add_extension(certificate, context->authority, NID_ext_key_usage, "serverAuth") &&
        add_extension(certificate, context->authority, NID_subject_key_identifier, "hash") &&
        add_extension(certificate, context->authority, NID_authority_key_identifier, "keyid") &&
        add_extension(certificate, context->authority, NID_subject_alt_name, names) &&
        X509_sign(certificate, context->authority_key, EVP_sha256()))
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* The certificate for a name, with a reference of its own; NULL when it cannot be made. */
static X509 *certificate_for(TlsContext *context, const char *name)
{
    pthread_mutex_lock(&context->lock);
    X509 *certificate = NULL;
    for (size_t i = 0; i < context->n_issued && !certificate; i++)
        if (strcmp(context->issued[i].name, name) == 0)
            certificate = context->issued[i].certificate;
    if (!certificate) {
        certificate = make_leaf(context, name);
        if (certificate && context->n_issued == CERTIFICATES_MAX) { /* begin anew */
            for (size_t i = 0; i < context->n_issued; i++)
                X509_free(context->issued[i].certificate);
            context->n_issued = 0;
        }
        if (certificate) {
            Issued *issued = &context->issued[context->n_issued++];
            issued->certificate = certificate;
            memcpy(issued->name, name, strlen(name) + 1);
        }
    }
    if (certificate) X509_up_ref(certificate);
    pthread_mutex_unlock(&context->lock);
    return certificate;
}

/* OpenSSL asks for the certificate within the handshake, when the client's name is known. */
static int choose_certificate(SSL *ssl, void *arg)
{
    TlsContext *context = arg;
    const Tls *tls = SSL_get_app_data(ssl);
    char name[NAME_MAX_LEN + 1];
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    Str wanted = str_of(asked ? asked : tls->name);
    if (!tls_is_aws_name(wanted) || !take_name(wanted, name)) return 0;
    X509 *certificate = certificate_for(context, name);
    bool set = certificate && SSL_use_certificate(ssl, certificate) == 1 &&
               SSL_use_PrivateKey(ssl, context->key) == 1;
    X509_free(certificate);
    return set;
}

/* ---- sessions ---- */

static Tls *start_session(TlsContext *context, int fd, Str name, bool h2)
{
    Tls *tls = calloc(1, sizeof *tls);
    if (!tls) return NULL;
    tls->h2 = h2;
    tls->ssl = SSL_new(context->ssl);
    if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1) {
        SSL_free(tls->ssl);
        free(tls);
        ERR_clear_error();
        return NULL;
    }
    if (!take_name(name, tls->name)) tls->name[0] = '\0';
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

static void end_session(Tls *tls)
{
    if (!tls) return;
    SSL_free(tls->ssl);
    free(tls);
    ERR_clear_error();
}

static TlsState handshake(Tls *tls)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) return TLS_DONE;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ: return TLS_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WRITE;
    default: ERR_clear_error(); return TLS_FAILED;
    }
}

static TlsState bye(Tls *tls)
{
    if (!SSL_is_init_finished(tls->ssl)) return TLS_DONE;
    ERR_clear_error();
    int result = SSL_shutdown(tls->ssl);
    bool waits = result < 0 && SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_WRITE;
    return waits ? TLS_WRITE : TLS_DONE;
}

static bool is_h2(const Tls *tls)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* The outcome of SSL_read or SSL_write in the words of recv and send. */
static ssize_t outcome(Tls *tls, int result)
{
    if (result > 0) return result;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default:
        ERR_clear_error();
        errno = ECONNRESET;
        return -1;
    }
}

static ssize_t receive(Tls *tls, char *buffer, size_t size)
{
    assert(size >= TLS_RECORD);
    ERR_clear_error();
    return outcome(tls, SSL_read(tls->ssl, buffer, (int)MIN(size, (size_t)1 << 20)));
}

static ssize_t transmit(Tls *tls, const char *bytes, size_t n)
{
    if (n == 0) return 0;
    ERR_clear_error();
    return outcome(tls, SSL_write(tls->ssl, bytes, (int)MIN(n, (size_t)1 << 20)));
}

static const TlsMethods methods = {
    .start = start_session,
    .end = end_session,
    .handshake = handshake,
    .bye = bye,
    .is_h2 = is_h2,
    .recv = receive,
    .send = transmit,
};

/* ---- contexts ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg UNUSED)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    const Tls *tls = SSL_get_app_data(ssl);
    unsigned skip = tls->h2 ? 0 : 3;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours + skip, (unsigned)sizeof ours - 1 - skip, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static TlsContext *new_context(Error *err)
{
    TlsContext *context = calloc(1, sizeof *context);
    if (!context) memory_exhausted(sizeof *context);
    context->methods = &methods;
    pthread_mutex_init(&context->lock, NULL);
    SSL_CTX *ssl = context->ssl = SSL_CTX_new(TLS_server_method());
    static const char suites[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!SHA1";
    if (!ssl || !SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ssl, suites) ||
        !SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384")) {
        ssl_error(err, "setting up TLS");
        tls_context_free(context);
        return NULL;
    }
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return context;
}

void tls_context_free(TlsContext *context)
{
    if (!context) return;
    for (size_t i = 0; i < context->n_issued; i++) X509_free(context->issued[i].certificate);
    free(context->issued);
    X509_free(context->authority);
    EVP_PKEY_free(context->authority_key);
    EVP_PKEY_free(context->key);
    SSL_CTX_free(context->ssl);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

bool tls_context_new(const char *certificate_path, const char *key_path, TlsContext **ret_context,
                     Error *err)
{
    AUTO(tls_context_free) TlsContext *context = new_context(err);
    if (!context) return false;
    if (SSL_CTX_use_certificate_chain_file(context->ssl, certificate_path) != 1)
        return ssl_error(err, "reading the certificate '%s'", certificate_path);
    if (SSL_CTX_use_PrivateKey_file(context->ssl, key_path, SSL_FILETYPE_PEM) != 1)
        return ssl_error(err, "reading the key '%s'", key_path);
    if (SSL_CTX_check_private_key(context->ssl) != 1)
        return ssl_error(err, "the key '%s' is not that of the certificate '%s'", key_path,
                         certificate_path);
    *ret_context = STEAL(context);
    return true;
}

static void close_file(FILE **file)
{
    if (*file) fclose(*file);
}

bool tls_authority_new(const char *key_path, const char *certificate_path, TlsContext **ret_context,
                       Error *err)
{
    AUTO(tls_context_free) TlsContext *context = new_context(err);
    if (!context) return false;
    __attribute__((cleanup(close_file))) FILE *file = fopen(certificate_path, "re");
    if (!file) return error_sys(err, errno, "open '%s'", certificate_path);
    context->authority = PEM_read_X509(file, NULL, NULL, NULL);
    if (!context->authority)
        return ssl_error(err, "reading the authority's certificate '%s'", certificate_path);
    __attribute__((cleanup(close_file))) FILE *key_file = fopen(key_path, "re");
    if (!key_file) return error_sys(err, errno, "open '%s'", key_path);
    context->authority_key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
    if (!context->authority_key)
        return ssl_error(err, "reading the authority's key '%s'", key_path);
    if (X509_check_private_key(context->authority, context->authority_key) != 1)
        return ssl_error(err, "the key '%s' is not that of '%s'", key_path, certificate_path);
    context->key = EVP_EC_gen("P-256");
    context->issued = calloc(CERTIFICATES_MAX, sizeof *context->issued);
    if (!context->key || !context->issued) return ssl_error(err, "making a key");
    SSL_CTX_set_cert_cb(context->ssl, choose_certificate, context);
    *ret_context = STEAL(context);
    return true;
}

/* A new file with that mode from its first moment on. */
static FILE *create_file(const char *path, mode_t mode, Error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) error_sys(err, errno, "create '%s'", path);
    return file;
}

static bool finish_file(FILE *file, bool written, const char *path, Error *err)
{
    bool synced = fflush(file) == 0 && fsync(fileno(file)) == 0;
    int code = errno;
    bool closed = fclose(file) == 0;
    if (written && synced && closed) return true;
    unlink(path);
    return error_sys(err, code, "write '%s'", path);
}

bool tls_authority_create(const char *key_path, const char *certificate_path, Error *err)
{
    bool has_key = access(key_path, F_OK) == 0,
         has_certificate = access(certificate_path, F_OK) == 0;
    if (has_key && has_certificate) return true;
    if (has_key != has_certificate)
        return error_set(err, ERROR_CONFLICT,
                         "'%s' is there but '%s' is not: remove it, or put the "
                         "other back",
                         has_key ? key_path : certificate_path,
                         has_key ? certificate_path : key_path);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key ? make_authority(key) : NULL;
    bool done = false;
    if (!certificate) {
        ssl_error(err, "making an authority");
    } else {
        FILE *file = create_file(key_path, 0600, err);
        done = file && finish_file(file, PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                                   key_path, err);
        file = done ? create_file(certificate_path, 0644, err) : NULL;
        bool written = file &&
                       finish_file(file, PEM_write_X509(file, certificate), certificate_path, err);
        if (done && !written) unlink(key_path);
        done = written;
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return done;
}
