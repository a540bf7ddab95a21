/** Every action of the chair's table (docs/protocol.md): its key, its words, and what is sent. One row, one button. */
import type { Pair } from "../shared/i18n";
import type { Conference } from "../shared/meet/conference";
import { box } from "./box";
import { act, chosen, session } from "./seat";

type Args = Record<string, unknown>;

export type Box = "confirm" | "poll" | "display" | "banner" | "extend" | "signIn" | "lines" | "sheet" | "guests" | "help" | "find";

export interface Row {
  id: string;
  /** As `KeyboardEvent.key` gives it: "B" is Shift and b. */
  key: string;
  words: Pair;
  /** For the chosen venue, or for all. */
  of: "venue" | "all";
  /** The action and its arguments as things stand; undefined when there is nothing it could be for. */
  send?: (now: Conference, venue: string) => [action: string, args: Args] | undefined;
  /** It is so now: the button is pressed in, and pressing it ends it. */
  on?: (now: Conference, venue: string) => boolean;
  /** A box that asks for more. */
  box?: Box;
  /** It changes what all are shown: refused when another chair has just changed that. */
  programme?: true;
  danger?: true;
}

const toVenue =
  (action: string) =>
  (_: Conference, venue: string): [string, Args] | undefined =>
    venue ? [action, { venue }] : undefined;
const plain = (action: string) => (): [string, Args] => [action, {}];

export const ROWS: Row[] = [
  { id: "broadcast", key: "b", of: "venue", words: ["广播", "Broadcast"], programme: true, send: toVenue("broadcast"), on: (now, venue) => now.broadcast === venue },
  { id: "rollCall", key: "c", of: "venue", words: ["点名", "Call"], programme: true, send: toVenue("rollCall"), on: (now, venue) => now.roll?.venue === venue },
  {
    id: "watch",
    key: "w",
    of: "venue",
    words: ["选看", "Watch"],
    on: (now, venue) => now.you.watching === venue,
    send: (now, venue) => ["watch", { venue: now.you.watching === venue ? "" : venue }],
  },
  {
    id: "mute",
    key: "m",
    of: "venue",
    words: ["静音", "Mute"],
    on: (now, venue) => now.venues?.[venue]?.muted === true,
    send: (now, venue) => (venue ? [now.venues?.[venue]?.muted ? "unmute" : "mute", { venue }] : undefined),
  },
  {
    id: "grant",
    key: "g",
    of: "venue",
    words: ["给发言权", "Give floor"],
    on: (now, venue) => now.floor?.includes(venue) === true,
    send: (now, venue) => (venue ? [now.floor?.includes(venue) ? "endFloor" : "grant", { venue }] : undefined),
  },
  { id: "lowerHand", key: "y", of: "venue", words: ["放下举手", "Lower hand"], send: toVenue("lowerHand") },
  {
    id: "slides",
    key: "s",
    of: "venue",
    words: ["双流辅流", "Slides"],
    on: (now, venue) => now.slides === venue,
    send: (now, venue) => (venue ? ["slides", { venue, on: now.slides !== venue }] : undefined),
  },
  { id: "signIn", key: "n", of: "venue", words: ["代签到", "Sign in"], box: "signIn" },
  {
    id: "allowView",
    key: "v",
    of: "venue",
    words: ["允许选看", "May choose"],
    on: (now, venue) => now.viewers?.includes(venue) === true,
    send: (now, venue) => (venue ? ["allowView", { venue, on: !now.viewers?.includes(venue) }] : undefined),
  },
  {
    id: "coChair",
    key: "o",
    of: "venue",
    words: ["联席主席", "Co-chair"],
    on: (now, venue) => now.coChairs?.includes(venue) === true,
    send: (now, venue) => (venue ? ["coChair", { venue, on: !now.coChairs?.includes(venue) }] : undefined),
  },
  { id: "admit", key: "a", of: "venue", words: ["准入", "Admit"], send: toVenue("admit") },
  { id: "cut", key: "x", of: "venue", words: ["请出/拒绝", "Cut/refuse"], box: "confirm", danger: true, send: toVenue("cut"), on: (now, venue) => now.venues?.[venue]?.cut === true },
  { id: "handOver", key: "h", of: "venue", words: ["移交主席", "Hand over"], box: "confirm", danger: true, send: (_, venue) => (venue ? ["handOver", { to: venue }] : undefined), on: (now, venue) => now.owner === venue },

  { id: "undo", key: "z", of: "all", words: ["撤销", "Undo"], programme: true, send: plain("undo") },
  { id: "cancelBroadcast", key: "B", of: "all", words: ["取消广播", "End broadcast"], programme: true, send: plain("cancelBroadcast") },
  { id: "endRoll", key: "C", of: "all", words: ["结束点名", "End call"], programme: true, send: plain("endRoll") },
  { id: "poll", key: "p", of: "all", words: ["轮询…", "Polling…"], box: "poll", on: (now) => now.poll != null },
  { id: "stopPoll", key: "P", of: "all", words: ["停止轮询", "Stop polling"], programme: true, send: plain("stopPoll") },
  { id: "display", key: "d", of: "all", words: ["显示策略…", "Display…"], box: "display" },
  { id: "muteAll", key: "M", of: "all", words: ["全体静音", "Mute all"], send: plain("muteAll"), on: (now) => now.muteAll === true },
  { id: "unmuteAll", key: "U", of: "all", words: ["解除静音", "Unmute all"], send: plain("unmuteAll") },
  {
    id: "nextHand",
    key: "q",
    of: "all",
    words: ["下一位发言", "Next hand"],
    send: (now) => (now.hands?.[0] ? ["grant", { venue: now.hands[0].venue }] : undefined),
  },
  { id: "lowerAll", key: "L", of: "all", words: ["全部放下", "Lower all"], send: plain("lowerAll") },
  { id: "admitAll", key: "A", of: "all", words: ["全部准入", "Admit all"], send: plain("admitAll") },
  { id: "lock", key: "k", of: "all", words: ["锁定会议", "Lock"], on: (now) => now.locked === true, send: (now) => ["lock", { on: now.locked !== true }] },
  { id: "banner", key: "t", of: "all", words: ["横幅…", "Banner…"], box: "banner", on: (now) => now.banner != null },
  { id: "clearBanner", key: "T", of: "all", words: ["清除横幅", "Clear banner"], send: () => ["banner", { text: "" }] },
  { id: "lines", key: "i", of: "all", words: ["会前试线", "Line tests"], box: "lines" },
  { id: "sheet", key: "j", of: "all", words: ["签到表", "Sign-in sheet"], box: "sheet" },
  { id: "guests", key: "u", of: "all", words: ["来宾…", "Guests…"], box: "guests" },
  {
    id: "record",
    key: "R",
    of: "all",
    words: ["录制", "Record"],
    on: (now) => now.recording != null,
    send: (now) => [now.recording ? "stopRecording" : "startRecording", {}],
  },
  { id: "extend", key: "e", of: "all", words: ["延长…", "Extend…"], box: "extend" },
  { id: "end", key: "E", of: "all", words: ["结束会议", "End meeting"], box: "confirm", danger: true, send: plain("end") },
];

/** A button or a key was pressed. */
export function press(row: Row, sure = false): void {
  const now = session.conference.value;
  const venue = row.of === "venue" ? chosen.value : "";
  if (!now || (row.of === "venue" && !venue)) return;
  if (row.box && !sure) {
    box.value = { kind: row.box, row, venue };
    return;
  }
  const found = row.send?.(now, venue);
  if (found) void act(found[0], found[1], row.words, row.programme);
}
