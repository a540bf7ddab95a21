/* The interface, and the way in (pyplane.py).  Handles that are gone are ignored; functions that make something answer 0
 * when there is no memory for it. */
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

EXPORT const char *pl_source(void) { return PLANE_SOURCE; }

EXPORT pl_plane *pl_open(int fd, void *protect, void *unprotect, void *protect_rtcp, void *unprotect_rtcp) {
    pl_plane *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    made->input = malloc(READ_BATCH * INPUT_BYTES);
    made->output = malloc(RUN_BYTES + 2048);
    if (made->input == NULL || made->output == NULL) {
        free(made->input);
        free(made->output);
        free(made);
        return NULL;
    }
    made->fd = fd;
    made->gso = 1;
    made->protect = (pl_srtp)protect;
    made->unprotect = (pl_srtp)unprotect;
    made->protect_rtcp = (pl_srtp)protect_rtcp;
    made->unprotect_rtcp = (pl_srtp)unprotect_rtcp;
    return made;
}

EXPORT pl_counters *pl_get_counters(pl_plane *of) { return &of->counters; }
EXPORT int pl_event_count(pl_plane *of) { return of->event_count; }
EXPORT pl_event *pl_events(pl_plane *of) { return of->events; }
EXPORT uint8_t *pl_octets(pl_plane *of) { return of->octets; }

EXPORT void pl_events_taken(pl_plane *of) {
    of->event_count = 0;
    of->octet_count = 0;
}

static channel *channel_of(pl_plane *of, int32_t handle) { return table_get(&of->channels, (uint64_t)(uint32_t)handle); }
static stream *stream_of(pl_plane *of, int32_t handle) { return table_get(&of->streams, (uint64_t)(uint32_t)handle); }
static leg *leg_of(pl_plane *of, int32_t handle) { return table_get(&of->legs, (uint64_t)(uint32_t)handle); }
static uint64_t address_key(uint32_t ip, uint32_t port) { return (uint64_t)1 << 48 | (uint64_t)ip << 16 | (port & 0xFFFF); }

/* -- transports --------------------------------------------------------------------------------------------------- */

EXPORT int32_t pl_add_transport(pl_plane *of) {
    channel *made = calloc(1, sizeof *made);
    if (made == NULL) return 0;
    made->handle = ++of->handles;
    pacer_set_rate(&made->pace, 0);
    if (table_put(&of->channels, (uint64_t)made->handle, made)) {
        free(made);
        return 0;
    }
    return made->handle;
}

EXPORT void pl_remove_leg(pl_plane *of, int32_t handle);

static void leave_address(pl_plane *of, channel *known) {
    uint64_t key = address_key(known->ip, known->port);
    if (known->has_address && table_get(&of->addresses, key) == known) table_take(&of->addresses, key);
    known->has_address = 0;
}

EXPORT void pl_remove_transport(pl_plane *of, int32_t transport) {
    channel *known = table_take(&of->channels, (uint64_t)(uint32_t)transport);
    if (known == NULL) return;
    while (known->legs.count) pl_remove_leg(of, ((leg *)known->legs.items[0])->handle);
    leave_address(of, known);
    list_remove(&of->queues, known);
    pacer_clear(&known->pace);
    free(known->legs.items);
    free(known->bound);
    free(known->arrivals);
    free(known);
}

EXPORT void pl_set_address(pl_plane *of, int32_t transport, uint32_t ip, uint32_t port) {
    channel *known = channel_of(of, transport);
    if (known == NULL) return;
    leave_address(of, known);
    channel *former = table_get(&of->addresses, address_key(ip, port));
    if (former != NULL) former->has_address = 0;
    if (table_put(&of->addresses, address_key(ip, port), known)) return;
    known->ip = ip;
    known->port = port;
    known->has_address = 1;
}

EXPORT void pl_set_keys(pl_plane *of, int32_t transport, void *inbound, void *outbound, int tag) {
    channel *known = channel_of(of, transport);
    if (known == NULL) return;
    known->inbound = inbound;
    known->outbound = outbound;
    known->tag = tag;
}

EXPORT void pl_set_transport_cc(pl_plane *of, int32_t transport, int extension) {
    channel *known = channel_of(of, transport);
    if (known != NULL) known->cc_extension = extension & 0xFF;
}

