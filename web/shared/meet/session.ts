/**
 * One page's seat in a meeting: in, and back in by itself whatever is lost. What the page shows is the page's own;
 * what it may show and send, the server decides.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import { ApiError } from "../api";
import { Channel, Refusal } from "./channel";
import type { Conference, Named, RemotePeer, RemoteStream, Source, Welcome } from "./conference";
import { Media, type Sending, type Wanted } from "./media";
import { servers } from "./servers";

/** "waiting": in the waiting room. The last six are ends. */
export type Phase = "idle" | "joining" | "waiting" | "in" | "left" | "over" | "cancelled" | "badLink" | "replaced" | "cut";

export interface Options {
  /** A server's fresh join token; throws Refusal with the meeting's state ("early", "over", "cancelled") when there is none. */
  token(server: string): Promise<string>;
  /** What is sent; read as a signal, so that a camera plugged in later is sent too. Undefined: a console. */
  sending?: (() => Sending) | undefined;
  /** The pictures the page shows; read as a signal. */
  wanted(conference: Conference): Wanted[];
}

const AGAIN_MS = 500;
const CONNECT_MS = 3_000; // a lost SYN is sent again later and later: a new try is quicker
const OTHERS_MS = 1_500; // with another server to ask, nobody waits so long for the first
const PAUSES_MS = [200, 400, 800, 1_500, 2_500];
const late = (ms: number): Promise<never> =>
  new Promise((_, reject) => window.setTimeout(() => reject(new Refusal("away", "no answer")), ms));
/** No server was there, or one that cannot answer now: the next may. */
const unanswered = (error: unknown): boolean =>
  error instanceof Refusal ? error.code === "away" : !(error instanceof ApiError) || error.status >= 500;
const pause = (attempt: number): Promise<void> =>
  new Promise((resolve) => window.setTimeout(resolve, PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]));

export class Session {
  readonly phase = signal<Phase>("idle");
  readonly peers = signal<RemotePeer[]>([]);
  readonly conference = signal<Conference | undefined>(undefined);
  readonly venues = signal<Record<string, Named>>({});
  /** "t01/camera", "t01/slides" -> what arrives of it. */
  readonly pictures = signal<ReadonlyMap<string, MediaStream>>(new Map());
  readonly voices = signal<readonly MediaStream[]>([]);
  readonly channelUp = signal(false);
  readonly mediaUp = signal(false);
  /** Sources that the page itself has switched off. */
  readonly off = signal<ReadonlySet<Source>>(new Set());
  readonly trouble = computed<"" | "reconnecting" | "rebuilding">(() => {
    if (this.phase.value !== "in" && this.phase.value !== "waiting") return "";
    return !this.channelUp.value ? "reconnecting" : this.phase.value === "in" && !this.mediaUp.value ? "rebuilding" : "";
  });
  media: Media | undefined;
  private channel: Channel | undefined;
  private me: { peer: string; resumeKey: string } | undefined;
  private generation = 0; // counts media set-ups: what an older one still does is ignored
  private started: Media | undefined;

  constructor(private readonly options: Options) {
    effect(() => {
      const { conference, peers, phase } = this;
      if (phase.value !== "in" || !conference.value) return;
      void this.show(this.started, this.options.wanted(conference.value), peers.value);
    });
    effect(() => {
      const sending = this.options.sending?.();
      if (sending && this.phase.value === "in") this.offer(sending);
    });
    window.addEventListener("pagehide", () => void this.channel?.request("leave").catch(() => undefined));
    for (const event of ["online", "pageshow"]) window.addEventListener(event, () => this.channel?.ping());
    document.addEventListener("visibilitychange", () => this.channel?.ping());
  }

  /** Go in, as soon as `ready` (the page's devices, for example). */
  async join(ready: Promise<void> = Promise.resolve()): Promise<void> {
    if (this.going) return;
    this.phase.value = "joining";
    await ready;
    if (this.phase.peek() === "joining") await this.connect();
  }

  /** Leave cleanly: the others see it at once. */
  async leave(): Promise<void> {
    const open = this.channel;
    this.finish("left");
    await open?.request("leave").catch(() => undefined);
    open?.drop();
  }

