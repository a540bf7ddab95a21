/** This hall's seat in the meeting, and what its screen is. */
import { computed, effect, signal } from "@preact/signals";
import type { Conference } from "../shared/meet/conference";
import { layerFor, type Sending, type Wanted } from "../shared/meet/media";
import { Session } from "../shared/meet/session";
import { local, settled, startLevel, stopLevel } from "./devices";
import { door, home, isKiosk, joinToken, next, now } from "./door";
import { pressed } from "./measure";

const DEVICES_MS = 6_000;
const EARLY_MS = 2 * 60_000; // a hall at home goes in by itself so long before the start
const BACK_HOME_MS = 8_000;

const width = signal(window.innerWidth * window.devicePixelRatio);
window.addEventListener("resize", () => (width.value = window.innerWidth * window.devicePixelRatio));

/** The slides that this hall shares. */
export const sharing = signal<MediaStreamTrack | undefined>(undefined);

function sending(): Sending {
  const [microphone] = local.value?.getAudioTracks() ?? [];
  const [camera] = local.value?.getVideoTracks() ?? [];
  return { microphone, camera, slides: sharing.value };
}

/** How many columns a grid of so many pictures has. */
export const columnsOf = (pictures: number): number => Math.max(1, Math.ceil(Math.sqrt(pictures)));

/** Exactly what the server says, each picture in the size that it is drawn in. */
function wanted({ you }: Conference): Wanted[] {
  const { layout, show } = you.view;
  const beside = you.slides !== "";
  const share = (at: number): number => {
    if (beside) return 0.25;
    if (layout === "pip") return at === 0 ? 1 : 0.25;
    return layout === "grid" ? 1 / columnsOf(show.length) : 1;
  };
  const cameras = show.map((venue, at) => ({ venue, source: "camera" as const, maxLayer: layerFor(width.value * share(at)) }));
  return beside ? [{ venue: you.slides, source: "slides", maxLayer: null }, ...cameras] : cameras;
}

export const session = new Session({ token: joinToken, sending, wanted });
export const testing = signal(false);

/** What the whole screen is. */
export const screen = computed(() => {
  const { value } = session.phase;
  if (value !== "idle") return value;
  return testing.value ? "test" : door.value;
});

/** The key was pressed, or it is time. */
export async function join(): Promise<void> {
  if (["joining", "waiting", "in"].includes(session.phase.peek())) return;
  pressed();
  declined = 0;
  testing.value = false;
  await session.join(settled(DEVICES_MS).then(stopLevel));
}

export const leave = (): Promise<void> => session.leave();

let declined = 0; // a meeting that a person left: it is not joined by itself again

/** When a hall at home goes in by itself, server's clock (ms). */
export const goesInAt = (start: string): number => Date.parse(start) - EARLY_MS;

/** Home again after a meeting, and into the next one by itself at its time. */
export function keepHall(): void {
  effect(() => {
    const ended = session.phase.value;
    if (!isKiosk() || !["left", "over", "cancelled", "badLink", "replaced", "cut"].includes(ended)) return;
    declined = next.peek()?.id ?? 0;
    if (ended !== "replaced" && ended !== "cut")
      window.setTimeout(() => {
        if (session.phase.peek() === ended) goHome();
      }, BACK_HOME_MS);
  });
  window.setInterval(() => {
    const meeting = next.peek();
    if (!isKiosk() || !home.peek() || !meeting || session.phase.peek() !== "idle" || declined === meeting.id) return;
    if (meeting.state === "open" && now() >= goesInAt(meeting.start)) void join();
  }, 1_000);
}

export function goHome(): void {
  session.phase.value = "idle";
  startLevel();
}

/** A kiosk's second camera input is the box that the notebook with the slides is plugged into; elsewhere a screen or window. */
async function slidesSource(): Promise<MediaStream> {
  const frameRate = { max: 15 };
  const used = local.peek()?.getVideoTracks()[0]?.getSettings().deviceId;
  const devices = isKiosk() ? await navigator.mediaDevices.enumerateDevices() : [];
  const box = devices.find((one) => one.kind === "videoinput" && one.deviceId !== used);
  if (box) return navigator.mediaDevices.getUserMedia({ video: { deviceId: { exact: box.deviceId }, width: { ideal: 1920 }, frameRate } });
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate }, audio: false });
}

/** Share a screen, a window or a capture device's picture as slides; or end it. */
export async function share(): Promise<void> {
  const before = sharing.peek();
  if (before) {
    before.stop();
    sharing.value = undefined;
    await session.act("slides", { on: false });
    return;
  }
  const stream = await slidesSource();
  const [track] = stream.getVideoTracks();
  if (!track) return;
  try {
    const conference = session.conference.peek();
    if (conference?.slides !== conference?.you.id) await session.act("slides", { on: true }); // else the chair asked for them
  } catch (error) {
    track.stop();
    throw error;
  }
  track.contentHint = "detail";
  track.onended = () => {
    if (sharing.peek() === track) void share();
  };
  sharing.value = track;
}

// slides that are no longer shown, because the chair took them off or the meeting ended, are no longer sent
let shown = false;
effect(() => {
  const conference = session.conference.value;
  const mine = conference !== undefined && conference.slides === conference.you.id;
  const going = session.phase.value === "in";
  if (mine) shown = true;
  else if (shown || !going) {
    shown = false;
    sharing.peek()?.stop();
    sharing.value = undefined;
  }
});