EXPORT void pl_set_rate(pl_plane *of, int32_t transport, int64_t bps) {
    channel *known = channel_of(of, transport);
    if (known != NULL) pacer_set_rate(&known->pace, bps < 0 ? 0 : bps);
}

/* How many pairs there are; *into points at them until the next readable. */
EXPORT int pl_arrivals(pl_plane *of, int32_t transport, int64_t **into) {
    channel *known = channel_of(of, transport);
    if (known == NULL) return 0;
    int count = known->arrival_count;
    *into = known->arrivals;
    known->arrival_count = 0;
    return count;
}

EXPORT int pl_sent(pl_plane *of, int32_t transport, int sequence, int64_t *at_us, int64_t *octets) {
    channel *known = channel_of(of, transport);
    if (known == NULL) return 0;
    uint64_t back = (known->cc_next - (uint64_t)sequence) & 0xFFFF;
    if (back > known->cc_next) return 0;
    uint64_t wanted = known->cc_next - back, high = known->sent_runs;
    uint64_t low = high > SENT_RUNS ? high - SENT_RUNS : 0;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        const uint64_t *entry = known->sent[middle % SENT_RUNS];
        if (entry[1] <= wanted) {
            low = middle + 1;
        } else if (entry[0] > wanted) {
            high = middle;
        } else {
            uint64_t after = middle + 1 < known->sent_runs ? known->sent[(middle + 1) % SENT_RUNS][3] : known->octets;
            *at_us = (int64_t)entry[2];
            *octets = (int64_t)(entry[3] + (after - entry[3]) * (wanted - entry[0]) / (entry[1] - entry[0]));
            return 1;
        }
    }
    return 0;
}

EXPORT int64_t pl_heard_us(pl_plane *of, int32_t transport) {
    channel *known = channel_of(of, transport);
    return known != NULL ? known->heard_us : 0;
}

EXPORT void pl_send(pl_plane *of, const uint8_t *data, int size, uint32_t ip, uint32_t port, int tos) {
    port_write(of, data, size, size, 1, tos, ip, port);
}

EXPORT void pl_send_rtcp(pl_plane *of, int32_t transport, const uint8_t *data, int size) {
    channel *known = channel_of(of, transport);
    if (known == NULL || known->outbound == NULL || !known->has_address || size < 8 || size > MOST_BYTES) return;
    memcpy(of->output, data, (size_t)size);
    if (of->protect_rtcp(known->outbound, of->output, &size) == 0)
        port_write(of, of->output, size, size, 1, AF41, known->ip, known->port);
}

/* -- streams ------------------------------------------------------------------------------------------------------ */

EXPORT int32_t pl_add_stream(pl_plane *of, const pl_stream_format *form) {
    stream *made = calloc(1, sizeof *made);
    if (made == NULL || form->passed < 0 || form->passed > PASSED) {
        free(made);
        return 0;
    }
    made->handle = of->handles + 1;
    made->uses = 1;
    made->is_open = 1;
    made->in.form = *form;
    for (int i = 0; i < form->passed; i++) made->in.form.theirs[i] &= 0xFF;
    made->in.form.level_extension &= 0xFF;
    made->in.highest = -1;
    made->in.level = SILENT_LEVEL;
    if (list_add(&of->every_stream, made) || table_put(&of->streams, (uint64_t)made->handle, made)) {
        stream_drop(of, made);
        return 0;
    }
    return ++of->handles;
}

EXPORT void pl_remove_stream(pl_plane *of, int32_t handle) {
    stream *known = table_take(&of->streams, (uint64_t)(uint32_t)handle);
    if (known == NULL) return;
    for (uint32_t at = 0; at < of->channels.room; at++) {
        channel *each = of->channels.keys[at] ? of->channels.values[at] : NULL;
        if (each == NULL) continue;
        int kept = 0;
        for (int i = 0; i < each->bound_count; i++)
            if (each->bound[i].stream != handle) each->bound[kept++] = each->bound[i];
        each->bound_count = kept;
    }
    list *lists[] = {&known->legs, &known->waiting};
    for (int which = 0; which < 2; which++)
        for (int i = 0; i < lists[which]->count; i++) {
            leg *each = lists[which]->items[i];
            if (each->wanted == known) {
                each->wanted = NULL;
                stream_drop(of, known);
            }
            if (which == 0) each->restart = 1; /* what another stream feeds goes on */
        }
    known->legs.count = known->waiting.count = 0;
    list_remove(&of->dirty, known);
    known->dirty = 0;
    stream_drop(of, known);
}

