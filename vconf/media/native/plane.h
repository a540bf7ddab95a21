/* The data plane in C: the same tables, rules and bytes as vconf/media/pyplane.py, whose interface is plane.Plane.
 *
 * One thread; nothing here blocks, and no length that came from outside is used before it was checked.  libsrtp is the
 * pylibsrtp wheel's own: Python hands in its function addresses and contexts, so nothing is linked.
 */
#ifndef SANWANG_PLANE_H
#define SANWANG_PLANE_H

#include <stddef.h>
#include <stdint.h>

#define RING 1024
#define KEPT_US 2000000
#define QUEUE_PACKETS 512
#define QUEUE_US 1000000
#define PAD_MOST 16
#define RUN_PACKETS 48
#define RUN_BYTES 65000
#define MOST_BYTES 1460 /* the longest packet with its tag */
#define LAYOUT_BYTES 1536
#define HEADER_BYTES 24 /* what receivers differ in, and the two octets before it */
#define INPUT_BYTES 2048
#define READS 256
#define SPANS 4
#define SENT_RUNS 512
#define PASSED 2
#define MID_BYTES 4
#define SILENT_LEVEL 127
#define PROBE_BYTES 255
#define AF41 (34 << 2)

enum { CODEC_OPUS, CODEC_H264, CODEC_VP8 };
enum { EVENT_DATAGRAM, EVENT_RTCP, EVENT_UNBOUND, EVENT_STARTED, EVENT_GAP, EVENT_KEYFRAME, EVENT_SWITCHED, EVENT_STARVED };

/* The tables below are mirrored by native.py (cffi): keep both alike. */
typedef struct {
    uint64_t packets_in, bytes_in, packets_out, bytes_out, sends, padded_bytes, resent, probes, paced;
    uint64_t stranger, rejected, unannounced, stale, queue_full, send_error;
} pl_counters;

typedef struct {
    int32_t kind, handle, leg; /* handle: transport or stream */
    uint32_t ip, port;         /* host order */
    int64_t first, missing;
    uint64_t data; /* offset into the events' octets */
    uint32_t size;
} pl_event;

typedef struct {
    int32_t codec, is_video, clock_hz;
    int32_t payload_type, rtx_payload_type, out_payload_type, out_rtx_payload_type;
    int32_t passed, theirs[PASSED], ours[PASSED], level_extension;
} pl_stream_format;

typedef struct {
    uint32_t ssrc, rtx_ssrc, timestamp;
    int32_t tos, sequence, rtx_sequence;
    uint8_t mid[MID_BYTES];
    uint8_t typed, types[128]; /* what this receiver calls each of our payload types, when it has words of its own */
} pl_leg_format;

typedef struct {
    int64_t packets, octets, duplicates, keyframes, base, highest, jitter, arrival_us, level;
} pl_stream_state;

typedef struct {
    int64_t stream, timestamp, packets, octets, resent, not_held, dropped, switches;
} pl_leg_state;

typedef int (*pl_srtp)(void *context, void *packet, int *size);

/* -- a packet of a stream, as it leaves ------------------------------------------------------------------------- */

typedef struct held {
    int64_t extended; /* sequence number with roll-overs */
    int64_t arrival_us;
    uint32_t timestamp;
    int32_t uses; /* ring, pending list and queues hold it */
    int32_t size, payload_at, words;
    int32_t keyframe;
    int32_t picture, tl0; /* VP8; picture -1: none */
    struct held *next;    /* in the list of free ones */
    uint8_t layout[LAYOUT_BYTES];
} held;

typedef struct {
    pl_stream_format form;
    held *slots[RING];
    int64_t packets, octets, duplicates, keyframes, base, highest, arrival_us, first_kept, level;
    double jitter, transit;
} ring;

typedef struct {
    const uint8_t *payload;
    int size, payload_type, marker, sequence;
    uint32_t timestamp, ssrc;
    const uint8_t *data;
    uint16_t extension[256]; /* offset of each element's value in data, 0: not there */
    uint8_t length[256];
} packet;

held *held_new(void);
void held_keep(held *each);
void held_drop(held *each);

int packet_parse(packet *into, const uint8_t *data, int size);
int packet_unwrap_rtx(packet *each, int payload_type);
int ring_take(ring *in, const packet *each, int64_t now_us, held **taken, int64_t *gap); /* 0: a duplicate or too old; -1: no memory */
held *ring_find(const ring *in, int64_t extended);
int64_t ring_extend(const ring *in, int sequence);

/* -- runs ------------------------------------------------------------------------------------------------------- */