  /** One action of the chair's table; Refusal when the server's rules refuse it. */
  act(action: string, args: Record<string, unknown> = {}): Promise<{ number: number }> {
    return this.request("act", { ...args, action });
  }

  request<T>(type: string, data: Record<string, unknown> = {}): Promise<T> {
    return this.channel?.request<T>(type, data) ?? Promise.reject(new Refusal("away", "not connected"));
  }

  setOff(source: Source, off: boolean): void {
    const now = new Set(this.off.value);
    if (off) now.add(source);
    else now.delete(source);
    this.off.value = now;
    this.media?.pause(source, off).catch(() => undefined);
  }

  private get going(): boolean {
    return ["joining", "waiting", "in"].includes(this.phase.peek());
  }

  private finish(end: Phase): void {
    this.generation += 1;
    this.media?.close();
    this.media = this.started = this.channel = this.me = undefined;
    batch(() => {
      this.phase.value = end;
      this.peers.value = [];
      this.conference.value = undefined;
      this.pictures.value = new Map();
      this.voices.value = [];
      this.channelUp.value = this.mediaUp.value = false;
    });
  }

  /** Get a channel, by resuming the session or by joining anew, for as long as the page wants to be in. */
  private async connect(): Promise<void> {
    let [attempt, turn] = [0, 0];
    while (this.going) {
      try {
        const opened = await this.open(turn);
        if (!this.going) return opened.channel.drop();
        this.channel = opened.channel;
        await this.arrived(opened.welcome);
        return;
      } catch (error) {
        if (error instanceof Refusal && error.code === "gone" && this.me) {
          this.me = undefined; // this server does not know us: in at once as somebody new
          continue;
        }
        if (error instanceof Refusal && (error.code === "cancelled" || error.code === "over")) return this.finish(error.code);
        if (error instanceof ApiError && (error.status === 401 || error.status === 404)) return this.finish("badLink");
        turn = unanswered(error) ? turn + 1 : 0;
        await pause(attempt++);
      }
    }
  }

  private async open(turn: number): Promise<{ channel: Channel; welcome: Welcome }> {
    const all = servers();
    const server = all[turn % all.length]!;
    const mostMs = all.length > 1 ? OTHERS_MS : CONNECT_MS;
    const events = {
      notified: (type: string, data: Record<string, unknown>) => this.notified(type, data),
      closed: () => {
        this.channel = undefined;
        this.channelUp.value = false;
        if (this.going) void this.connect();
      },
    };
    const hello = this.me ?? { token: await Promise.race([this.options.token(server), late(2 * mostMs)]) };
    return Channel.open<Welcome>({ ...hello }, events, server, mostMs);
  }

  private async arrived(welcome: Welcome): Promise<void> {
    const alive = this.media?.transportIds ?? [];
    const kept = alive.length > 0 && alive.every((id) => welcome.transports.includes(id));
    batch(() => {
      this.me = { peer: welcome.peer, resumeKey: welcome.resumeKey };
      this.phase.value = welcome.waiting ? "waiting" : "in";
      this.channelUp.value = true;
      this.take(welcome);
      if (!kept) this.mediaUp.value = false;
    });
    if (!welcome.waiting && !kept) await this.rebuild(welcome);
  }

  private take(welcome: Welcome): void {
    this.peers.value = welcome.peers;
    this.conference.value = welcome.conference;
    this.venues.value = welcome.venues;
  }

  /** New transports, streams and consumers; tries again while the channel is there. */
  private async rebuild(welcome?: Welcome): Promise<void> {
    const mine = ++this.generation;
    for (let attempt = 0; mine === this.generation && this.going && this.channel; attempt++) {
      this.mediaUp.value = false;
      this.media?.close();
      this.started = undefined;
      const open = this.channel;
      try {
        const now: Welcome = welcome ?? (await open.request<Welcome>("state"));
        welcome = undefined;
        if (now.waiting) return;
        if (!now.relay) throw new Refusal("relay-away", "the relay is away");
        batch(() => {
          this.take(now);
          this.phase.value = "in";
        });
        const made = new Media((type, data) => this.request(type, data), {
          changed: () => {
            if (mine !== this.generation) return;
            batch(() => {
              this.pictures.value = new Map(made.pictures);
              this.voices.value = [...made.voices];
            });
          },
          lost: () => {
            if (mine === this.generation) void this.rebuild();
          },
          state: (connected) => {
            if (mine === this.generation) this.mediaUp.value = connected;
          },
        });
        this.media = made;
        const sending = this.options.sending?.();
        await made.start(now.routerRtpCapabilities, now.layers, sending !== undefined);
        if (mine !== this.generation) return;
        this.started = made;
        const conference = this.conference.peek();
        await Promise.all([
          conference ? this.show(made, this.options.wanted(conference), this.peers.peek()) : undefined,
          sending ? this.offer(sending) : undefined,
          made.listen(),
        ]);
        if (mine !== this.generation) return;
        this.mediaUp.value = true;
        this.showAgain(made); // as it is by now
        return;
      } catch (error) {
        console.warn("media:", error);
        await pause(attempt);
      }
    }
  }

