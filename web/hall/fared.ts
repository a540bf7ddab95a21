/** How the meeting fares here, told to the server: pictures that froze and sound that was made up, counted since the page came in. */
import { session } from "./meeting";

const EVERY_MS = 5_000;

interface Inbound {
  type: string;
  kind: string;
  freezeCount?: number;
  totalFreezesDuration?: number; // seconds
  concealedSamples?: number;
  totalSamplesReceived?: number;
}

/** Streams that ended count on: a picture that froze did so although its venue has left since. */
const ended = { freezes: 0, freezeMs: 0, concealed: 0, heard: 0 };
let before = new Map<string, typeof ended>();
let of: unknown; // the media set-up that `before` is about

async function figures(): Promise<typeof ended> {
  const now = new Map<string, typeof ended>();
  for (const { consumer } of [...(session.media?.consumers ?? [])]) {
    const report = await consumer.getStats().catch(() => undefined); // closed since
    for (const s of (report?.values() ?? []) as Iterable<Inbound>) {
      if (s.type !== "inbound-rtp") continue;
      now.set(consumer.id, {
        freezes: s.freezeCount ?? 0,
        freezeMs: Math.round((s.totalFreezesDuration ?? 0) * 1000),
        concealed: s.concealedSamples ?? 0,
        heard: s.totalSamplesReceived ?? 0,
      });
    }
  }
  const all = of === session.media;
  for (const [id, last] of before) if (!now.has(id) || !all) add(ended, last);
  before = now;
  of = session.media;
  const total = { ...ended };
  for (const one of now.values()) add(total, one);
  return total;
}

function add(to: typeof ended, more: typeof ended): void {
  for (const name of Object.keys(to) as (keyof typeof ended)[]) to[name] += more[name];
}

/** Every five seconds while the page is in a meeting. */
export function tellHowItFares(): void {
  window.setInterval(() => {
    if (session.phase.peek() !== "in") return;
    void figures()
      .then((counted) => session.request("report", counted))
      .catch(() => undefined); // the next one tells it too
  }, EVERY_MS);
}
