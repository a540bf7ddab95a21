/* The way out: what is pending goes to every receiver, in runs, or waits in its queue (sender.py, pacer.py, channel.py). */
#include "plane.h"

#include <stdlib.h>
#include <string.h>

#define BURST_US 40000
#define LEAST_BURST 3000.0
#define LEAST_WAIT_US 500

static const uint8_t MID_HEAD = 1 << 4 | (MID_BYTES - 1), CC_HEAD = 5 << 4 | 1;

void send_event(pl_plane *of, pl_event what, const uint8_t *data, int size) {
    if (of->event_count == of->event_room) {
        int room = of->event_room ? 2 * of->event_room : 64;
        pl_event *events = realloc(of->events, (size_t)room * sizeof *events);
        if (events == NULL) return;
        of->events = events;
        of->event_room = room;
    }
    if (of->octet_count + (size_t)size > of->octet_room) {
        size_t room = 2 * of->octet_room + (size_t)size + 4096;
        uint8_t *octets = realloc(of->octets, room);
        if (octets == NULL) return;
        of->octets = octets;
        of->octet_room = room;
    }
    what.data = of->octet_count;
    what.size = (uint32_t)size;
    if (size) memcpy(of->octets + of->octet_count, data, (size_t)size);
    of->octet_count += (size_t)size;
    of->events[of->event_count++] = what;
}

/* -- the pacer: a credit of octets that grows with the rate, and the queue that waits for it ---------------------- */

void pacer_set_rate(pacer *of, int64_t bps) {
    of->bps = bps;
    of->octets_a_us = (double)bps / 8e6;
    of->most = (double)(bps * BURST_US / 8000000);
    if (of->most < LEAST_BURST) of->most = LEAST_BURST;
}

static double refill(pacer *of, int64_t now_us) {
    double credit = of->credit + (double)(now_us - of->at_us) * of->octets_a_us;
    of->credit = credit < of->most ? credit : of->most;
    of->at_us = now_us;
    return of->credit;
}

static int admits(pacer *of, int octets, int64_t now_us) {
    if (of->count || refill(of, now_us) < octets) return 0;
    of->credit -= octets;
    return 1;
}

static int is_full(const pacer *of, int packets) {
    int too_long = of->bps > 0 && of->octets * 8000000 > of->bps * QUEUE_US;
    return too_long || of->count + packets > QUEUE_PACKETS;
}

static int is_paced(const stream *from, const pacer *of) { return from->in.form.is_video && (of->bps || of->count); }

static void put(pacer *of, const leg *to, const span *at, held *what, int octets) {
    if (of->items == NULL && (of->items = calloc(QUEUE_PACKETS, sizeof *of->items)) == NULL) return;
    queued made = {to->handle, *at, what, octets};
    held_keep(what);
    of->items[(of->first + of->count++) % QUEUE_PACKETS] = made;
    of->octets += octets;
}

void pacer_clear(pacer *of) {
    for (; of->count; of->count--, of->first = (of->first + 1) % QUEUE_PACKETS) held_drop(of->items[of->first].what);
    free(of->items);
    of->items = NULL;
    of->octets = of->first = 0;
}

static int64_t wait_us(const pacer *of) {
    if (of->count == 0) return 0;
    int64_t wait = of->bps ? (int64_t)(-of->credit * 8e6 / (double)of->bps) : LEAST_WAIT_US;
    return wait > LEAST_WAIT_US ? wait : LEAST_WAIT_US;
}

/* -- one receiver's copy of a run, protected and sent -------------------------------------------------------------- */

static void note_sent(channel *to, uint64_t first, int octets, int64_t now_us) {
    uint64_t *entry = to->sent[to->sent_runs++ % SENT_RUNS];
    entry[0] = first;
    entry[1] = to->cc_next;
    entry[2] = (uint64_t)now_us;
    entry[3] = to->octets;
    to->octets += (uint64_t)octets;
}