  /** Take what is wanted; what could not be had is asked for again, for as long as it is wanted. */
  private async show(media: Media | undefined, wanted: Wanted[], peers: RemotePeer[]): Promise<void> {
    try {
      await media?.show(wanted, peers);
    } catch (error) {
      if (media !== this.started) return;
      console.warn("show:", error);
      window.setTimeout(() => this.showAgain(media), AGAIN_MS);
    }
  }

  private showAgain(media: Media | undefined): void {
    const conference = this.conference.peek();
    if (media === this.started && conference) void this.show(media, this.options.wanted(conference), this.peers.peek());
  }

  private async offer(sending: Sending): Promise<void> {
    const media = this.started;
    try {
      await media?.offer(sending);
      for (const source of this.off.peek()) await media?.pause(source, true);
    } catch (error) {
      if (media === undefined || media !== this.started) return;
      console.warn("send:", error);
      window.setTimeout(() => {
        const now = media === this.started ? this.options.sending?.() : undefined;
        if (now) void this.offer(now);
      }, AGAIN_MS);
    }
  }

  private change(id: string, edit: (peer: RemotePeer) => RemotePeer): void {
    this.peers.value = this.peers.value.map((peer) => (peer.id === id ? edit(peer) : peer));
  }

  private editStreams(id: string, edit: (streams: RemoteStream[]) => RemoteStream[]): void {
    this.change(id, (peer) => ({ ...peer, producers: edit(peer.producers) }));
  }

  private notified(type: string, data: Record<string, unknown>): void {
    const peer = String(data["peer"] ?? "");
    const producer = String(data["producer"] ?? "");
    switch (type) {
      case "conference":
        this.told(data as unknown as Conference);
        break;
      case "peerJoined": {
        const joined = data as unknown as RemotePeer;
        batch(() => {
          this.peers.value = [...this.peers.value.filter((other) => other.id !== joined.id), joined];
          this.venues.value = { ...this.venues.value, [joined.hall]: { zh: joined.zh, en: joined.en } };
        });
        break;
      }
      case "peerLeft":
        this.peers.value = this.peers.value.filter((other) => other.id !== peer);
        break;
      case "peerState":
        this.change(peer, (other) => ({ ...other, silent: data["silent"] === true }));
        break;
      case "producerAdded": {
        const { peer: _, ...stream } = data;
        this.editStreams(peer, (streams) => [...streams, stream as unknown as RemoteStream]);
        break;
      }
      case "producerPaused":
        this.editStreams(peer, (streams) =>
          streams.map((one) => (one.id === producer ? { ...one, paused: data["paused"] === true } : one)),
        );
        break;
      case "producerClosed":
        this.editStreams(peer, (streams) => streams.filter((one) => one.id !== producer));
        break;
      case "relay":
        if (data["up"] !== true) this.mediaUp.value = false;
        else if (this.started) this.mediaUp.value = true;
        break;
      case "mediaReset":
        void this.rebuild();
        break;
      case "ejected":
      case "replaced":
        this.channel?.drop();
        this.finish(type === "replaced" ? "replaced" : "cut");
        break;
      case "meetingEnded":
        this.channel?.drop();
        this.finish(data["reason"] === "cancelled" ? "cancelled" : "over");
        break;
    }
  }

  private told(conference: Conference): void {
    const waiting = conference.you.role === "waiting";
    this.conference.value = conference;
    if (this.phase.value === "waiting" && !waiting) void this.rebuild();
  }
}
