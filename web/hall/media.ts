/** Picture and sound through the relay: mediasoup-client's transports, rebuilt as often as needed. */
import { Device, type types } from "mediasoup-client";

export interface RemoteStream {
  id: string;
  kind: "audio" | "video";
  paused: boolean;
}

export interface RemotePeer {
  id: string;
  hall: string;
  zh: string;
  en: string;
  silent: boolean;
  producers: RemoteStream[];
}

export type Ask = <T>(type: string, data?: Record<string, unknown>) => Promise<T>;

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
  /** A track of a peer arrived or went. */
  changed(): void;
  /** The transports cannot be brought back: build new ones. */
  lost(): void;
  /** "connected" or "broken": what the transports say. */
  state(connected: boolean): void;
}

const RESTART_EVERY_MS = 2_500;
const GIVE_UP_MS = 10_000;

export class Media {
  /** Remote tracks: peer -> stream with its audio and video. */
  readonly remote = new Map<string, MediaStream>();
  readonly consumers = new Map<string, { peer: string; consumer: types.Consumer }>();
  readonly producers: types.Producer[] = [];
  private readonly wanted = new Set<string>();
  private device = new Device({ handlerName: "Chrome111" });
  private send: types.Transport | undefined;
  private receive: types.Transport | undefined;
  private readonly broken = new Map<types.Transport, number>();
  private closed = false;

  constructor(
    private readonly ask: Ask,
    private readonly events: MediaEvents,
  ) {}

  get transportIds(): string[] {
    return [this.send, this.receive].flatMap((transport) => (transport ? [transport.id] : []));
  }

  /** Connect both ways; what goes out and what comes in start side by side. */
  async start(
    capabilities: types.RtpCapabilities,
    local: MediaStream | undefined,
    layers: number,
    peers: RemotePeer[],
  ): Promise<void> {
    this.device = await Device.factory();
    await this.device.load({ routerRtpCapabilities: capabilities });
    const [sending, receiving] = await Promise.all([
      this.ask<TransportOptions>("createTransport"),
      this.ask<TransportOptions>("createTransport"),
    ]);
    if (this.closed) return;
    this.send = this.device.createSendTransport(sending);
    this.receive = this.device.createRecvTransport(receiving);
    for (const transport of [this.send, this.receive]) this.watch(transport);
    this.send.on("produce", ({ kind, rtpParameters }, done, fail) => {
      this.ask<{ id: string }>("produce", { transport: sending.id, kind, rtpParameters }).then(done, fail);
    });
    await Promise.all([this.produceAll(local, layers), ...peers.flatMap((peer) => this.takeAll(peer))]);
  }

  /** Take a stream of a peer. */
  async take(peer: string, stream: RemoteStream): Promise<void> {
    if (!this.receive || this.wanted.has(stream.id)) return;
    this.wanted.add(stream.id);
    try {
      const options = await this.ask<ConsumerOptions>("consume", {
        transport: this.receive.id,
        producer: stream.id,
        rtpCapabilities: this.device.rtpCapabilities,
      });
      const consumer = await this.receive.consume({ ...options, streamId: peer });
      if (this.closed || !this.wanted.has(stream.id)) {
        consumer.close();
        return;
      }
      this.consumers.set(stream.id, { peer, consumer });
      const tracks = this.remote.get(peer) ?? new MediaStream();
      tracks.addTrack(consumer.track);
      this.remote.set(peer, tracks);
      this.events.changed();
      await this.ask("pauseConsumer", { consumer: consumer.id, paused: false });
    } catch (error) {
      this.wanted.delete(stream.id);
      if (!this.closed) throw error;
    }
  }

  /** A peer's stream ended. */
  drop(producer: string): void {
    this.wanted.delete(producer);
    const entry = this.consumers.get(producer);
    if (!entry) return;
    this.consumers.delete(producer);
    const tracks = this.remote.get(entry.peer);
    tracks?.removeTrack(entry.consumer.track);
    if (tracks && tracks.getTracks().length === 0) this.remote.delete(entry.peer);
    entry.consumer.close();
    this.events.changed();
  }

  /** Make what we take equal to what the peers send. */
  async sync(peers: RemotePeer[]): Promise<void> {
    const there = new Set(peers.flatMap((peer) => peer.producers.map((stream) => stream.id)));
    for (const producer of [...this.wanted]) if (!there.has(producer)) this.drop(producer);
    await Promise.all(peers.flatMap((peer) => this.takeAll(peer)));
  }

  /** Pause or go on sending one kind. */
  async pause(kind: "audio" | "video", paused: boolean): Promise<void> {
    for (const producer of this.producers) {
      if (producer.kind !== kind) continue;
      if (paused) producer.pause();
      else producer.resume();
      await this.ask("pauseProducer", { producer: producer.id, paused });
    }
  }

  close(): void {
    this.closed = true;
    this.send?.close();
    this.receive?.close();
    this.remote.clear();
    this.consumers.clear();
  }

  private takeAll(peer: RemotePeer): Promise<void>[] {
    return peer.producers.map((stream) => this.take(peer.id, stream));
  }

  private async produceAll(local: MediaStream | undefined, layers: number): Promise<void> {
    const audio = local?.getAudioTracks()[0];
    const video = local?.getVideoTracks()[0];
    if (audio) {
      await this.produce({
        track: audio.clone(),
        codecOptions: { opusFec: true, opusDtx: false },
      });
    }
    if (video) {
      const codecs = this.device.rtpCapabilities.codecs ?? [];
      const codec = codecs.find((c) => c.mimeType.toLowerCase() === "video/h264") ??
        codecs.find((c) => c.mimeType.toLowerCase() === "video/vp8");
      const encodings =
        layers > 1
          ? [
              { rid: "r0", scaleResolutionDownBy: 4, maxBitrate: 200_000 },
              { rid: "r1", scaleResolutionDownBy: 2, maxBitrate: 600_000 },
              { rid: "r2", scaleResolutionDownBy: 1, maxBitrate: 1_800_000 },
            ]
          : [{ maxBitrate: 1_800_000 }];
      await this.produce({
        track: video.clone(),
        encodings,
        codecOptions: { videoGoogleStartBitrate: 1500 },
        ...(codec ? { codec } : {}),
      });
    }
  }

  private async produce(options: types.ProducerOptions): Promise<void> {
    if (!this.send || this.closed) return;
    this.producers.push(await this.send.produce({ ...options, disableTrackOnPause: true, zeroRtpOnPause: true }));
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