static inline void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

static void write_run(pl_plane *of, const leg *each, uint32_t ssrc, const span *at, held *const *packets, const run *what,
                      int64_t now_us) {
    channel *to = each->to;
    int counted = each->form.rtx_ssrc != 0;
    uint64_t number = counted ? to->cc_next : 0;
    uint8_t *out = of->output;
    for (int i = 0; i < what->count; i++) {
        const held *from = packets[what->begin + i];
        int size = i == what->count - 1 ? what->last : what->size, pad = size - from->size;
        memcpy(out, from->layout, (size_t)from->size);
        if (pad) {
            out[0] |= 0x20;
            memset(out + from->size, 0, (size_t)pad - 1);
            out[size - 1] = (uint8_t)pad;
        }
        renumber(out + from->payload_at, at, from);
        if (each->form.typed) out[1] = (uint8_t)((out[1] & 0x80) | each->form.types[out[1] & 0x7F]);
        put16(out + 2, (uint32_t)(from->extended + at->sequence));
        put32(out + 4, from->timestamp + at->timestamp);
        put32(out + 8, ssrc);
        put16(out + 12, 0xBEDE);
        put16(out + 14, (uint32_t)from->words);
        out[16] = MID_HEAD;
        memcpy(out + 17, each->form.mid, MID_BYTES);
        out[21] = counted ? CC_HEAD : 0;
        put16(out + 22, (uint32_t)number);
        number += (uint64_t)counted;
        int protected_size = size;
        if (of->protect(to->outbound, out, &protected_size) || protected_size != size + to->tag) {
            of->counters.rejected++;
            return;
        }
        out += protected_size;
    }
    if (counted) {
        uint64_t first = to->cc_next;
        to->cc_next = number;
        note_sent(to, first, what->total, now_us);
    }
    of->counters.padded_bytes += (uint64_t)what->padded;
    port_write(of, of->output, what->total, what->size + to->tag, what->count, each->form.tos, to->ip, to->port);
}

static int can_send(const channel *to) { return to->outbound != NULL && to->has_address; }

/* Room for the runs of so many packets, behind those in use: _emit may group once more below itself. */
static run *runs_room(pl_plane *of, int count) {
    if (count > of->run_room) {
        run *runs = realloc(of->runs, (size_t)count * 2 * sizeof *runs);
        if (runs == NULL) return NULL;
        of->runs = runs;
        of->run_room = count * 2;
    }
    return of->runs;
}

static void starve(pl_plane *of, leg *each, int count) {
    each->dropped += count;
    of->counters.queue_full += (uint64_t)count;
    each->restart = 1;
    leg_place(each, each->spans ? each->span[each->spans - 1].from : NULL);
    if (each->wanted != NULL)
        send_event(of, (pl_event){.kind = EVENT_STARVED, .leg = each->handle, .handle = each->wanted->handle}, NULL, 0);
}

static void note_packets(leg *each, int count, int64_t octets, held *highest) {
    each->packets += count;
    each->octets += octets;
    if (each->newest != NULL && highest->extended <= each->newest->extended) return;
    held_keep(highest);
    held_drop(each->newest);
    each->newest = highest;
}