typedef struct {
    int begin, count, size, last; /* packets of the list; size of all but the last, size of the last */
    int total, padded;
    int64_t octets, lowest;
    held *highest;
} run;

int runs_group(held *const *packets, int count, int tag, int padding_most, run *into); /* into has room for count */

/* -- lists ------------------------------------------------------------------------------------------------------ */

typedef struct {
    void **items;
    int count, room;
} list;

int list_add(list *in, void *item);
void list_remove(list *in, const void *item);
int list_has(const list *in, const void *item);

typedef struct {
    uint64_t *keys;
    void **values;
    uint32_t count, room; /* room is a power of two */
} table;

void *table_get(const table *in, uint64_t key);
int table_put(table *in, uint64_t key, void *value);
void *table_take(table *in, uint64_t key);

/* -- streams, legs, channels ------------------------------------------------------------------------------------ */

typedef struct stream {
    int32_t handle, uses, is_open, dirty;
    ring in;
    list pending, legs, waiting; /* of held, leg, leg */
} stream;

typedef struct {
    stream *from;
    int64_t first;
    uint32_t serial;
    int32_t sequence, picture, tl0;
    uint32_t timestamp;
} span;

struct channel;

typedef struct leg {
    int32_t handle, paused, restart;
    struct channel *to;
    pl_leg_format form;
    uint32_t serials;
    int rtx_sequence;
    stream *wanted;
    int spans;          /* in use, the newest last */
    span span[SPANS];
    held *newest;       /* of the present span, by sequence */
    int64_t last_sequence, last_timestamp, last_us;
    int32_t last_known, last_picture, last_tl0;
    int64_t packets, octets, resent, not_held, dropped, switches;
} leg;

typedef struct {
    int32_t leg;
    span at;
    held *what;
    int octets;
} queued;

typedef struct {
    int64_t bps, at_us, octets;
    double credit, most, octets_a_us;
    queued *items; /* a circle of QUEUE_PACKETS, made when it is first needed */
    int first, count;
} pacer;

typedef struct {
    uint32_t ssrc;
    int32_t stream, rtx;
} binding;

typedef struct channel {
    int32_t handle, has_address, cc_extension, tag, queueing;
    uint32_t ip, port;
    void *inbound, *outbound;
    int64_t heard_us;
    int64_t *arrivals; /* pairs of number and microseconds */
    int arrival_count, arrival_room;
    binding *bound;
    int bound_count, bound_room;
    list legs;
    pacer pace;
    uint64_t cc_next, octets;
    uint64_t sent[SENT_RUNS][4]; /* first number, one past the last, microseconds, octets sent before */
    uint64_t sent_runs;
} channel;

typedef struct {
    uint8_t *data;
    int size, segment, count, tos;
    uint32_t ip, port;
} waiting_run;

typedef struct pl_plane {
    int fd, gso;
    pl_counters counters;
    pl_srtp protect, unprotect, protect_rtcp, unprotect_rtcp;
    int32_t handles;
    table channels, streams, legs, addresses;
    list every_stream; /* those too that are removed and still in somebody's span */
    list dirty, queues; /* of stream, channel */
    pl_event *events;
    int event_count, event_room;
    uint8_t *octets;
    size_t octet_count, octet_room;
    waiting_run *backlog;
    int backlog_first, backlog_count;
    uint8_t *input;  /* READ_BATCH datagrams */
    uint8_t *output; /* one run */
    run *runs;
    int run_room;
} pl_plane;

void leg_place(leg *each, stream *former);
void leg_span_end(pl_plane *of, leg *each);
int leg_padding_most(const leg *each);
stream *leg_fed(const leg *each);
stream *leg_waits_for(const leg *each);
int leg_begin(pl_plane *of, leg *each, stream *from, held *first, int64_t now_us);
held *leg_find(const leg *each, int sequence, const span **at);
void stream_place(stream *in, leg *each);
void stream_keep(stream *each);
void stream_drop(pl_plane *of, stream *each);

void port_write(pl_plane *of, const uint8_t *data, int size, int segment, int count, int tos, uint32_t ip, uint32_t port);
int64_t port_write_backlog(pl_plane *of);

void send_event(pl_plane *of, pl_event what, const uint8_t *data, int size);
int64_t send_flush(pl_plane *of, int64_t now_us);
void send_made(pl_plane *of, leg *each, held **packets, int count, int64_t now_us);
void send_again(pl_plane *of, leg *each, const span *at, held *what, int64_t now_us);
void pacer_set_rate(pacer *of, int64_t bps);
void pacer_clear(pacer *of);
int renumber(uint8_t *payload, const span *at, const held *what);

#endif
