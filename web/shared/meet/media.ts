/** Picture and sound through the relay: what goes out, what comes in, mended and rebuilt as often as needed. */
import { Device, type types } from "mediasoup-client";
import type { RemotePeer, Source } from "./conference";

export type Ask = <T>(type: string, data?: Record<string, unknown>) => Promise<T>;
export type Layer = 0 | 1 | 2 | null;

/** What a page sends; a console sends nothing. */
export interface Sending {
  microphone?: MediaStreamTrack | undefined;
  camera?: MediaStreamTrack | undefined;
  slides?: MediaStreamTrack | undefined;
}

/** A picture that a page shows, and the highest layer that its size needs (null: the best there is). */
export interface Wanted {
  venue: string;
  source: "camera" | "slides";
  maxLayer: Layer;
}

/** The highest layer that a picture so wide (in device pixels) needs. */
export const layerFor = (pixels: number): Layer => (pixels > 900 ? null : pixels > 400 ? 1 : 0);

export const pictureKey = (venue: string, source: Source): string => `${venue}/${source}`;

interface TransportOptions {
  id: string;
  iceParameters: types.IceParameters;
  iceCandidates: types.IceCandidate[];
  dtlsParameters: types.DtlsParameters;
}

interface ConsumerOptions {
  id: string;
  producerId: string;
  kind: "audio" | "video";
  rtpParameters: types.RtpParameters;
}

export interface MediaEvents {
  /** A picture or a voice arrived or went. */
  changed(): void;
  /** The transports cannot be brought back: build new ones. */
  lost(): void;
  /** What the transports say: connected, or broken. */
  state(connected: boolean): void;
}

interface Taken {
  venue: string;
  source: Source;
  producer: string;
  maxLayer: Layer;
  consumer?: types.Consumer;
}

const RESTART_EVERY_MS = 2_500;
const GIVE_UP_MS = 10_000;
const LAYERS = [
  { rid: "r0", scaleResolutionDownBy: 4, maxBitrate: 200_000 },
  { rid: "r1", scaleResolutionDownBy: 2, maxBitrate: 600_000 },
  { rid: "r2", scaleResolutionDownBy: 1, maxBitrate: 1_800_000 },
];

export class Media {
  /** Pictures that have arrived: "t01/camera" -> stream. */
  readonly pictures = new Map<string, MediaStream>();
  /** The places for whoever speaks. */
  readonly voices: MediaStream[] = [];
  readonly consumers: { venue: string; source: Source; consumer: types.Consumer }[] = [];
  readonly producers = new Map<Source, types.Producer>();
  private readonly taken = new Map<string, Taken>();
  private device = new Device({ handlerName: "Chrome111" });
  private send: types.Transport | undefined;
  private receive: types.Transport | undefined;
  private readonly broken = new Map<types.Transport, number>();
  private sending: Promise<void> = Promise.resolve();
  private closed = false;
  private layers = 1;

  constructor(
    private readonly ask: Ask,
    private readonly events: MediaEvents,
  ) {}

  get transportIds(): string[] {
    return [this.send, this.receive].flatMap((transport) => (transport ? [transport.id] : []));
  }

  /** Connect; `sends` false: a console, which has no way out. The voices come at once. */
  async start(capabilities: types.RtpCapabilities, layers: number, sends = true): Promise<void> {
    this.layers = layers;
    this.device = await Device.factory();
    await this.device.load({ routerRtpCapabilities: capabilities });
    const [receiving, sending] = await Promise.all([
      this.ask<TransportOptions>("createTransport"),
      sends ? this.ask<TransportOptions>("createTransport") : undefined,
    ]);
    if (this.closed) return;
    this.receive = this.device.createRecvTransport(receiving);
    this.watch(this.receive);
    if (sending) {
      this.send = this.device.createSendTransport(sending);
      this.watch(this.send);
      this.send.on("produce", ({ kind, rtpParameters, appData }, done, fail) => {
        const data = { transport: sending.id, kind, rtpParameters, source: appData["source"] };
        this.ask<{ id: string }>("produce", data).then(done, fail);
      });
    }
  }

  /** Places for the loudest voices. */
  async listen(): Promise<void> {
    const receive = this.receive;
    if (!receive) return;
    const { consumers } = await this.ask<{ consumers: Omit<ConsumerOptions, "producerId">[] }>("consumeAudio", {
      transport: receive.id,
      rtpCapabilities: this.device.rtpCapabilities,
    });
    const made = await Promise.all(
      // all at once: one negotiation
      consumers.map((options) => receive.consume({ ...options, producerId: options.id, streamId: options.id })),
    );
    if (this.closed) return;
    for (const consumer of made) {
      this.consumers.push({ venue: "", source: "microphone", consumer });
      this.voices.push(new MediaStream([consumer.track]));
    }
    this.events.changed();
    await Promise.all(made.map(({ id }) => this.ask("pauseConsumer", { consumer: id, paused: false })));
  }

  /** Send these tracks and no others; a new track takes the place of the old one without a break. */
  offer(tracks: Sending): Promise<void> {
    this.sending = this.sending.catch(() => undefined).then(() => this.offerNow(tracks));
    return this.sending;
  }

  private async offerNow(tracks: Sending): Promise<void> {
    for (const source of ["microphone", "camera", "slides"] as const) {
      const track = tracks[source]?.readyState === "live" ? tracks[source] : undefined;
      const made = this.producers.get(source);
      if (this.closed || !this.send) return;
      if (made && track) {
        if (made.appData["of"] === track.id) continue;
        await made.replaceTrack({ track: track.clone() });
        made.appData["of"] = track.id;
      } else if (made) {
        this.producers.delete(source);
        made.close();
        await this.ask("closeProducer", { producer: made.id });
      } else if (track) {
        this.producers.set(source, await this.send.produce(this.options(source, track)));
      }
    }
  }

