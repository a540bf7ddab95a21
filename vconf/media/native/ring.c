/* Packets in plain text (RFC 3550 section 5.1, RFC 8285), what their payload tells (RFC 6184, RFC 7741), and the ring.
 * The same rules as rtp.py, payload.py and ring.py. */
#include "plane.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IDR 5
#define SPS 7
#define STAP_A 24
#define FU_A 28

static held *free_ones;

held *held_new(void) {
    held *found = free_ones;
    if (found != NULL)
        free_ones = found->next;
    else if ((found = malloc(sizeof *found)) == NULL)
        return NULL;
    memset(found, 0, offsetof(held, layout));
    found->uses = 1;
    found->picture = found->tl0 = -1;
    return found;
}

void held_keep(held *each) { each->uses++; }

void held_drop(held *each) {
    if (each == NULL || --each->uses > 0) return;
    each->next = free_ones;
    free_ones = each;
}

static int read_extensions(packet *into, int start, int end, int profile) {
    const uint8_t *data = into->data;
    int at = start;
    if (profile == 0xBEDE) {
        while (at < end) {
            int head = data[at++];
            if (head == 0) continue; /* padding */
            int identifier = head >> 4, length = (head & 0x0F) + 1;
            if (identifier == 15) break;
            if (at + length > end) return -1;
            into->extension[identifier] = (uint16_t)at;
            into->length[identifier] = (uint8_t)length;
            at += length;
        }
    } else if ((profile & 0xFFF0) == 0x1000) {
        while (at < end) {
            int identifier = data[at++];
            if (identifier == 0) continue;
            if (at >= end || at + 1 + data[at] > end) return -1;
            into->length[identifier] = data[at];
            into->extension[identifier] = (uint16_t)(at + 1);
            at += 1 + data[at];
        }
    }
    return 0;
}

