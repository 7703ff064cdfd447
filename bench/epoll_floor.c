/* The floor of an HTTP server on this machine: one thread, epoll, one recv and one send a request,
 * a fixed answer, and no more parsing than finding where a request ends.
 *
 *   epoll_floor PORT
 *
 * It is a measuring rod and no server: it believes its client. */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 65536, INPUT = 1 << 20, OUTPUT = 1 << 16, EVENTS = 256 };

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 9\r\n\r\n0.1234567";
static size_t missing[CONNECTIONS_MAX]; /* of the body being received */
static char input[INPUT], output[OUTPUT];

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024)) {
        perror("epoll_floor");
        exit(1);
    }
    return fd;
}

/* Answers every request that ends in input[0 .. n); returns the bytes of the answers. */
static size_t answer_all(size_t n, size_t *left)
{
    size_t out = 0, at = 0;
    while (at < n && out + sizeof answer < OUTPUT) {
        if (*left == 0) {
            char *end = memmem(input + at, n - at, "\r\n\r\n", 4);
            if (!end) break; /* heads come whole from the benchmark's client */
            *end = 0;
            char *length = strcasestr(input + at, "\r\nContent-Length:");
            *left = length ? strtoul(length + 17, NULL, 10) : 0;
            at = (size_t)(end + 4 - input);
        } else {
            size_t body = *left < n - at ? *left : n - at;
            at += body;
            *left -= body;
        }
        if (*left) continue;
        memcpy(output + out, answer, sizeof answer - 1);
        out += sizeof answer - 1;
    }
    return out;
}

static void serve(int fd)
{
    ssize_t n = recv(fd, input, INPUT - 1, 0);
    if (n <= 0) {
        close(fd);
        return;
    }
    input[n] = 0;
    size_t out = answer_all((size_t)n, &missing[fd]);
    if (out && send(fd, output, out, MSG_NOSIGNAL) < 0) close(fd);
}

int main(int argc, char **argv)
{
    int listener = listen_on(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080);
    int poll = epoll_create1(0);
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != listener) {
                serve(events[i].data.fd);
                continue;
            }
            int fd;
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0 &&
                   fd < CONNECTIONS_MAX) {
                missing[fd] = 0;
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
