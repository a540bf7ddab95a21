/* The socket's way out: runs by UDP_SEGMENT (udp(7)), marked, with a bounded backlog for a full socket (udp.py). */
#include "plane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define BACKLOG 2048
#define BACKLOG_US 500

/* 0 when the socket is full; what the kernel refuses is counted and done with. */
static int try_run(pl_plane *of, const uint8_t *data, int size, int segment, int count, int tos, uint32_t ip, uint32_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(ip)};
    struct iovec vector = {(void *)data, (size_t)size};
    union {
        char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &vector, .msg_iovlen = 1};
    message.msg_control = control.room;
    message.msg_controllen = count > 1 ? sizeof control.room : CMSG_SPACE(sizeof(int));
    struct cmsghdr *mark = CMSG_FIRSTHDR(&message);
    mark->cmsg_level = IPPROTO_IP;
    mark->cmsg_type = IP_TOS;
    mark->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(mark), &tos, sizeof tos);
    if (count > 1) {
        uint16_t each = (uint16_t)segment;
        mark = CMSG_NXTHDR(&message, mark);
        mark->cmsg_level = IPPROTO_UDP;
        mark->cmsg_type = UDP_SEGMENT;
        mark->cmsg_len = CMSG_LEN(sizeof each);
        memcpy(CMSG_DATA(mark), &each, sizeof each);
    }
    if (sendmsg(of->fd, &message, 0) >= 0) {
        of->counters.sends++;
        of->counters.packets_out += (uint64_t)count;
        of->counters.bytes_out += (uint64_t)size;
        return 1;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
    if (count > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE || errno == ENOPROTOOPT)) {
        of->gso = 0; /* this path has no segmentation: one by one from here on */
        for (int at = 0; at < size; at += segment) {
            int some = size - at < segment ? size - at : segment;
            if (!try_run(of, data + at, some, segment, 1, tos, ip, port)) return 0;
        }
        return 1;
    }
    of->counters.send_error += (uint64_t)count;
    return 1;
}

static void keep(pl_plane *of, const uint8_t *data, int size, int segment, int count, int tos, uint32_t ip, uint32_t port) {
    uint8_t *copy = NULL;
    if (of->backlog == NULL) of->backlog = calloc(BACKLOG, sizeof *of->backlog);
    if (of->backlog == NULL || of->backlog_count == BACKLOG || (copy = malloc((size_t)size)) == NULL) {
        of->counters.queue_full += (uint64_t)count;
        return;
    }
    memcpy(copy, data, (size_t)size);
    waiting_run made = {copy, size, segment, count, tos, ip, port};
    of->backlog[(of->backlog_first + of->backlog_count++) % BACKLOG] = made;
}

void port_write(pl_plane *of, const uint8_t *data, int size, int segment, int count, int tos, uint32_t ip, uint32_t port) {
    if (count > 1 && !of->gso) {
        for (int at = 0; at < size; at += segment)
            port_write(of, data + at, size - at < segment ? size - at : segment, segment, 1, tos, ip, port);
    } else if (of->backlog_count || !try_run(of, data, size, segment, count, tos, ip, port)) {
        keep(of, data, size, segment, count, tos, ip, port);
    }
}

int64_t port_write_backlog(pl_plane *of) {
    while (of->backlog_count) {
        waiting_run *first = &of->backlog[of->backlog_first];
        if (!try_run(of, first->data, first->size, first->segment, first->count, first->tos, first->ip, first->port))
            return BACKLOG_US;
        free(first->data);
        of->backlog_first = (of->backlog_first + 1) % BACKLOG;
        of->backlog_count--;
    }
    return 0;
}
