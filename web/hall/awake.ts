/** The screen stays on where a hall waits or takes part: a phone or notebook that fell asleep would drop out. */
import { effect } from "@preact/signals";
import { screen } from "./meeting";

const AWAKE = new Set(["home", "lobby", "joining", "waiting", "in"]);

let lock: WakeLockSentinel | undefined;
let asking: Promise<void> = Promise.resolve();

async function settle(): Promise<void> {
  const wanted = AWAKE.has(screen.peek());
  if (wanted && document.visibilityState === "visible" && lock?.released !== false)
    lock = await navigator.wakeLock?.request("screen");
  else if (!wanted) {
    await lock?.release();
    lock = undefined;
  }
}

/** From now on; the browser lets go whenever the page is hidden, so it is asked anew when it is seen again. */
export function keepAwake(): void {
  const again = (): void => {
    asking = asking.then(settle).catch(() => undefined); // a browser that saves its battery may refuse
  };
  effect(() => {
    screen.value;
    again();
  });
  document.addEventListener("visibilitychange", again);
}
