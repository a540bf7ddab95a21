/** The hall's way through a meeting: link, lobby, in, and back in by itself whatever is lost. */
import { batch, computed, effect, signal } from "@preact/signals";
import type { types } from "mediasoup-client";
import { ApiError, post } from "../shared/api";
import { Channel, Refusal } from "./channel";
import { local, settled, stopLevel } from "./devices";
import { Media, type RemotePeer, type RemoteStream } from "./media";
import { pressed } from "./measure";

export interface Link {
  state: "early" | "open" | "over" | "cancelled";
  now: string;
  meeting: { id: number; title: string; start: string; end: string; opens: string; halls: number };
  hall: { code: string; zh: string; en: string };
  county: { zh: string; en: string };
  join: string | null;
}

interface Welcome {
  peer: string;
  resumeKey: string;
  peers: RemotePeer[];
  transports: string[];
  layers: number;
  relay: boolean;
  routerRtpCapabilities: types.RtpCapabilities;
}

export type Phase = "loading" | "noServer" | "badLink" | "notYet" | "over" | "cancelled" | "lobby" | "joining" | "in" | "left" | "replaced";

export const phase = signal<Phase>("loading");
export const link = signal<Link | undefined>(undefined);
export const peers = signal<RemotePeer[]>([]);
export const streams = signal<ReadonlyMap<string, MediaStream>>(new Map());
export const channelUp = signal(false);
export const mediaUp = signal(false);
export const micOn = signal(true);
export const camOn = signal(true);
export const trouble = computed<"" | "reconnecting" | "rebuilding">(() =>
  phase.value !== "in" ? "" : !channelUp.value ? "reconnecting" : !mediaUp.value ? "rebuilding" : "",
);

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const DEVICES_MS = 6_000;
const PAUSES_MS = [200, 400, 800, 1_500, 2_500];
const pause = (ms: number): Promise<void> => new Promise((resolve) => window.setTimeout(resolve, ms));

let channel: Channel | undefined;
let media: Media | undefined;
let me: { peer: string; resumeKey: string } | undefined;
let generation = 0; // counts media set-ups: what an older one still does is ignored

export const currentMedia = (): Media | undefined => media;

/** Ask what the link is good for; keeps asking while the server is away or the meeting is not open. */
export async function load(): Promise<void> {
  for (;;) {
    let wait = 2_000;
    try {
      const found = await post<Link>("/meet/link", { link: token });
      link.value = found;
      if (found.state === "open") {
        phase.value = "lobby";
        return;
      }
      phase.value = found.state === "early" ? "notYet" : found.state;
      if (found.state !== "early") return;
      wait = 10_000;
    } catch (error) {
      if (error instanceof ApiError && [401, 404, 422].includes(error.status)) {
        phase.value = "badLink";
        return;
      }
      phase.value = "noServer";
    }
    await pause(wait);
  }
}

/** JOIN was pressed. */
export async function join(): Promise<void> {
  if (phase.value === "joining" || phase.value === "in") return;
  pressed();
  phase.value = "joining";
  await settled(DEVICES_MS);
  stopLevel();
  await connect();
}

/** Leave cleanly: the others see it at once. */
export async function leave(): Promise<void> {
  const open = channel;
  finish("left");
  await open?.request("leave").catch(() => undefined);
  open?.drop();
}

export function setPaused(kind: "audio" | "video", paused: boolean): void {
  (kind === "audio" ? micOn : camOn).value = !paused;
  media?.pause(kind, paused).catch(() => undefined);
}

function finish(end: Phase): void {
  batch(() => {
    phase.value = end;
    peers.value = [];
    streams.value = new Map();
    channelUp.value = mediaUp.value = false;
  });
  generation += 1;
  media?.close();
  media = channel = me = undefined;
}

const wanted = (): boolean => phase.value === "joining" || phase.value === "in";

/** Get a channel, by resuming the session or by joining anew, for as long as the hall wants to be in. */
async function connect(): Promise<void> {
  for (let attempt = 0; wanted(); attempt++) {
    try {
      const opened = await open();
      if (!wanted()) return opened.channel.drop();
      channel = opened.channel;
      await arrived(opened.welcome);
      return;
    } catch (error) {
      if (error instanceof Refusal && error.code === "gone") me = undefined;
      if (error instanceof Refusal && (error.code === "cancelled" || error.code === "over")) return finish(error.code);
      if (error instanceof ApiError && error.status === 401) return finish("badLink");
      await pause(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]!);
    }
  }
}

