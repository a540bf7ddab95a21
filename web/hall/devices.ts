/** Camera, microphone and speaker of the hall: found, named when missing, measured. */
import { signal } from "@preact/signals";

export type CameraState = "looking" | "good" | "missing" | "denied" | "busy";
export type MicState = "looking" | "good" | "heard" | "missing" | "denied";

export const camera = signal<CameraState>("looking");
export const microphone = signal<MicState>("looking");
export const level = signal(0);
export const local = signal<MediaStream | undefined>(undefined);

const VIDEO: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 25, max: 30 } };
const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

let checking: Promise<void> = Promise.resolve();
let stopMeter: (() => void) | undefined;

function why(error: unknown): "missing" | "denied" | "busy" {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  return name === "NotReadableError" || name === "AbortError" ? "busy" : "missing";
}

/** Open what there is; a missing camera or microphone is no error, the meeting goes on without it. */
export function check(): Promise<void> {
  checking = openAll();
  return checking;
}

/** Until the devices are known, or until nobody has answered the browser's question for some seconds. */
export async function settled(mostMs: number): Promise<void> {
  await Promise.race([checking, new Promise((resolve) => window.setTimeout(resolve, mostMs))]);
}

async function openAll(): Promise<void> {
  release();
  camera.value = microphone.value = "looking";
  const tracks: MediaStreamTrack[] = [];
  const open = (constraints: MediaStreamConstraints): Promise<MediaStream> =>
    navigator.mediaDevices ? navigator.mediaDevices.getUserMedia(constraints) : Promise.reject(new Error("no devices"));
  const [sound, picture] = await Promise.allSettled([open({ audio: AUDIO }), open({ video: VIDEO })]);
  if (sound.status === "fulfilled") {
    tracks.push(...sound.value.getTracks());
    microphone.value = "good";
  } else {
    microphone.value = why(sound.reason) === "denied" ? "denied" : "missing";
  }
  if (picture.status === "fulfilled") {
    tracks.push(...picture.value.getTracks());
    camera.value = "good";
  } else {
    camera.value = why(picture.reason);
  }
  local.value = tracks.length > 0 ? new MediaStream(tracks) : undefined;
  for (const track of tracks) {
    track.onended = () => {
      if (track.kind === "video") camera.value = "missing";
      else microphone.value = "missing";
    };
  }
  if (sound.status === "fulfilled") meter(sound.value);
}

/** Let go of every device. */
export function release(): void {
  stopMeter?.();
  stopMeter = undefined;
  for (const track of local.value?.getTracks() ?? []) track.stop();
  local.value = undefined;
}

/** Stop measuring the level: in the meeting nobody looks at it. */
export function stopLevel(): void {
  stopMeter?.();
  stopMeter = undefined;
}

function meter(stream: MediaStream): void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = window.setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    const db = 10 * Math.log10(power + 1e-9);
    level.value = Math.max(0, Math.min(1, (db + 60) / 50));
    if (level.value > 0.35 && microphone.value === "good") microphone.value = "heard";
  }, 100);
  const resume = (): void => void context.resume();
  document.addEventListener("pointerdown", resume, { once: true });
  document.addEventListener("keydown", resume, { once: true });
  stopMeter = () => {
    window.clearInterval(timer);
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
