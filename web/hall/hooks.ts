/** `window.sanwang`: what rehearsals and tests read and press; plain data, no secrets. */
import { pictureKey } from "../shared/meet/media";
import { camera, microphone } from "./devices";
import { home, link } from "./door";
import { firstFrameMs, frameFigures, probing, resetGaps } from "./measure";
import { join, leave, screen, session } from "./meeting";

interface RemoteFigures {
  hall: string; // "" of a voice: the loudest have the places in turn
  source: string;
  kind: string;
  codec: string;
  bytes: number;
  packetsLost: number;
  framesDecoded: number;
  framesPerSecond: number;
  freezeCount: number;
  jitterMs: number;
  audioEnergy: number;
  frames: number;
  framesChanged: number;
  checksum: number;
  longestGapMs: number;
  sinceChangeMs: number;
}

export async function stats() {
  const remotes: RemoteFigures[] = [];
  const sent: { kind: string; codec: string; bytes: number; framesEncoded: number; width: number; height: number; rid: string }[] = [];
  const { media } = session;
  for (const { venue, source, consumer } of [...(media?.consumers ?? [])]) {
    const report = await consumer.getStats().catch(() => undefined); // closed since
    if (!report) continue;
    const codecs = new Map([...report.values()].filter((s) => s.type === "codec").map((s) => [s.id, s.mimeType]));
    for (const s of report.values()) {
      if (s.type !== "inbound-rtp") continue;
      const seen = consumer.kind === "video" ? frameFigures(pictureKey(venue, source)) : undefined;
      remotes.push({
        hall: venue,
        source,
        kind: consumer.kind,
        codec: codecs.get(s.codecId) ?? "",
        bytes: s.bytesReceived ?? 0,
        packetsLost: s.packetsLost ?? 0,
        framesDecoded: s.framesDecoded ?? 0,
        framesPerSecond: s.framesPerSecond ?? 0,
        freezeCount: s.freezeCount ?? 0,
        jitterMs: (s.jitter ?? 0) * 1000,
        audioEnergy: s.totalAudioEnergy ?? 0,
        frames: seen?.frames ?? 0,
        framesChanged: seen?.changed ?? 0,
        checksum: seen?.checksum ?? 0,
        longestGapMs: seen?.longestGapMs ?? 0,
        sinceChangeMs: seen?.lastChangeMs ? performance.now() - seen.lastChangeMs : -1,
      });
    }
  }
  for (const producer of media?.producers.values() ?? []) {
    const report = await producer.getStats().catch(() => undefined); // closed since
    if (!report) continue;
    const codecs = new Map([...report.values()].filter((s) => s.type === "codec").map((s) => [s.id, s.mimeType]));
    for (const s of report.values()) {
      if (s.type !== "outbound-rtp") continue;
      sent.push({
        kind: producer.kind,
        codec: codecs.get(s.codecId) ?? "",
        bytes: s.bytesSent ?? 0,
        framesEncoded: s.framesEncoded ?? 0,
        width: s.frameWidth ?? 0,
        height: s.frameHeight ?? 0,
        rid: s.rid ?? "",
      });
    }
  }
  return {
    phase: screen.value,
    trouble: session.trouble.value,
    channelUp: session.channelUp.value,
    mediaUp: session.mediaUp.value,
    hall: home.value?.hall.code ?? link.value?.hall.code ?? "",
    view: session.conference.value?.you ?? null,
    conference: session.conference.value ?? null,
    peers: session.peers.value.map(({ hall, silent }) => ({ hall, silent })),
    camera: camera.value,
    microphone: microphone.value,
    firstFrameMs: firstFrameMs() ?? null,
    probing,
    remotes,
    sent,
  };
}

declare global {
  interface Window {
    sanwang: {
      stats: typeof stats;
      join: typeof join;
      leave: typeof leave;
      resetGaps: typeof resetGaps;
      act: (action: string, args?: Record<string, unknown>) => Promise<{ number: number }>;
    };
  }
}

window.sanwang = { stats, join, leave, resetGaps, act: (action, args) => session.act(action, args) };
