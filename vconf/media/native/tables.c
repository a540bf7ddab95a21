/* Lists in order, and a hash table from numbers to pointers (open addressing, linear probing; 0 is no key). */
#include "plane.h"

#include <stdlib.h>
#include <string.h>

int list_add(list *in, void *item) {
    if (in->count == in->room) {
        int room = in->room ? 2 * in->room : 8;
        void **items = realloc(in->items, (size_t)room * sizeof *items);
        if (items == NULL) return -1;
        in->items = items;
        in->room = room;
    }
    in->items[in->count++] = item;
    return 0;
}

int list_has(const list *in, const void *item) {
    for (int i = 0; i < in->count; i++)
        if (in->items[i] == item) return 1;
    return 0;
}

void list_remove(list *in, const void *item) {
    for (int i = 0; i < in->count; i++)
        if (in->items[i] == item) {
            memmove(in->items + i, in->items + i + 1, (size_t)(in->count - i - 1) * sizeof *in->items);
            in->count--;
            return;
        }
}

static uint32_t place_of(const table *in, uint64_t key) {
    uint64_t mixed = (key ^ key >> 31) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(mixed >> 32) & (in->room - 1);
}

void *table_get(const table *in, uint64_t key) {
    if (in->count == 0 || key == 0) return NULL;
    for (uint32_t at = place_of(in, key); in->keys[at]; at = (at + 1) & (in->room - 1))
        if (in->keys[at] == key) return in->values[at];
    return NULL;
}

static void insert(table *in, uint64_t key, void *value) {
    uint32_t at = place_of(in, key);
    while (in->keys[at] && in->keys[at] != key) at = (at + 1) & (in->room - 1);
    if (!in->keys[at]) in->count++;
    in->keys[at] = key;
    in->values[at] = value;
}

int table_put(table *in, uint64_t key, void *value) {
    if (2 * (in->count + 1) > in->room) {
        table wider = {NULL, NULL, 0, in->room ? 2 * in->room : 16};
        wider.keys = calloc(wider.room, sizeof *wider.keys);
        wider.values = calloc(wider.room, sizeof *wider.values);
        if (wider.keys == NULL || wider.values == NULL) {
            free(wider.keys);
            free(wider.values);
            return -1;
        }
        for (uint32_t at = 0; at < in->room; at++)
            if (in->keys[at]) insert(&wider, in->keys[at], in->values[at]);
        free(in->keys);
        free(in->values);
        *in = wider;
    }
    insert(in, key, value);
    return 0;
}

void *table_take(table *in, uint64_t key) {
    if (in->count == 0 || key == 0) return NULL;
    uint32_t at = place_of(in, key);
    while (in->keys[at] && in->keys[at] != key) at = (at + 1) & (in->room - 1);
    if (!in->keys[at]) return NULL;
    void *found = in->values[at];
    in->keys[at] = 0;
    in->count--;
    for (uint32_t next = (at + 1) & (in->room - 1); in->keys[next]; next = (next + 1) & (in->room - 1)) {
        uint64_t key_there = in->keys[next]; /* those behind it may have been pushed on by it */
        void *value_there = in->values[next];
        in->keys[next] = 0;
        in->count--;
        insert(in, key_there, value_there);
    }
    return found;
}