int packet_parse(packet *into, const uint8_t *data, int size) {
    if (size < 12 || size > INPUT_BYTES || data[0] >> 6 != 2) return -1;
    into->data = data;
    into->marker = data[1] >> 7;
    into->payload_type = data[1] & 0x7F;
    into->sequence = data[2] << 8 | data[3];
    into->timestamp = (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
    into->ssrc = (uint32_t)data[8] << 24 | (uint32_t)data[9] << 16 | (uint32_t)data[10] << 8 | data[11];
    memset(into->extension, 0, sizeof into->extension);
    int offset = 12 + 4 * (data[0] & 0x0F);
    if (data[0] & 0x10) {
        if (offset + 4 > size) return -1;
        int profile = data[offset] << 8 | data[offset + 1];
        int start = offset + 4;
        offset = start + 4 * (data[offset + 2] << 8 | data[offset + 3]);
        if (offset > size) return -1;
        if (read_extensions(into, start, offset, profile)) return -1;
    }
    int end = size;
    if (data[0] & 0x20) {
        if (data[size - 1] == 0) return -1;
        end -= data[size - 1];
    }
    if (end < offset) return -1;
    into->payload = data + offset;
    into->size = end - offset;
    return 0;
}

int packet_unwrap_rtx(packet *each, int payload_type) {
    if (each->size < 3) return -1;
    each->payload_type = payload_type;
    each->sequence = each->payload[0] << 8 | each->payload[1];
    each->payload += 2;
    each->size -= 2;
    return 0;
}

static int h264_keyframe(const uint8_t *payload, int size) {
    if (size == 0) return 0;
    int kind = payload[0] & 0x1F;
    if (kind == IDR || kind == SPS) return 1;
    if (kind == STAP_A) {
        for (int at = 1; at + 3 <= size; at += 2 + (payload[at] << 8 | payload[at + 1])) {
            int inner = payload[at + 2] & 0x1F;
            if (inner == IDR || inner == SPS) return 1;
        }
        return 0;
    }
    if (kind == FU_A && size > 1) {
        int inner = payload[1] & 0x1F;
        return payload[1] & 0x80 && (inner == IDR || inner == SPS);
    }
    return 0;
}

static int vp8_header(const uint8_t *payload, int size) { /* length of the descriptor, -1: not whole */
    if (size == 0) return -1;
    int offset = 1;
    if (payload[0] & 0x80) {
        if (size < 2) return -1;
        int flags = payload[1];
        offset = 2;
        if (flags & 0x80) {
            if (size < 3) return -1;
            offset += payload[2] & 0x80 ? 2 : 1;
        }
        offset += !!(flags & 0x40) + !!(flags & 0x30);
    }
    return offset <= size ? offset : -1;
}

static void read_vp8(held *into, const uint8_t *payload, int size) {
    int offset = vp8_header(payload, size);
    if (offset < 0) return;
    into->keyframe = payload[0] & 0x10 && !(payload[0] & 0x07) && offset < size && !(payload[offset] & 0x01);
    if (payload[0] & 0x80 && payload[1] & 0x80 && payload[2] & 0x80) {
        into->picture = (payload[2] & 0x7F) << 8 | payload[3];
        into->tl0 = payload[1] & 0x40 ? payload[4] : -1;
    }
}

int64_t ring_extend(const ring *in, int sequence) {
    return in->highest + ((sequence - in->highest + 0x8000) & 0xFFFF) - 0x8000;
}

held *ring_find(const ring *in, int64_t extended) {
    if (extended < 0) return NULL;
    held *there = in->slots[extended % RING];
    return there != NULL && there->extended == extended ? there : NULL;
}

static held *lay_out(ring *in, const packet *each, int64_t extended, int64_t now_us) {
    const pl_stream_format *form = &in->form;
    held *made = held_new();
    if (made == NULL) return NULL;
    int at = HEADER_BYTES;
    for (int i = 0; i < form->passed; i++) {
        int from = each->extension[form->theirs[i]], length = each->length[form->theirs[i]];
        if (from == 0 || length == 0 || length > 16) continue;
        made->layout[at++] = (uint8_t)(form->ours[i] << 4 | (length - 1));
        memcpy(made->layout + at, each->data + from, (size_t)length);
        at += length;
    }
    if (form->level_extension) {
        int from = each->extension[form->level_extension];
        if (from && each->length[form->level_extension]) in->level = each->data[from] & 0x7F;
    }
    while (at & 3) made->layout[at++] = 0;
    made->extended = extended;
    made->timestamp = each->timestamp;
    made->arrival_us = now_us;
    made->payload_at = at;
    made->words = 2 + ((at - HEADER_BYTES) >> 2);
    made->size = at + each->size; /* at most 24 + 36 + MOST_BYTES - 64: the caller looked */
    made->layout[0] = 0x90;
    made->layout[1] = (uint8_t)(each->marker << 7 | form->out_payload_type);
    memset(made->layout + 2, 0, HEADER_BYTES - 2);
    memcpy(made->layout + at, each->payload, (size_t)each->size);
    if (form->codec == CODEC_H264)
        made->keyframe = h264_keyframe(each->payload, each->size);
    else if (form->codec == CODEC_VP8)
        read_vp8(made, each->payload, each->size);
    in->keyframes += made->keyframe;
    return made;
}

static void note_jitter(ring *in, uint32_t timestamp, int64_t now_us) {
    double transit = (double)(now_us * in->form.clock_hz) / 1e6 - timestamp;
    if (in->packets > 1) {
        double change = fmod(fabs(transit - in->transit), 4294967296.0);
        if (change < in->form.clock_hz) in->jitter += (change - in->jitter) / 16; /* a wrapped timestamp is no jitter */
    }
    in->transit = transit;
}

static void forget(ring *in, int64_t now_us) {
    int64_t at = in->highest - RING + 1;
    if (at < in->first_kept) at = in->first_kept;
    for (; at < in->highest; at++) {
        held *there = in->slots[at % RING];
        if (there == NULL) continue;
        if (there->extended == at && there->arrival_us >= now_us - KEPT_US) break;
        if (there->extended <= at) {
            in->slots[at % RING] = NULL;
            held_drop(there);
        }
    }
    in->first_kept = at;
}

int ring_take(ring *in, const packet *each, int64_t now_us, held **taken, int64_t *gap) {
    int64_t extended, before = in->highest;
    *gap = 0;
    if (before < 0) {
        extended = each->sequence + 0x10000;
        in->base = in->first_kept = extended;
    } else {
        extended = ring_extend(in, each->sequence);
    }
    if (extended > before) {
        if (before >= 0) *gap = extended - before - 1;
    } else if (extended < in->first_kept || extended <= before - RING || ring_find(in, extended) != NULL) {
        in->duplicates++;
        return 0;
    }
    held *made = lay_out(in, each, extended, now_us);
    if (made == NULL) return -1;
    if (extended > before) in->highest = extended;
    in->packets++;
    in->octets += each->size;
    in->arrival_us = now_us;
    note_jitter(in, each->timestamp, now_us);
    held_drop(in->slots[extended % RING]);
    in->slots[extended % RING] = made;
    held_keep(made); /* the caller's; forget() may let the ring's go */
    forget(in, now_us);
    *taken = made;
    return 1;
}
