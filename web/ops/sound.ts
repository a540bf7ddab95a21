/** What a new fault sounds like. Browsers let a page sound only after a press on it, so the switch is a press. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

const KEY = "sanwang.sound";

function remembered(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** Whether new faults sound on this screen. */
export const soundOn = signal(remembered());

let audio: AudioContext | null = null;

/** Sound or be silent from now on; remembered on this screen. */
export function switchSound(): void {
  soundOn.value = !soundOn.value;
  try {
    localStorage.setItem(KEY, soundOn.value ? "on" : "off");
  } catch {
    // not remembered, and nothing else is lost
  }
  if (soundOn.value) chime("warning");
}

const NOTES: Record<string, readonly number[]> = { critical: [880, 660, 880, 660], warning: [660, 880] }; // Hz
const NOTE_S = 0.22;

/** Sound once; silent when the browser has not yet seen a press on this page. */
export function chime(severity: string): void {
  if (!soundOn.value || !(navigator.userActivation?.hasBeenActive ?? true)) return;
  audio ??= new AudioContext();
  void audio.resume();
  const gain = audio.createGain();
  gain.connect(audio.destination);
  let at = audio.currentTime + 0.02;
  for (const frequency of NOTES[severity] ?? NOTES["warning"] ?? []) {
    const tone = audio.createOscillator();
    tone.frequency.value = frequency;
    tone.connect(gain);
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
    gain.gain.linearRampToValueAtTime(0, at + NOTE_S - 0.02);
    tone.start(at);
    tone.stop(at + NOTE_S);
    at += NOTE_S;
  }
}

/** Chime when something appears that was not there at the last look; the first look is silent. */
export function useChime(now: readonly { id: string | number; severity: string }[] | null): void {
  const known = useRef<Set<string | number> | null>(null);
  const ids = now?.map((one) => one.id).join() ?? null;
  useEffect(() => {
    if (now === null) return;
    const before = known.current;
    known.current = new Set(now.map((one) => one.id));
    if (before === null) return;
    const fresh = now.filter((one) => !before.has(one.id));
    if (fresh.length) chime(fresh.some((one) => one.severity === "critical") ? "critical" : "warning");
  }, [ids]);
}
