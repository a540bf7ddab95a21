/**
 * Line test (会前试线): what this hall sends goes to the relay and comes back, for ten seconds, without any meeting.
 * Up is judged by the relay's receiver reports, down by what comes back, the rate by the sender's own estimate.
 */
import { signal } from "@preact/signals";
import { post } from "../shared/api";
import { Media, type Ask } from "../shared/meet/media";
import type { Named } from "../shared/meet/conference";
import { camera, level, local, microphone, settled, startLevel } from "./devices";
import { hallToken } from "./door";

export interface Way {
  loss_ratio: number | null;
  jitter_ms: number | null;
  rate_bps: number | null;
}

export interface Measured {
  up: Way;
  down: Way;
  rtt_ms: number | null;
}

export interface Check extends Named {
  name: "camera" | "microphone" | "speaker" | "path";
  ok: boolean;
}

export interface Verdict {
  ready: boolean;
  checks: Check[];
  network: { rtt_ms: number | null; up: Way; down: Way } | null;
}

const LONG_MS = 10_000;
const EVERY_MS = 500;
const TELL_TIMES = 4;

export const progress = signal<number | undefined>(undefined); // 0..1 while it runs
export const measured = signal<Measured | undefined>(undefined);
export const verdict = signal<Verdict | undefined>(undefined);
/** Why nothing was measured: the relay was not reached, or the server that judges it. */
export const failed = signal<"" | "path" | "server">("");
/** What a person says of the test sound; null: nobody was asked. */
export const tone = signal<boolean | null>(null);

let loudest = 0;
const pause = (ms: number): Promise<void> => new Promise((resolve) => window.setTimeout(resolve, ms));
const ask: Ask = <T>(request: string, data: Record<string, unknown> = {}) =>
  post<T>("/meet/hall/line", { token: hallToken(), request, data });

/** Run it, and tell the server. */
export async function testLine(): Promise<void> {
  if (progress.peek() !== undefined) return;
  progress.value = 0;
  failed.value = "";
  loudest = 0;
  measured.value = verdict.value = undefined;
  let fastest = 0;
  let media: Media | undefined;
  try {
    await settled(6_000);
    startLevel();
    media = await loop();
    const began = performance.now();
    while (performance.now() - began < LONG_MS) {
      await pause(EVERY_MS);
      loudest = Math.max(loudest, level.peek());
      progress.value = (performance.now() - began) / LONG_MS;
      const elapsedMs = performance.now() - began;
      const found = await figures(media, elapsedMs);
      // the estimate has had time to grow by then; a moment's dip of a busy computer is not the line's
      if (elapsedMs > LONG_MS / 2) fastest = Math.max(fastest, found.up.rate_bps ?? 0);
      if (fastest > 0) found.up.rate_bps = fastest;
      measured.value = found;
    }
  } catch (error) {
    console.warn("line test:", error);
    failed.value = "path";
  } finally {
    media?.close();
    progress.value = undefined;
    void ask("close").catch(() => undefined);
  }
  await tell();
}

/** A person heard the sound, or did not: told again with the rest. */
export async function heardTone(yes: boolean): Promise<void> {
  tone.value = yes;
  if (verdict.peek()) await tell();
}

async function tell(): Promise<void> {
  const result = {
    camera: camera.peek(),
    microphone: microphone.peek(),
    level: Math.round(loudest * 100) / 100,
    speaker: tone.peek(),
    path: failed.peek() ? null : measured.peek() ?? null,
  };
  for (let attempt = 0; attempt < TELL_TIMES; attempt++) {
    try {
      verdict.value = await post<Verdict>("/meet/hall/test", { token: hallToken(), result });
      return;
    } catch (error) {
      console.warn("line test:", error);
      await pause(EVERY_MS * 2 ** attempt);
    }
  }
  failed.value = "server";
}

async function loop(): Promise<Media> {
  const capabilities = await ask<Parameters<Media["start"]>[0]>("capabilities");
  const media = new Media(ask, { changed: () => undefined, lost: () => undefined, state: () => undefined });
  await media.start(capabilities, 1);
  const [sound] = local.peek()?.getAudioTracks() ?? [];
  const [picture] = local.peek()?.getVideoTracks() ?? [];
  await media.offer({ microphone: sound, camera: picture });
  for (const producer of media.producers.values()) await media.takeOwn(producer.id);
  return media;
}

/** Nothing of a stream that was closed since: a camera pulled out in the middle is no end of the test. */
async function statsOf(stream: { getStats(): Promise<RTCStatsReport> }): Promise<Iterable<any>> {
  return stream.getStats().then(
    (report) => report.values(),
    () => [],
  );
}

async function figures(media: Media, elapsedMs: number): Promise<Measured> {
  const up: Way = { loss_ratio: null, jitter_ms: null, rate_bps: null };
  const down: Way = { loss_ratio: null, jitter_ms: null, rate_bps: null };
  let [rtt, got, lost, bytes]: [number | null, number, number, number] = [null, 0, 0, 0];
  for (const producer of media.producers.values()) {
    for (const one of await statsOf(producer)) {
      if (one.type === "remote-inbound-rtp") {
        const sent = (one.packetsLost ?? 0) + (one.packetsReceived ?? 0);
        const ratio = sent > 0 ? Math.max(0, one.packetsLost) / sent : (one.fractionLost ?? 0);
        up.loss_ratio = Math.max(up.loss_ratio ?? 0, ratio);
        up.jitter_ms = Math.max(up.jitter_ms ?? 0, (one.jitter ?? 0) * 1000);
      } else if (one.type === "candidate-pair" && one.nominated) {
        if (one.availableOutgoingBitrate) up.rate_bps = one.availableOutgoingBitrate;
        if (one.currentRoundTripTime !== undefined) rtt = one.currentRoundTripTime * 1000;
      }
    }
  }
  for (const { consumer } of media.consumers) {
    for (const one of await statsOf(consumer)) {
      if (one.type !== "inbound-rtp") continue;
      got += one.packetsReceived ?? 0;
      lost += Math.max(0, one.packetsLost ?? 0);
      bytes += one.bytesReceived ?? 0;
      down.jitter_ms = Math.max(down.jitter_ms ?? 0, (one.jitter ?? 0) * 1000);
    }
  }
  if (got > 0) down.loss_ratio = lost / (got + lost);
  if (got > 0) down.rate_bps = (bytes * 8_000) / elapsedMs;
  return { up, down, rtt_ms: rtt };
}
