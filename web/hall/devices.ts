/** Camera, microphone and speaker of the hall: found, named when missing, found again when plugged in, measured. */
import { signal } from "@preact/signals";

export type CameraState = "looking" | "good" | "missing" | "denied" | "busy";
export type MicState = "looking" | "good" | "heard" | "missing" | "denied";

export const camera = signal<CameraState>("looking");
export const microphone = signal<MicState>("looking");
export const level = signal(0);
export const local = signal<MediaStream | undefined>(undefined);

const WANTED = {
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 25, max: 30 } },
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
} satisfies MediaStreamConstraints;
const PLUGGED_MS = 700; // a device that is plugged in reports several changes
const RETRY_MS = 5_000; // a camera that was busy may be free by now
const JUMP_MS = 4_000; // a second that lasted so long: the computer slept

let checking: Promise<void> = Promise.resolve();
let busy = false; // another program holds a camera or microphone
let stopMeter: (() => void) | undefined;

function why(error: unknown): "missing" | "denied" | "busy" {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  return name === "NotReadableError" || name === "AbortError" ? "busy" : "missing";
}

const live = (kind: "audio" | "video"): MediaStreamTrack | undefined =>
  local.peek()?.getTracks().find((track) => track.kind === kind && track.readyState === "live");

/** Look at everything anew; a missing camera or microphone is no error, the meeting goes on without it. */
export function check(): Promise<void> {
  release();
  camera.value = microphone.value = "looking";
  checking = openMissing();
  return checking;
}

/** Until the devices are known, or until nobody has answered the browser's question for some seconds. */
export async function settled(mostMs: number): Promise<void> {
  await Promise.race([checking, new Promise((resolve) => window.setTimeout(resolve, mostMs))]);
}

async function open(kind: "audio" | "video"): Promise<MediaStreamTrack | undefined> {
  const had = live(kind);
  if (had) return had;
  try {
    if (!navigator.mediaDevices) throw new Error("no devices");
    const [track] = (await navigator.mediaDevices.getUserMedia({ [kind]: WANTED[kind] })).getTracks();
    if (!track) throw new Error("no track");
    track.onended = again;
    if (kind === "video") camera.value = "good";
    else {
      microphone.value = "good";
      meter(track);
    }
    return track;
  } catch (error) {
    const found = why(error);
    busy ||= found === "busy";
    if (kind === "video") camera.value = found;
    else microphone.value = found === "denied" ? "denied" : "missing";
    return undefined;
  }
}

/** Open what is not open; what is stays as it is. */
async function openMissing(): Promise<void> {
  busy = false;
  const tracks = (await Promise.all([open("audio"), open("video")])).flatMap((track) => (track ? [track] : []));
  const before = local.peek()?.getTracks() ?? [];
  if (tracks.length !== before.length || tracks.some((track) => !before.includes(track)))
    local.value = tracks.length > 0 ? new MediaStream(tracks) : undefined;
}

let timer: number | undefined;
function again(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => (checking = checking.then(openMissing)), PLUGGED_MS);
}

/** From now on: what is unplugged is told, what is plugged in, woken or set free is used, without a person. */
export function tend(): void {
  navigator.mediaDevices?.addEventListener("devicechange", again);
  document.addEventListener("visibilitychange", again);
  let last = Date.now();
  window.setInterval(() => {
    const now = Date.now();
    if (now - last > JUMP_MS) again();
    last = now;
  }, 1_000);
  window.setInterval(() => {
    if (busy) again();
  }, RETRY_MS);
}

/** Let go of every device. */
export function release(): void {
  stopLevel();
  for (const track of local.value?.getTracks() ?? []) track.stop();
  local.value = undefined;
}

/** Stop measuring the level: in the meeting nobody looks at it. */
export function stopLevel(): void {
  stopMeter?.();
  stopMeter = undefined;
}

/** Measure the level of the microphone that there is. */
export function startLevel(): void {
  const track = live("audio");
  if (track && !stopMeter) meter(track);
}

function meter(track: MediaStreamTrack): void {
  stopLevel();
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const measuring = window.setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    const db = 10 * Math.log10(power + 1e-9);
    level.value = Math.max(0, Math.min(1, (db + 60) / 50));
    if (level.value > 0.35 && microphone.value === "good") microphone.value = "heard";
  }, 100);
  const resume = (): void => {
    if (context.state === "suspended") void context.resume();
  };
  document.addEventListener("pointerdown", resume, { once: true });
  document.addEventListener("keydown", resume, { once: true });
  stopMeter = () => {
    window.clearInterval(measuring);
    void context.close();
    level.value = 0;
  };
}

/** A short rising chord through the loudspeaker. */
export async function testSpeaker(): Promise<void> {
  const context = new AudioContext();
  await context.resume();
  const start = context.currentTime;
  [523, 659, 784].forEach((hertz, index) => {
    const tone = context.createOscillator();
    const gain = context.createGain();
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0, start + index * 0.25);
    gain.gain.linearRampToValueAtTime(0.25, start + index * 0.25 + 0.05);
    gain.gain.linearRampToValueAtTime(0, start + index * 0.25 + 0.6);
    tone.connect(gain).connect(context.destination);
    tone.start(start + index * 0.25);
    tone.stop(start + index * 0.25 + 0.7);
  });
  await new Promise((resolve) => window.setTimeout(resolve, 1_400));
  await context.close();
}
