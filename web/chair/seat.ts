/** The chair's seat in the meeting: its link, the session over the WebSocket, and what the REST API says beside it. */
import { computed, effect, signal } from "@preact/signals";
import { ApiError, get, post } from "../shared/api";
import type { Pair } from "../shared/i18n";
import { Refusal } from "../shared/meet/channel";
import type { Conference } from "../shared/meet/conference";
import type { Wanted } from "../shared/meet/media";
import { Session } from "../shared/meet/session";
import type { LineTests, Sheet, Wall } from "./types";

export interface Link {
  state: "early" | "open" | "over" | "cancelled";
  now: string;
  role: string;
  meeting: { id: number; title: string; start: string; end: string; opens: string; halls: number; main: string };
  hall: { code: string; zh: string; en: string };
  join: string | null;
}

const KEPT = "sanwang.chair";
const EARLY_MS = 5_000;
const WALL_MS = 2_000;
const LINES_MS = 4_000;

/** The token leaves the address at once: a screen that is shared or photographed does not show it. */
function taken(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return sessionStorage.getItem(KEPT) ?? "";
  sessionStorage.setItem(KEPT, given);
  history.replaceState(null, "", location.pathname);
  return given;
}

let token = taken();
window.addEventListener("hashchange", () => {
  token = taken();
  location.reload();
});

export const link = signal<Link | undefined>(undefined);
/** Why the link opens nothing: "", "badLink", "noServer", "early", "over", "cancelled". */
export const shut = signal<"" | "badLink" | "noServer" | "early" | "over" | "cancelled">("");
/** The server's clock, seconds UTC; told anew with every exchange of the link. */
export const clock = signal(Date.now() / 1000);
export const wall = signal<Wall | undefined>(undefined);
export const lines = signal<LineTests | undefined>(undefined);
/** Venues whose tiles are in sight: only their pictures are asked for. */
export const inSight = signal<ReadonlySet<string>>(new Set());
export const pictures = signal(true);

let ahead = 0; // of the server's clock against ours, seconds
setInterval(() => (clock.value = Date.now() / 1000 + ahead), 500);

export async function exchange(): Promise<Link> {
  const found = await post<Link>("/meet/link", { link: token });
  ahead = Date.parse(found.now) / 1000 - Date.now() / 1000;
  link.value = found;
  if (found.role !== "chair") throw new ApiError(401, "no chair's link");
  return found;
}

/** What the two screens show in full, and the small pictures of the tiles in sight. */
function wanted(conference: Conference): Wanted[] {
  const { you, slides, venues } = conference;
  const large = [...(you.air?.show ?? []), ...you.view.show];
  const small = pictures.value ? [...inSight.value] : [];
  return [
    ...[...new Set([...large, ...small])]
      .filter((venue) => venues?.[venue]?.present)
      .map((venue): Wanted => ({ venue, source: "camera", maxLayer: large.includes(venue) ? null : 0 })),
    ...(slides ? [{ venue: slides, source: "slides", maxLayer: null } satisfies Wanted] : []),
  ];
}

export const session = new Session({
  async token() {
    const found = await exchange();
    if (found.join === null) throw new Refusal(found.state, found.state);
    return found.join;
  },
  wanted,
});

/** Ask what the link is good for, and join as soon as the meeting is open. */
export async function begin(): Promise<void> {
  for (;;) {
    try {
      const found = await exchange();
      shut.value = found.state === "open" ? "" : found.state;
      if (found.state === "open") {
        await session.join();
        return;
      }
      if (found.state !== "early") return;
    } catch (error) {
      const known = error instanceof ApiError && [401, 404, 422].includes(error.status);
      shut.value = known ? "badLink" : "noServer";
      if (known) return;
    }
    await new Promise((resolve) => window.setTimeout(resolve, EARLY_MS));
  }
}

const bearer = (): Record<string, string> => ({ authorization: `Bearer ${token}` });
const place = (what: string): string => `/api/meet/meetings/${link.value?.meeting.id ?? 0}/${what}`;

export const readSheet = (): Promise<Sheet> => get<Sheet>(place("attendance"), bearer());
/** Guests by one link and a PIN, or no longer; "" of both then. */
export const askGuests = (on: boolean): Promise<{ guest_link: string | null; pin: string | null }> =>
  post(place("guests"), { on }, bearer());
/** The report on paper and its signature, as one file. */
export async function downloadReport(): Promise<void> {
  const answer = await fetch(place("report.zip"), { headers: bearer() });
  if (!answer.ok) throw new ApiError(answer.status, `${answer.status} ${answer.statusText}`);
  const url = URL.createObjectURL(await answer.blob());
  const anchor = Object.assign(document.createElement("a"), { href: url, download: `meeting-${link.value?.meeting.id ?? 0}.zip` });
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export const testLines = (): Promise<unknown> => post(place("lines"), {}, bearer());

function repeat(everyMs: number, ask: () => Promise<void>): void {
  const once = (): void => {
    if (!document.hidden && link.value && token) ask().catch(() => undefined); // the next question is soon
  };
  window.setInterval(once, everyMs);
  effect(() => {
    if (session.phase.value === "in" || shut.value === "early") once();
  });
}

repeat(WALL_MS, async () => {
  if (session.phase.value === "in") wall.value = await get<Wall>(place("wall"), bearer());
});
repeat(LINES_MS, async () => {
  if (session.phase.value === "in" || shut.value === "early") lines.value = await get<LineTests>(place("lines"), bearer());
});

// -- what is done ---------------------------------------------------------------------------------

export interface Said {
  words: Pair;
  bad: boolean;
  at: number;
}

/** The newest answer of the server to what was pressed. */
export const said = signal<Said | undefined>(undefined);
export const doing = signal("");
let fading: number | undefined;

export function tell(words: Pair, bad = false): void {
  said.value = { words, bad, at: performance.now() };
  window.clearTimeout(fading);
  fading = window.setTimeout(() => (said.value = undefined), bad ? 8_000 : 2_500);
}

const AWAY: Pair = ["服务器没有回答，请再试一次", "The server did not answer: try again"];

/** One action; true when the server has done it. Its refusal is shown in the reader's language. */
export async function act(action: string, args: Record<string, unknown>, done: Pair, expects = false): Promise<boolean> {
  doing.value = action;
  try {
    const expect = expects ? { expect: session.conference.value?.number } : {};
    await session.act(action, { ...args, ...expect });
    tell(done);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code !== "away") tell([error.zh || error.message, error.message], true);
    else tell(AWAY, true);
    return false;
  } finally {
    doing.value = "";
  }
}

// -- what is chosen -------------------------------------------------------------------------------

export const chosen = signal("");
/** The order of the wall: the main venue, then as the server lists them. */
export const order = computed<string[]>(() => {
  const { venues = {}, main = "" } = session.conference.value ?? {};
  return [...(main in venues ? [main] : []), ...Object.keys(venues).filter((code) => code !== main)];
});