static void emit(pl_plane *of, leg *each, held *const *packets, const run *runs, int count, int paced, int64_t now_us) {
    channel *to = each->to;
    for (int i = 0; i < count; i++) {
        const span *at = &each->span[each->spans - 1];
        const run *what = &runs[i];
        if (what->lowest < at->first) { /* from before the switch: their place in the sequence is taken */
            held *rest[RUN_PACKETS];
            run again[RUN_PACKETS];
            int kept = 0;
            for (int k = 0; k < what->count; k++)
                if (packets[what->begin + k]->extended >= at->first) rest[kept++] = packets[what->begin + k];
            if (kept) emit(of, each, rest, again, runs_group(rest, kept, to->tag, leg_padding_most(each), again), paced, now_us);
            continue;
        }
        if (paced && !admits(&to->pace, what->total, now_us)) {
            if (is_full(&to->pace, what->count)) {
                starve(of, each, what->count);
                return;
            }
            for (int k = 0; k < what->count; k++) {
                held *packet_there = packets[what->begin + k];
                put(&to->pace, each, at, packet_there, packet_there->size + to->tag);
            }
            of->counters.paced += (uint64_t)what->count;
            if (!to->queueing && list_add(&of->queues, to) == 0) to->queueing = 1;
        } else {
            write_run(of, each, each->form.ssrc, at, packets, what, now_us);
        }
        note_packets(each, what->count, what->octets, what->highest);
    }
}

static void begin(pl_plane *of, stream *from, leg *each, int index, int64_t now_us) {
    held *const *packets = (held *const *)from->pending.items + index;
    int count = from->pending.count - index;
    channel *to = each->to;
    stream *former = each->spans ? each->span[each->spans - 1].from : NULL;
    stream_keep(former); /* its span may be the one that falls out */
    if (leg_begin(of, each, from, packets[0], now_us))
        send_event(of, (pl_event){.kind = EVENT_SWITCHED, .leg = each->handle, .handle = from->handle}, NULL, 0);
    leg_place(each, former);
    stream_drop(of, former);
    run *runs = malloc((size_t)count * sizeof *runs); /* a switch is rare */
    if (runs == NULL) return;
    if (can_send(to))
        emit(of, each, packets, runs, runs_group(packets, count, to->tag, leg_padding_most(each), runs),
             is_paced(from, &to->pace), now_us);
    free(runs);
}

static int begins_at(const stream *from) {
    if (!from->in.form.is_video) return from->pending.count ? 0 : -1;
    for (int i = 0; i < from->pending.count; i++)
        if (((held *)from->pending.items[i])->keyframe) return i;
    return -1;
}

typedef struct { /* what leaves of one stream in one flush, for all receivers with this tag and padding */
    int tag, padding_most, count, total;
    int64_t octets, lowest;
    held *highest;
} batch;

static batch make_batch(held *const *packets, int count, int tag, int padding_most, run *runs) {
    batch made = {.tag = tag, .padding_most = padding_most};
    made.count = runs_group(packets, count, tag, padding_most, runs);
    made.lowest = runs[0].lowest;
    made.highest = runs[0].highest;
    for (int i = 0; i < made.count; i++) {
        made.total += runs[i].total;
        made.octets += runs[i].octets;
        if (runs[i].lowest < made.lowest) made.lowest = runs[i].lowest;
        if (runs[i].highest->extended > made.highest->extended) made.highest = runs[i].highest;
    }
    return made;
}

static void fan_out(pl_plane *of, stream *from, int64_t now_us) {
    if (!from->is_open || from->pending.count == 0) return;
    int index = from->waiting.count ? begins_at(from) : -1;
    int fed = from->legs.count, starting = index >= 0 ? from->waiting.count : 0;
    leg **legs = malloc((size_t)(fed + starting + 1) * sizeof *legs); /* both lists change below */
    run *runs = runs_room(of, from->pending.count);
    if (legs == NULL || runs == NULL) {
        free(legs);
        return;
    }
    if (fed) memcpy(legs, from->legs.items, (size_t)fed * sizeof *legs);
    if (starting) memcpy(legs + fed, from->waiting.items, (size_t)starting * sizeof *legs);
    held *const *packets = (held *const *)from->pending.items;
    batch all = {.tag = -1};
    for (int i = 0; i < fed; i++) {
        leg *each = legs[i];
        channel *to = each->to;
        if (!can_send(to)) continue;
        if (to->tag != all.tag || leg_padding_most(each) != all.padding_most)
            all = make_batch(packets, from->pending.count, to->tag, leg_padding_most(each), runs);
        const span *at = &each->span[each->spans - 1];
        int paced = is_paced(from, &to->pace);
        if (at->picture || at->tl0 || all.lowest < at->first || (paced && !admits(&to->pace, all.total, now_us))) {
            emit(of, each, packets, runs, all.count, paced, now_us);
            continue;
        }
        for (int k = 0; k < all.count; k++) write_run(of, each, each->form.ssrc, at, packets, &runs[k], now_us);
        note_packets(each, from->pending.count, all.octets, all.highest);
    }
    for (int i = fed; i < fed + starting; i++) begin(of, from, legs[i], index, now_us);
    free(legs);
}

