/**
 * What the hall really sees: when the first picture came after JOIN, and for every remote picture how many frames
 * were shown, how many of them differed from the one before, and the longest time without a new one.
 *
 * Frames are told apart by a checksum of a 32 x 18 copy, taken only when the link says `&probe=1`: that costs a
 * little processor time, and only rehearsals look at it.
 */

export interface FrameFigures {
  frames: number;
  changed: number;
  checksum: number;
  longestGapMs: number;
  lastChangeMs: number; // performance.now() of the last frame that differed
}

const WIDTH = 32;
const HEIGHT = 18;

export const probing = new URLSearchParams(location.hash.slice(1)).get("probe") === "1";

let pressedMs = 0;
let firstFrame: number | undefined;
const figures = new Map<string, FrameFigures>();

export function pressed(): void {
  pressedMs = performance.now();
  firstFrame = undefined;
}

export function firstFrameMs(): number | undefined {
  return firstFrame;
}

export function frameFigures(picture: string): FrameFigures | undefined {
  const found = figures.get(picture);
  if (!found) return undefined;
  const running = found.lastChangeMs > 0 ? performance.now() - found.lastChangeMs : 0;
  return { ...found, longestGapMs: Math.max(found.longestGapMs, running) };
}

/** Start the longest gap anew. */
export function resetGaps(): void {
  for (const entry of figures.values()) entry.longestGapMs = 0;
}

function adler(bytes: Uint8ClampedArray): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; at += 4) {
    a = (a + bytes[at]! + 3 * bytes[at + 1]! + 7 * bytes[at + 2]!) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

/** Watch a picture ("t01/camera"); returns how to stop. */
export function watch(picture: string, video: HTMLVideoElement): () => void {
  const entry = figures.get(picture) ?? { frames: 0, changed: 0, checksum: 0, longestGapMs: 0, lastChangeMs: 0 };
  figures.set(picture, entry);
  const canvas = document.createElement("canvas");
  if (entry.lastChangeMs > 0) entry.lastChangeMs = performance.now(); // while it was not shown nothing was missed
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = probing ? canvas.getContext("2d", { willReadFrequently: true }) : null;
  let handle = 0;
  let stopped = false;
  const onFrame = (now: number): void => {
    if (stopped) return;
    handle = video.requestVideoFrameCallback(onFrame);
    entry.frames += 1;
    firstFrame ??= now - pressedMs;
    let fresh = true;
    if (context) {
      context.drawImage(video, 0, 0, WIDTH, HEIGHT);
      const sum = adler(context.getImageData(0, 0, WIDTH, HEIGHT).data);
      fresh = sum !== entry.checksum;
      entry.checksum = sum;
    }
    if (!fresh) return;
    entry.changed += 1;
    if (entry.lastChangeMs > 0) entry.longestGapMs = Math.max(entry.longestGapMs, now - entry.lastChangeMs);
    entry.lastChangeMs = now;
  };
  handle = video.requestVideoFrameCallback(onFrame);
  return () => {
    stopped = true;
    video.cancelVideoFrameCallback(handle);
  };
}