  private options(source: Source, track: MediaStreamTrack): types.ProducerOptions {
    const common = {
      track: track.clone(),
      appData: { source, of: track.id },
      disableTrackOnPause: true,
      zeroRtpOnPause: true,
    };
    if (source === "microphone") return { ...common, codecOptions: { opusFec: true, opusDtx: false } };
    const codecs = this.device.rtpCapabilities.codecs ?? [];
    const find = (type: string) => codecs.find((codec) => codec.mimeType.toLowerCase() === type);
    const codec = find("video/h264") ?? find("video/vp8");
    return {
      ...common,
      encodings: source === "camera" && this.layers > 1 ? LAYERS : [{ maxBitrate: 1_800_000 }],
      codecOptions: { videoGoogleStartBitrate: 1500 },
      ...(codec ? { codec } : {}),
    };
  }

  /** Take the pictures that are wanted, as far as their venues send them, and let go of all others. */
  async show(wanted: Wanted[], peers: RemotePeer[]): Promise<void> {
    const now = new Map<string, Taken>();
    for (const { venue, source, maxLayer } of wanted) {
      const streams = peers.find((peer) => peer.hall === venue)?.producers ?? [];
      const stream = streams.find((one) => one.source === source);
      if (stream) now.set(stream.id, { venue, source, producer: stream.id, maxLayer });
    }
    for (const [producer, entry] of this.taken) if (!now.has(producer)) this.drop(entry);
    await Promise.all([...now.values()].map((entry) => this.take(entry)));
  }

  private async take(entry: Taken): Promise<void> {
    const before = this.taken.get(entry.producer);
    if (before) {
      if (before.maxLayer === entry.maxLayer) return;
      before.maxLayer = entry.maxLayer;
      if (before.consumer) await this.ask("prefer", { consumer: before.consumer.id, maxLayer: entry.maxLayer });
      return;
    }
    if (!this.receive) return;
    this.taken.set(entry.producer, entry);
    try {
      const options = await this.ask<ConsumerOptions>("consume", {
        transport: this.receive.id,
        producer: entry.producer,
        rtpCapabilities: this.device.rtpCapabilities,
      });
      const consumer = await this.receive.consume({ ...options, streamId: options.id });
      if (this.closed || this.taken.get(entry.producer) !== entry) {
        consumer.close();
        if (!this.closed) await this.ask("closeConsumer", { consumer: consumer.id });
        return;
      }
      entry.consumer = consumer;
      this.consumers.push({ venue: entry.venue, source: entry.source, consumer });
      this.pictures.set(pictureKey(entry.venue, entry.source), new MediaStream([consumer.track]));
      this.events.changed();
      const layer = entry.maxLayer;
      if (layer !== null) this.ask("prefer", { consumer: consumer.id, maxLayer: layer }).catch(() => undefined); // a wish
      await this.ask("pauseConsumer", { consumer: consumer.id, paused: false });
    } catch (error) {
      if (this.taken.get(entry.producer) === entry) this.drop(entry); // so that it can be asked for again
      if (!this.closed) throw error;
    }
  }

  /** Take one of the streams that this page itself sends: a line test's way back. */
  takeOwn(producer: string): Promise<void> {
    return this.take({ venue: "", source: "camera", producer, maxLayer: null });
  }

  private drop(entry: Taken): void {
    this.taken.delete(entry.producer);
    const { consumer } = entry;
    if (!consumer) return;
    const at = this.consumers.findIndex((one) => one.consumer === consumer);
    if (at >= 0) this.consumers.splice(at, 1);
    const key = pictureKey(entry.venue, entry.source);
    if (this.pictures.get(key)?.getTracks()[0] === consumer.track) this.pictures.delete(key);
    consumer.close();
    this.ask("closeConsumer", { consumer: consumer.id }).catch(() => undefined); // gone with its stream: fine too
    this.events.changed();
  }

  /** Pause or go on sending one source. */
  async pause(source: Source, paused: boolean): Promise<void> {
    const producer = this.producers.get(source);
    if (!producer) return;
    if (paused) producer.pause();
    else producer.resume();
    await this.ask("pauseProducer", { producer: producer.id, paused });
  }

  close(): void {
    this.closed = true;
    this.send?.close();
    this.receive?.close();
    this.pictures.clear();
    this.voices.length = 0;
    this.consumers.length = 0;
    this.producers.clear();
    this.taken.clear();
  }

  private watch(transport: types.Transport): void {
    transport.on("connect", ({ dtlsParameters }, done, fail) => {
      this.ask("connectTransport", { transport: transport.id, dtlsParameters }).then(() => done(), fail);
    });
    transport.on("connectionstatechange", (state) => {
      if (state === "connected") {
        this.broken.delete(transport);
        this.events.state(this.broken.size === 0);
      } else if ((state === "disconnected" || state === "failed") && !this.broken.has(transport)) {
        this.broken.set(transport, performance.now());
        this.events.state(false);
        void this.mend(transport);
      }
    });
  }

  /** ICE restarts until the transport is back, or until it is given up. */
  private async mend(transport: types.Transport): Promise<void> {
    while (!this.closed) {
      const since = this.broken.get(transport);
      if (since === undefined) return;
      if (performance.now() - since > GIVE_UP_MS) {
        this.events.lost();
        return;
      }
      try {
        const { iceParameters } = await this.ask<{ iceParameters: types.IceParameters }>("restartIce", {
          transport: transport.id,
        });
        await transport.restartIce({ iceParameters });
      } catch {
        // the signalling is away too: it comes back first
      }
      await new Promise((resolve) => window.setTimeout(resolve, RESTART_EVERY_MS));
    }
  }
}
