/** How this browser comes in: a meeting's link, a guest's link and PIN, or the hall's own token (a kiosk). */
import { signal } from "@preact/signals";
import { ApiError, post } from "../shared/api";
import { Refusal } from "../shared/meet/channel";
import type { Named } from "../shared/meet/conference";
import { nameServers, servers } from "../shared/meet/servers";

export type State = "early" | "open" | "over" | "cancelled";

export interface Booked {
  id: number;
  title: string;
  start: string;
  end: string;
  opens: string;
  halls: number;
  main: string;
  state?: State;
}

export interface Link {
  state: State;
  now: string;
  meeting: Booked;
  hall: Named & { code: string };
  county: Named;
  duty: (Named & { phone: string }) | null;
  join: string | null;
  also?: string[]; // other servers that answer this page while its own does not
}

/** What a hall at home is told. */
export interface Home extends Pick<Link, "now" | "hall" | "county" | "duty" | "also"> {
  meetings: Booked[];
  test: number; // when the chair last asked for a line test, UNIX seconds; 0: never
}

export type Door = "loading" | "noServer" | "badLink" | "notYet" | "over" | "cancelled" | "lobby" | "pair" | "guest" | "home";

const KEPT = "sanwang.hall";
const OPEN_MS = 2_000;
const HOME_MS = 10_000;
const hash = new URLSearchParams(location.hash.slice(1));

export const door = signal<Door>("loading");
export const link = signal<Link | undefined>(undefined);
export const home = signal<Home | undefined>(undefined);
export const refused = signal("");
/** The meeting that a hall at home goes to. */
export const next = signal<Booked | undefined>(undefined);

let linkToken = hash.get("token") ?? "";
const guestToken = hash.get("guest") ?? "";
let device = "";
let offsetMs = 0; // the server's clock less this computer's
const pause = (ms: number): Promise<void> => new Promise((resolve) => window.setTimeout(resolve, ms));

/** The time that the server has: a hall's computer may be wrong. */
export const now = (): number => Date.now() + offsetMs;
export const isKiosk = (): boolean => device !== "";
/** What stands for this hall in requests; "" for a guest who has no hall. */
export const hallToken = (): string => device || (guestToken ? "" : linkToken);

function kept(): string {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

function keep(token: string): void {
  try {
    if (token) localStorage.setItem(KEPT, token);
    else localStorage.removeItem(KEPT);
  } catch {
    // kept until the page is closed
  }
}

/** Ask the servers in turn until one answers, be it a refusal; a server that cannot answer now is as good as away. */
async function asked<T>(path: string, body: unknown): Promise<T> {
  let away: unknown;
  for (const server of servers())
    try {
      return await post<T>(server + path, body);
    } catch (error) {
      if (error instanceof ApiError && error.status < 500) throw error;
      away = error;
    }
  throw away;
}

/** Find out where this browser belongs, and stay up to date about it. */
export async function enter(): Promise<void> {
  if (linkToken) return byLink();
  if (guestToken) {
    door.value = "guest";
    return;
  }
  device = kept();
  if (device) return atHome();
  const code = hash.get("pair");
  door.value = "pair";
  if (code) await pair(code);
}

/** Ask what the link is good for; keeps asking while the server is away or the meeting is not open. */
async function byLink(): Promise<void> {
  for (;;) {
    let wait = OPEN_MS;
    try {
      const found = await asked<Link>("/meet/link", { link: linkToken });
      took(found);
      if (found.state === "open") {
        door.value = "lobby";
        return;
      }
      door.value = found.state === "early" ? "notYet" : found.state;
      if (found.state !== "early") return;
      wait = HOME_MS;
    } catch (error) {
      if (error instanceof ApiError && [401, 404, 422].includes(error.status)) {
        door.value = "badLink";
        return;
      }
      door.value = "noServer";
    }
    await pause(wait);
  }
}

function took(found: Link): void {
  link.value = found;
  nameServers(found.also);
  offsetMs = Date.parse(found.now) - Date.now();
}

/** Stay at home: which meeting is next, has the chair asked for a line test; the next answer is never long away. */
async function atHome(): Promise<void> {
  history.replaceState(null, "", location.pathname);
  while (device) {
    let wait = HOME_MS;
    try {
      const found = await asked<Home>("/meet/hall", { token: device });
      nameServers(found.also);
      offsetMs = Date.parse(found.now) - Date.now();
      home.value = found;
      next.value = found.meetings[0];
      door.value = "home";
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        keep("");
        device = "";
        home.value = undefined;
        door.value = "pair";
        refused.value = "unpaired";
        return;
      }
      if (!home.value) door.value = "noServer";
      wait = OPEN_MS;
    }
    await pause(wait);
  }
}

/** Exchange the code on the card for this hall's token. */
export async function pair(code: string): Promise<void> {
  refused.value = "";
  try {
    device = (await post<{ token: string }>("/meet/pair", { code: code.replace(/\D/g, "") })).token;
  } catch (error) {
    refused.value = error instanceof ApiError && error.status === 429 ? "wait" : error instanceof ApiError ? "badCode" : "noServer";
    return;
  }
  keep(device);
  door.value = "loading";
  void atHome();
}

/** A guest's PIN and name; the guest's own link takes the place of the guests'. */
export async function beGuest(pin: string, name: string): Promise<void> {
  refused.value = "";
  try {
    linkToken = (await post<{ link: string }>("/meet/guest", { link: guestToken, pin, name })).link;
  } catch (error) {
    refused.value = error instanceof ApiError && error.status === 429 ? "wait" : error instanceof ApiError ? "badPin" : "noServer";
    return;
  }
  door.value = "loading";
  void byLink();
}

/** A server's join token for the meeting that this page goes to. */
export async function joinToken(server: string): Promise<string> {
  const found = device
    ? await post<Link>(server + "/meet/hall/join", { token: device, meeting: next.peek()?.id ?? 0 })
    : await post<Link>(server + "/meet/link", { link: linkToken });
  took(found);
  if (found.join === null) throw new Refusal(found.state, found.state);
  return found.join;
}

/** Try a bad link once more. */
export function retry(): void {
  door.value = "loading";
  void enter();
}