/* What the pacer lets go, as runs of what belongs together. */
static void drain(pl_plane *of, channel *to, int64_t now_us) {
    pacer *pace = &to->pace;
    held *packets[QUEUE_PACKETS];
    run runs[QUEUE_PACKETS];
    double credit = pace->bps ? refill(pace, now_us) : 1.0;
    while (pace->count && credit > 0) {
        queued first = pace->items[pace->first];
        int count = 0;
        while (pace->count && credit > 0) {
            queued *next = &pace->items[pace->first];
            if (next->leg != first.leg || next->at.serial != first.at.serial) break;
            packets[count++] = next->what;
            pace->octets -= next->octets;
            if (pace->bps) credit -= next->octets;
            pace->first = (pace->first + 1) % QUEUE_PACKETS;
            pace->count--;
        }
        leg *each = table_get(&of->legs, (uint64_t)first.leg);
        if (each != NULL && can_send(to)) {
            int found = runs_group(packets, count, to->tag, leg_padding_most(each), runs);
            for (int i = 0; i < found; i++) write_run(of, each, each->form.ssrc, &first.at, packets, &runs[i], now_us);
        }
        for (int i = 0; i < count; i++) held_drop(packets[i]);
    }
    if (pace->bps) pace->credit = credit;
}

int64_t send_flush(pl_plane *of, int64_t now_us) {
    int64_t wait = port_write_backlog(of);
    for (int i = 0; i < of->dirty.count; i++) {
        stream *each = of->dirty.items[i];
        each->dirty = 0;
        fan_out(of, each, now_us);
        for (int k = 0; k < each->pending.count; k++) held_drop(each->pending.items[k]);
        each->pending.count = 0;
    }
    of->dirty.count = 0;
    int kept = 0;
    for (int i = 0; i < of->queues.count; i++) {
        channel *each = of->queues.items[i];
        drain(of, each, now_us);
        int64_t due = wait_us(&each->pace);
        if (due && (wait == 0 || due < wait)) wait = due;
        if (each->pace.count)
            of->queues.items[kept++] = each;
        else
            each->queueing = 0;
    }
    of->queues.count = kept;
    return wait;
}

/* Send packets that were made for this leg's RTX stream, at once. */
void send_made(pl_plane *of, leg *each, held **packets, int count, int64_t now_us) {
    static const span as_they_are;
    channel *to = each->to;
    run *runs = can_send(to) && count ? malloc((size_t)count * sizeof *runs) : NULL;
    if (runs == NULL) return;
    int found = runs_group(packets, count, to->tag, PAD_MOST, runs);
    for (int i = 0; i < found; i++) {
        if (to->pace.bps) to->pace.credit -= runs[i].total;
        write_run(of, each, each->form.rtx_ssrc, &as_they_are, packets, &runs[i], now_us);
    }
    free(runs);
}

/* The packet itself once more, to a receiver without RTX. */
void send_again(pl_plane *of, leg *each, const span *at, held *what, int64_t now_us) {
    run one;
    if (!can_send(each->to)) return;
    runs_group(&what, 1, each->to->tag, 0, &one);
    if (each->to->pace.bps) each->to->pace.credit -= one.total;
    write_run(of, each, each->form.ssrc, at, &what, &one, now_us);
}