EXPORT void pl_bind(pl_plane *of, int32_t transport, uint32_t ssrc, int32_t handle, int rtx) {
    channel *known = channel_of(of, transport);
    if (known == NULL) return;
    binding made = {ssrc, handle, rtx};
    for (int i = 0; i < known->bound_count; i++)
        if (known->bound[i].ssrc == ssrc) {
            known->bound[i] = made;
            return;
        }
    if (known->bound_count == known->bound_room) {
        int room = known->bound_room ? 2 * known->bound_room : 4;
        binding *bound = realloc(known->bound, (size_t)room * sizeof *bound);
        if (bound == NULL) return;
        known->bound = bound;
        known->bound_room = room;
    }
    known->bound[known->bound_count++] = made;
}

EXPORT void pl_set_open(pl_plane *of, int32_t handle, int is_open) {
    stream *known = stream_of(of, handle);
    if (known == NULL || known->is_open == !!is_open) return;
    known->is_open = !!is_open;
    if (is_open) {
        for (int i = known->legs.count - 1; i >= 0; i--) ((leg *)known->legs.items[i])->restart = 1;
        while (known->legs.count) stream_place(known, known->legs.items[0]); /* moves it to those that wait */
    } else {
        for (int i = 0; i < known->pending.count; i++) held_drop(known->pending.items[i]);
        known->pending.count = 0;
    }
}

EXPORT void pl_stream_state_of(pl_plane *of, int32_t handle, pl_stream_state *into) {
    stream *known = stream_of(of, handle);
    pl_stream_state nothing = {.highest = -1, .level = SILENT_LEVEL};
    *into = nothing;
    if (known == NULL) return;
    const ring *in = &known->in;
    pl_stream_state found = {in->packets, in->octets, in->duplicates, in->keyframes, in->base, in->highest,
                             (int64_t)in->jitter & 0xFFFFFFFF, in->arrival_us, in->level};
    *into = found;
}

EXPORT int pl_holds(pl_plane *of, int32_t handle, int64_t extended) {
    stream *known = stream_of(of, handle);
    return known != NULL && ring_find(&known->in, extended) != NULL;
}

/* -- legs --------------------------------------------------------------------------------------------------------- */

EXPORT int32_t pl_add_leg(pl_plane *of, int32_t transport, const pl_leg_format *form) {
    channel *to = channel_of(of, transport);
    leg *made = to != NULL ? calloc(1, sizeof *made) : NULL;
    if (made == NULL) return 0;
    made->handle = of->handles + 1;
    made->paused = 1;
    made->to = to;
    made->form = *form;
    made->rtx_sequence = form->rtx_sequence;
    made->last_sequence = form->sequence;
    made->last_timestamp = form->timestamp;
    if (list_add(&to->legs, made)) {
        free(made);
        return 0;
    }
    if (table_put(&of->legs, (uint64_t)made->handle, made)) {
        list_remove(&to->legs, made);
        free(made);
        return 0;
    }
    return ++of->handles;
}

EXPORT void pl_remove_leg(pl_plane *of, int32_t handle) {
    leg *known = table_take(&of->legs, (uint64_t)(uint32_t)handle);
    if (known == NULL) return;
    for (int i = 0; i < of->every_stream.count; i++) {
        stream *each = of->every_stream.items[i];
        list_remove(&each->legs, known);
        list_remove(&each->waiting, known);
    }
    list_remove(&known->to->legs, known);
    held_drop(known->newest);
    for (int i = 0; i < known->spans; i++) stream_drop(of, known->span[i].from);
    stream_drop(of, known->wanted);
    free(known);
}

EXPORT void pl_want(pl_plane *of, int32_t handle, int32_t wanted_handle) {
    leg *known = leg_of(of, handle);
    stream *wanted = stream_of(of, wanted_handle);
    if (known == NULL || known->wanted == wanted) return;
    stream *former = known->wanted;
    stream_keep(wanted);
    known->wanted = wanted;
    if (wanted == NULL || !wanted->in.form.is_video) known->restart = 1;
    leg_place(known, former);
    stream_drop(of, former);
}

