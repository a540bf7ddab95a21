/* The way in: datagrams by their first octet (RFC 7983), media into its ring, the rest to the control side. */
#define _GNU_SOURCE
#include "plane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define EXPORT __attribute__((visibility("default")))
#define READ_BATCH 32

static const binding *bound_to(const channel *from, uint32_t ssrc) {
    for (int i = 0; i < from->bound_count; i++)
        if (from->bound[i].ssrc == ssrc) return &from->bound[i];
    return NULL;
}

static void note_arrival(channel *from, const packet *each, int64_t now_us) {
    int at = from->cc_extension ? each->extension[from->cc_extension] : 0;
    if (at == 0 || each->length[from->cc_extension] != 2) return;
    if (from->arrival_count == from->arrival_room) {
        int room = from->arrival_room ? 2 * from->arrival_room : 64;
        int64_t *arrivals = realloc(from->arrivals, (size_t)room * 2 * sizeof *arrivals);
        if (arrivals == NULL) return;
        from->arrivals = arrivals;
        from->arrival_room = room;
    }
    from->arrivals[2 * from->arrival_count] = each->data[at] << 8 | each->data[at + 1];
    from->arrivals[2 * from->arrival_count++ + 1] = now_us;
}

static void media(pl_plane *of, channel *from, const uint8_t *data, int size, int64_t now_us, int is_arrival) {
    packet each;
    if (packet_parse(&each, data, size)) {
        of->counters.rejected++;
        return;
    }
    if (is_arrival) note_arrival(from, &each, now_us);
    const binding *bound = bound_to(from, each.ssrc);
    if (bound == NULL) {
        send_event(of, (pl_event){.kind = EVENT_UNBOUND, .handle = from->handle}, data, size);
        return;
    }
    stream *into = table_get(&of->streams, (uint64_t)(uint32_t)bound->stream);
    if (into == NULL) return;
    const pl_stream_format *form = &into->in.form;
    if (each.payload_type != (bound->rtx ? form->rtx_payload_type : form->payload_type)) {
        of->counters.unannounced++;
        return;
    }
    if (bound->rtx && packet_unwrap_rtx(&each, form->payload_type)) return; /* a bandwidth probe: nothing to forward */
    if (each.size + 64 > MOST_BYTES) {
        of->counters.rejected++;
        return;
    }
    held *taken;
    int64_t gap;
    int found = ring_take(&into->in, &each, now_us, &taken, &gap);
    if (found <= 0) {
        of->counters.stale += found == 0;
        return;
    }
    if (into->in.packets == 1) send_event(of, (pl_event){.kind = EVENT_STARTED, .handle = into->handle}, NULL, 0);
    if (gap)
        send_event(of, (pl_event){.kind = EVENT_GAP, .handle = into->handle, .first = taken->extended - gap, .missing = gap},
                   NULL, 0);
    if (taken->keyframe) send_event(of, (pl_event){.kind = EVENT_KEYFRAME, .handle = into->handle}, NULL, 0);
    if (into->is_open && (into->legs.count || into->waiting.count) && list_add(&into->pending, taken) == 0) {
        if (!into->dirty && list_add(&of->dirty, into) == 0) into->dirty = 1;
    } else {
        held_drop(taken);
    }
}

