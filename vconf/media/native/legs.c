/* One outgoing stream in its receiver's numbers (rewriter.py), who takes which stream (stream.py), and runs (runs.py). */
#include "plane.h"

#include <stdlib.h>
#include <string.h>

void stream_keep(stream *each) {
    if (each != NULL) each->uses++;
}

void stream_drop(pl_plane *of, stream *each) {
    if (each == NULL || --each->uses > 0) return;
    for (int i = 0; i < RING; i++) held_drop(each->in.slots[i]);
    for (int i = 0; i < each->pending.count; i++) held_drop(each->pending.items[i]);
    list_remove(&of->every_stream, each);
    list_remove(&of->dirty, each);
    free(each->pending.items);
    free(each->legs.items);
    free(each->waiting.items);
    free(each);
}

/* Without RTX the very packet is sent again: anything else would be a second message under its nonce. */
int leg_padding_most(const leg *each) { return each->form.rtx_ssrc ? PAD_MOST : 0; }

stream *leg_fed(const leg *each) {
    return each->spans && !each->paused && !each->restart ? each->span[each->spans - 1].from : NULL;
}

stream *leg_waits_for(const leg *each) {
    return each->paused || each->wanted == leg_fed(each) ? NULL : each->wanted;
}

static void list_place(list *in, leg *each, int belongs) {
    int there = list_has(in, each);
    if (belongs && !there)
        list_add(in, each);
    else if (!belongs && there)
        list_remove(in, each);
}

void stream_place(stream *in, leg *each) {
    list_place(&in->legs, each, leg_fed(each) == in);
    list_place(&in->waiting, each, leg_waits_for(each) == in);
}

/* Put the leg where it belongs, after a change. */
void leg_place(leg *each, stream *former) {
    stream *from = each->spans ? each->span[each->spans - 1].from : NULL;
    if (former != NULL) stream_place(former, each);
    if (from != NULL && from != former) stream_place(from, each);
    if (each->wanted != NULL && each->wanted != former && each->wanted != from) stream_place(each->wanted, each);
}

/* A new span with this packet as its first; 1 when the stream is another one than before. */
int leg_begin(pl_plane *of, leg *each, stream *from, held *first, int64_t now_us) {
    const span *before = each->spans ? &each->span[each->spans - 1] : NULL;
    const held *newest = each->newest;
    if (before != NULL && newest != NULL) {
        each->last_sequence = newest->extended + before->sequence;
        each->last_timestamp = (int64_t)newest->timestamp + before->timestamp;
        each->last_us = newest->arrival_us;
        each->last_known = newest->picture >= 0;
        each->last_picture = newest->picture + before->picture;
        each->last_tl0 = newest->tl0 + before->tl0;
    }
    int64_t elapsed = 1;
    if (each->last_us && now_us > each->last_us) {
        elapsed = (now_us - each->last_us) * from->in.form.clock_hz / 1000000;
        if (elapsed < 1) elapsed = 1;
    }
    span made = {from, first->extended, ++each->serials, 0, 0, 0, 0};
    made.sequence = (int32_t)((each->last_sequence + 1 - first->extended) & 0xFFFF);
    made.timestamp = (uint32_t)(each->last_timestamp + elapsed - first->timestamp);
    if (first->picture >= 0 && each->last_known) {
        made.picture = (each->last_picture + 1 - first->picture) & 0x7FFF;
        made.tl0 = (each->last_tl0 + 1 - first->tl0) & 0xFF;
    }
    int switched = before == NULL || before->from != from;
    stream_keep(from);
    if (each->spans == SPANS) {
        stream *oldest = each->span[0].from;
        memmove(each->span, each->span + 1, (SPANS - 1) * sizeof(span));
        each->spans--;
        stream_drop(of, oldest);
    }
    each->span[each->spans++] = made;
    held_drop(each->newest);
    each->newest = NULL;
    each->restart = 0;
    each->switches += switched;
    return switched;
}

/* What was sent under an outgoing sequence number, while it is held. */
held *leg_find(const leg *each, int sequence, const span **at) {
    for (int i = each->spans - 1; i >= 0; i--) {
        const span *there = &each->span[i];
        int64_t extended = ring_extend(&there->from->in, (sequence - there->sequence) & 0xFFFF);
        if (extended < there->first) continue;
        *at = there;
        return ring_find(&there->from->in, extended);
    }
    return NULL;
}

/* Put the span's picture numbers into a VP8 payload; 1 when there was something to do. */
int renumber(uint8_t *payload, const span *at, const held *what) {
    if (what->picture < 0 || !(at->picture || at->tl0)) return 0;
    int picture = (what->picture + at->picture) & 0x7FFF;
    payload[2] = (uint8_t)(0x80 | picture >> 8);
    payload[3] = (uint8_t)picture;
    if (what->tl0 >= 0) payload[4] = (uint8_t)(what->tl0 + at->tl0);
    return 1;
}

static run *close_run(run *into, held *const *packets, int begin, int count, int size, int last, int tag) {
    run made = {begin, count, size, last, size * (count - 1) + last + tag * count, 0, 0, 0, NULL};
    made.lowest = packets[begin]->extended;
    made.highest = packets[begin];
    for (int i = 0; i < count; i++) {
        held *each = packets[begin + i];
        made.octets += each->size - each->payload_at;
        made.padded += (i == count - 1 ? last : size) - each->size;
        if (each->extended < made.lowest) made.lowest = each->extended;
        if (each->extended > made.highest->extended) made.highest = each;
    }
    *into = made;
    return into + 1;
}

int runs_group(held *const *packets, int count, int tag, int padding_most, run *into) {
    run *next = into;
    int begin = 0, longest = 0, shortest = 0;
    for (int i = 0; i < count; i++) {
        int size = packets[i]->size, most = size > longest ? size : longest, least = size < shortest ? size : shortest;
        if (i == begin) {
            longest = shortest = size;
            continue;
        }
        int fits = i - begin < RUN_PACKETS && (i - begin + 1) * (most + tag) <= RUN_BYTES;
        if (fits && most - least <= padding_most) {
            longest = most;
            shortest = least;
        } else if (fits && size < shortest) {
            next = close_run(next, packets, begin, i - begin + 1, longest, size, tag);
            begin = i + 1;
        } else {
            next = close_run(next, packets, begin, i - begin, longest, longest, tag);
            begin = i;
            longest = shortest = size;
        }
    }
    if (begin < count) next = close_run(next, packets, begin, count - begin, longest, longest, tag);
    return (int)(next - into);
}