EXPORT void pl_set_paused(pl_plane *of, int32_t handle, int paused) {
    leg *known = leg_of(of, handle);
    if (known == NULL || known->paused == !!paused) return;
    known->paused = !!paused;
    if (!paused) known->restart = 1;
    leg_place(known, known->wanted);
}

EXPORT void pl_leg_state_of(pl_plane *of, int32_t handle, pl_leg_state *into) {
    leg *known = leg_of(of, handle);
    memset(into, 0, sizeof *into);
    if (known == NULL) return;
    const span *at = known->spans ? &known->span[known->spans - 1] : NULL;
    pl_leg_state found = {at ? at->from->handle : 0, at ? at->timestamp : 0, known->packets, known->octets,
                          known->resent, known->not_held, known->dropped, known->switches};
    *into = found;
}

/* RFC 4588: same header but SSRC, payload type and sequence; the original number before the payload. */
static held *as_rtx(leg *each, const span *at, const held *what) {
    held *made = held_new();
    if (made == NULL) return NULL;
    int body = what->payload_at, rest = what->size - body;
    each->rtx_sequence = (each->rtx_sequence + 1) & 0xFFFF;
    made->extended = each->rtx_sequence;
    made->timestamp = what->timestamp + at->timestamp;
    made->arrival_us = what->arrival_us;
    made->payload_at = body;
    made->words = what->words;
    made->size = what->size + 2;
    memcpy(made->layout, what->layout, (size_t)body);
    made->layout[1] = (uint8_t)((what->layout[1] & 0x80) | at->from->in.form.out_rtx_payload_type);
    uint32_t original = (uint32_t)(what->extended + at->sequence);
    made->layout[body] = (uint8_t)(original >> 8);
    made->layout[body + 1] = (uint8_t)original;
    memcpy(made->layout + body + 2, what->layout + body, (size_t)rest);
    renumber(made->layout + body + 2, at, what);
    return made;
}

EXPORT int pl_resend(pl_plane *of, int32_t handle, const int32_t *sequences, int count, int64_t now_us) {
    leg *known = leg_of(of, handle);
    if (known == NULL || count <= 0) return 0;
    held **made = malloc((size_t)count * sizeof *made);
    if (made == NULL) return 0;
    int found = 0, prepared = 0;
    for (int i = 0; i < count; i++) {
        const span *at;
        held *what = leg_find(known, sequences[i] & 0xFFFF, &at);
        if (what == NULL) continue;
        found++;
        if (!known->form.rtx_ssrc)
            send_again(of, known, at, what, now_us);
        else if ((made[prepared] = as_rtx(known, at, what)) != NULL)
            prepared++;
    }
    send_made(of, known, made, prepared, now_us);
    for (int i = 0; i < prepared; i++) held_drop(made[i]);
    free(made);
    known->not_held += count - found;
    known->resent += found;
    of->counters.resent += (uint64_t)found;
    return found;
}

EXPORT int pl_probe(pl_plane *of, int32_t handle, int packets, int64_t now_us) {
    leg *known = leg_of(of, handle);
    if (known == NULL || known->wanted == NULL || !known->form.rtx_ssrc || packets <= 0) return 0;
    uint32_t timestamp = known->form.timestamp;
    if (known->spans && known->newest != NULL) timestamp = known->newest->timestamp + known->span[known->spans - 1].timestamp;
    held **made = malloc((size_t)packets * sizeof *made);
    if (made == NULL) return 0;
    int count = 0;
    for (; count < packets; count++) { /* nothing but padding (RFC 3550 section 5.1) */
        held *each = made[count] = held_new();
        if (each == NULL) break;
        known->rtx_sequence = (known->rtx_sequence + 1) & 0xFFFF;
        each->extended = known->rtx_sequence;
        each->timestamp = timestamp;
        each->payload_at = HEADER_BYTES;
        each->words = 2;
        each->size = HEADER_BYTES + PROBE_BYTES;
        memset(each->layout, 0, (size_t)each->size);
        each->layout[0] = 0xB0;
        each->layout[1] = (uint8_t)known->wanted->in.form.out_rtx_payload_type;
        each->layout[each->size - 1] = PROBE_BYTES;
    }
    of->counters.probes += (uint64_t)count;
    send_made(of, known, made, count, now_us);
    for (int i = 0; i < count; i++) held_drop(made[i]);
    free(made);
    return count;
}