static void datagram(pl_plane *of, uint8_t *data, int size, uint32_t ip, uint32_t port, int64_t now_us) {
    int first = size ? data[0] : 64;
    channel *from = table_get(&of->addresses, (uint64_t)1 << 48 | (uint64_t)ip << 16 | port);
    of->counters.packets_in++;
    of->counters.bytes_in += (uint64_t)size;
    if (first < 4) {
        send_event(of, (pl_event){.kind = EVENT_DATAGRAM, .ip = ip, .port = port}, data, size);
    } else if (from == NULL) {
        of->counters.stranger++;
    } else if (first >= 20 && first <= 63) {
        send_event(of, (pl_event){.kind = EVENT_DATAGRAM, .handle = from->handle, .ip = ip, .port = port}, data, size);
    } else if (first < 128 || first > 191 || from->inbound == NULL || size < 12) {
        of->counters.rejected++;
    } else {
        int is_rtcp = data[1] >= 192 && data[1] <= 223; /* RFC 5761 section 4 */
        int length = size;
        if ((is_rtcp ? of->unprotect_rtcp : of->unprotect)(from->inbound, data, &length) || length < 0 || length > size) {
            of->counters.rejected++;
            return;
        }
        from->heard_us = now_us;
        if (is_rtcp)
            send_event(of, (pl_event){.kind = EVENT_RTCP, .handle = from->handle}, data, length);
        else
            media(of, from, data, length, now_us, 1);
    }
}

EXPORT void pl_inject(pl_plane *of, int32_t transport, const uint8_t *data, int size, int64_t now_us) {
    channel *from = table_get(&of->channels, (uint64_t)(uint32_t)transport);
    if (from == NULL || size < 12 || size > INPUT_BYTES) return;
    uint32_t ssrc = (uint32_t)data[8] << 24 | (uint32_t)data[9] << 16 | (uint32_t)data[10] << 8 | data[11];
    if (bound_to(from, ssrc) != NULL) media(of, from, data, size, now_us, 0);
}

/* Read until nothing waits, or READS datagrams. */
EXPORT void pl_readable(pl_plane *of, int64_t now_us) {
    struct mmsghdr messages[READ_BATCH];
    struct iovec vectors[READ_BATCH];
    struct sockaddr_in addresses[READ_BATCH];
    for (int done = 0; done < READS;) {
        for (int i = 0; i < READ_BATCH; i++) {
            vectors[i] = (struct iovec){of->input + (size_t)i * INPUT_BYTES, INPUT_BYTES};
            memset(&messages[i], 0, sizeof messages[i]);
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &addresses[i];
            messages[i].msg_hdr.msg_namelen = sizeof addresses[i];
        }
        int count = recvmmsg(of->fd, messages, READ_BATCH, MSG_DONTWAIT, NULL);
        if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != EBADF) {
            done++; /* an ICMP error of an earlier send is reported here */
            continue;
        }
        if (count <= 0) return;
        for (int i = 0; i < count; i++)
            datagram(of, vectors[i].iov_base, (int)messages[i].msg_len, ntohl(addresses[i].sin_addr.s_addr),
                     ntohs(addresses[i].sin_port), now_us);
        done += count;
        if (count < READ_BATCH) return;
    }
}

EXPORT int64_t pl_flush(pl_plane *of, int64_t now_us) { return send_flush(of, now_us); }

EXPORT void pl_remove_transport(pl_plane *of, int32_t transport);
EXPORT void pl_remove_stream(pl_plane *of, int32_t handle);

static int32_t any_key(const table *in) {
    for (uint32_t at = 0; at < in->room; at++)
        if (in->keys[at]) return (int32_t)in->keys[at];
    return 0;
}

/* Let everything go.  The socket is its maker's to close. */
EXPORT void pl_close(pl_plane *of) {
    for (int32_t handle; (handle = any_key(&of->channels));) pl_remove_transport(of, handle);
    for (int32_t handle; (handle = any_key(&of->streams));) pl_remove_stream(of, handle);
    for (; of->backlog_count; of->backlog_count--, of->backlog_first++)
        free(of->backlog[of->backlog_first % 2048].data);
    table *tables[] = {&of->channels, &of->streams, &of->legs, &of->addresses};
    for (int i = 0; i < 4; i++) {
        free(tables[i]->keys);
        free(tables[i]->values);
    }
    free(of->every_stream.items);
    free(of->dirty.items);
    free(of->queues.items);
    free(of->events);
    free(of->octets);
    free(of->backlog);
    free(of->input);
    free(of->output);
    free(of->runs);
    free(of);
}
