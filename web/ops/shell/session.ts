/** Who is signed in, and what that person may see. The server judges every request itself: here it only decides what is offered. */
import { signal } from "@preact/signals";
import { ApiError, attended, get, post } from "../../shared/api";
import type { Named } from "../types";

export type Right =
  | "watch"
  | "handle"
  | "report"
  | "change"
  | "approve"
  | "meet"
  | "supervise"
  | "lead"
  | "accounts"
  | "grant"
  | "audit";

export interface Person extends Named {
  login: string;
  roles: string[];
  rights: Right[];
  /** Site codes that the person speaks for; none: the whole county. */
  units: string[];
  /** A wall's session: it can only look, and stays while nobody is there. */
  screen: boolean;
}

export type Phase = "starting" | "out" | "in" | "lost";

export const phase = signal<Phase>("starting");
export const person = signal<Person | null>(null);
/** Why the last one-time link or session was refused, in the server's words. */
export const refusal = signal("");

const RETRY_MS = 2_000;
const LOOK_MS = 30_000;
const STILL_HERE_MS = 5 * 60_000;

let toldAt = Date.now();

// Who reads the map asks the server for nothing: that somebody is here is told all the same.
window.setInterval(() => {
  if (phase.value !== "in" || !attended() || Date.now() - toldAt < STILL_HERE_MS) return;
  toldAt = Date.now();
  void get("/api/session").catch(() => undefined);
}, LOOK_MS);

/** Sign in with the one-time token of the link when there is one; then ask who that is. `?screen` opens the wall. */
export async function begin(): Promise<void> {
  const wall = new URLSearchParams(location.search).has("screen");
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    // Out of the address bar and the history first: the link works once, and must not be read over a shoulder.
    history.replaceState(null, "", location.pathname);
    await post("/api/session", { token }).catch((problem: unknown) => {
      refusal.value = problem instanceof ApiError ? problem.message : String(problem);
    });
  }
  if (wall) location.hash = "#/screen";
  await enter();
  if (wall && may("watch") && !person.value?.screen) await becomeScreen();
}

/** Make this browser a wall: from now on it only looks, and is not signed out for sitting alone. */
export async function becomeScreen(): Promise<void> {
  await post("/api/session/screen");
  await enter();
}

/** Ask the server who is signed in; the sign-in page calls it when it has signed somebody in. */
export async function enter(): Promise<void> {
  try {
    person.value = await get<Person>("/api/session");
    refusal.value = "";
    phase.value = "in";
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) {
      signedOut();
      return;
    }
    phase.value = "lost";
    window.setTimeout(() => void enter(), RETRY_MS);
  }
}

/** The session has ended, by the person's own wish or the server's. */
export function signedOut(): void {
  person.value = null;
  phase.value = "out";
}

/** True when the person has the right, or one of several; null asks for none. */
export function may(right: Right | readonly Right[] | null): boolean {
  const has = person.value?.rights ?? [];
  if (right === null) return person.value !== null;
  return typeof right === "string" ? has.includes(right) : right.some((one) => has.includes(one));
}
