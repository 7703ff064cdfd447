/* Listening sockets. */

#include "net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static bool resolve(const char *host, int port, struct sockaddr_storage *ret_address,
                    socklen_t *ret_len, Error *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret_address;
    memset(ret_address, 0, sizeof *ret_address);
    if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *ret_len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *ret_len = sizeof *v6;
        return true;
    }
    return error_set(err, ERROR_INVALID,
                     "'%s' is not an IP address to listen on (0.0.0.0 means all)", host);
}

static bool open_tcp(const struct sockaddr_storage *address, socklen_t len, bool reuse,
                     const char *host, int port, int *ret_fd, Error *err)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return error_sys(err, errno, "open a socket");
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (reuse) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
    if (bind(fd, (const struct sockaddr *)address, len) != 0 || listen(fd, BACKLOG) != 0) {
        int code = errno;
        close(fd);
        if (code == EADDRINUSE)
            return error_set(
                err, ERROR_CONFLICT,
                "port %d of %s is in use; choose another with --port, or 0 for any free one", port,
                host);
        return error_sys(err, code, "listen on %s port %d", host, port);
    }
    *ret_fd = fd;
    return true;
}

bool http_listen_tcp(const char *host, int port, bool reuse, int *ret_fd, int *ret_port, Error *err)
{
    struct sockaddr_storage address;
    socklen_t len;
    if (!resolve(host, port, &address, &len, err)) return false;
    int fd;
    if (!open_tcp(&address, len, reuse, host, port, &fd, err)) return false;
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 && ret_port)
        *ret_port = ntohs(
            ((struct sockaddr_in *)(void *)&address)->sin_port); /* at the same place in IPv6 */
    *ret_fd = fd;
    return true;
}

static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return true; /* in doubt leave it alone */
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

bool http_listen_unix(const char *path, int *ret_fd, Error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_LIMIT, "the socket path '%s' is longer than %zu bytes", path,
                         sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);

    struct stat status;
    if (lstat(path, &status) == 0) {
        if (!S_ISSOCK(status.st_mode))
            return error_set(err, ERROR_CONFLICT, "'%s' exists and is no socket", path);
        if (is_alive(&address))
            return error_set(err, ERROR_CONFLICT, "another server answers at '%s'", path);
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return error_sys(err, errno, "open a socket");
    /* The mode must hold from the first moment on: nobody can connect before listen. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0) {
        int code = errno;
        close(fd);
        return error_sys(err, code, "listen on '%s'", path);
    }
    *ret_fd = fd;
    return true;
}