async function open(): Promise<{ channel: Channel; welcome: Welcome }> {
  const events = { notified, closed: lost };
  if (me) return Channel.open<Welcome>({ ...me }, events);
  const found = await post<Link>("/meet/link", { link: token });
  link.value = found;
  if (found.join === null) throw new Refusal(found.state, found.state);
  return Channel.open<Welcome>({ token: found.join }, events);
}

async function arrived(welcome: Welcome): Promise<void> {
  batch(() => {
    me = { peer: welcome.peer, resumeKey: welcome.resumeKey };
    phase.value = "in";
    channelUp.value = true;
    peers.value = welcome.peers;
  });
  const alive = media?.transportIds ?? [];
  if (media && alive.length === 2 && alive.every((id) => welcome.transports.includes(id))) {
    await media.sync(welcome.peers);
  } else {
    await rebuild(welcome);
  }
}

function lost(): void {
  channel = undefined;
  channelUp.value = false;
  if (wanted()) void connect();
}

/** New transports, streams and consumers; tries again while the channel is there. */
async function rebuild(welcome?: Welcome): Promise<void> {
  const mine = ++generation;
  for (let attempt = 0; mine === generation && wanted() && channel; attempt++) {
    mediaUp.value = false;
    media?.close();
    const open = channel;
    try {
      const now = welcome ?? (await open.request<Welcome>("state"));
      welcome = undefined;
      if (!now.relay) throw new Refusal("relay-away", "the relay is away");
      peers.value = now.peers;
      const made = new Media((type, data) => open.request(type, data), {
        changed: () => {
          if (mine === generation) streams.value = new Map(made.remote);
        },
        lost: () => {
          if (mine === generation) void rebuild();
        },
        state: (connected) => {
          if (mine === generation) mediaUp.value = connected;
        },
      });
      media = made;
      await made.start(now.routerRtpCapabilities, local.value, now.layers, now.peers);
      if (mine !== generation) return;
      mediaUp.value = true;
      await made.sync(peers.value);
      if (!micOn.value) await made.pause("audio", true);
      if (!camOn.value) await made.pause("video", true);
      return;
    } catch (error) {
      console.warn("media:", error);
      await pause(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]!);
    }
  }
}

function change(id: string, edit: (peer: RemotePeer) => RemotePeer): void {
  peers.value = peers.value.map((peer) => (peer.id === id ? edit(peer) : peer));
}

function notified(type: string, data: Record<string, unknown>): void {
  const peer = String(data["peer"] ?? "");
  const producer = String(data["producer"] ?? "");
  switch (type) {
    case "peerJoined":
      peers.value = [...peers.value.filter((other) => other.id !== data["id"]), data as unknown as RemotePeer];
      break;
    case "peerLeft":
      for (const stream of peers.value.find((other) => other.id === peer)?.producers ?? []) media?.drop(stream.id);
      peers.value = peers.value.filter((other) => other.id !== peer);
      break;
    case "peerState":
      change(peer, (other) => ({ ...other, silent: data["silent"] === true }));
      break;
    case "producerAdded": {
      const stream = { id: data["id"], kind: data["kind"], paused: data["paused"] } as RemoteStream;
      change(peer, (other) => ({ ...other, silent: false, producers: [...other.producers, stream] }));
      media?.take(peer, stream).catch((error: unknown) => console.warn("consume:", error));
      break;
    }
    case "producerPaused":
      change(peer, (other) => ({
        ...other,
        producers: other.producers.map((stream) =>
          stream.id === producer ? { ...stream, paused: data["paused"] === true } : stream,
        ),
      }));
      break;
    case "producerClosed":
      media?.drop(producer);
      change(peer, (other) => ({ ...other, producers: other.producers.filter((stream) => stream.id !== producer) }));
      break;
    case "relay":
      if (data["up"] !== true) mediaUp.value = false;
      else if (media?.transportIds.length === 2) mediaUp.value = true;
      break;
    case "mediaReset":
      void rebuild();
      break;
    case "replaced":
      channel?.drop();
      finish("replaced");
      break;
    case "meetingEnded":
      channel?.drop();
      finish(data["reason"] === "cancelled" ? "cancelled" : "over");
      break;
  }
}

// devices that were found only after JOIN: send them too
let sent = local.peek();
effect(() => {
  const found = local.value;
  if (found && found !== sent && phase.peek() === "in") void rebuild();
  sent = found;
});

window.addEventListener("pagehide", () => {
  void channel?.request("leave").catch(() => undefined);
});
