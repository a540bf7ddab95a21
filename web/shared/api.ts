/** JSON over HTTP, and a WebSocket that comes back by itself. Errors carry the server's plain words. */

import { say } from "./i18n";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

type Headers = Record<string, string>;

const TIMEOUT_MS = 10_000;
const ATTENDED_MS = 60_000;

let touchedAt = Date.now();
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"])
  window.addEventListener(kind, () => (touchedAt = Date.now()), { passive: true, capture: true });

/** Whether somebody is at this page: what it asks while nobody is keeps no session alive (`dashboards/access.py`). */
export const attended = (): boolean => Date.now() - touchedAt < ATTENDED_MS;

/** The server says why in one language, or in both. */
function wordsOf(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (typeof detail !== "object" || detail === null || !("zh" in detail) || !("en" in detail)) return "";
  return say([String(detail.zh), String(detail.en)]);
}

/** Keys of changes whose answer was lost: the same change asked for again carries the same key, and is done once. */
const unanswered = new Map<string, string>();

async function change<T>(method: string, path: string, body?: unknown, more: Headers = {}): Promise<T> {
  const asked = `${method} ${path} ${JSON.stringify(body)}`;
  const key = unanswered.get(asked) ?? crypto.randomUUID();
  unanswered.set(asked, key);
  try {
    const answer = await call<T>(method, path, body, { ...more, "idempotency-key": key });
    unanswered.delete(asked);
    return answer;
  } catch (problem) {
    if (problem instanceof ApiError && problem.status < 500) unanswered.delete(asked);
    throw problem;
  }
}

async function call<T>(method: string, path: string, body?: unknown, more: Headers = {}): Promise<T> {
  const init: RequestInit = {
    method,
    credentials: "same-origin",
    headers: { accept: "application/json", ...(attended() ? {} : { "sanwang-unattended": "1" }), ...more },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  if (body !== undefined) {
    init.headers = { ...init.headers, "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const answer = await fetch(path, init);
  if (!answer.ok) {
    const detail = await answer
      .json()
      .then((json: { detail?: unknown }) => wordsOf(json.detail))
      .catch(() => "");
    throw new ApiError(answer.status, detail || `${answer.status} ${answer.statusText}`);
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string, more?: Headers): Promise<T> => call<T>("GET", path, undefined, more);
export const post = <T>(path: string, body?: unknown, more?: Headers): Promise<T> => change<T>("POST", path, body, more);
export const put = <T>(path: string, body?: unknown): Promise<T> => change<T>("PUT", path, body);
export const del = <T>(path: string, body?: unknown): Promise<T> => change<T>("DELETE", path, body);

export interface Live {
  close(): void;
}

/**
 * Read JSON messages from a WebSocket on this origin; reconnect with growing pauses (0.5 s to 5 s) until closed.
 * `onState(true)` after each connection, `onState(false)` when it is lost, with the close code.
 */
export function live<T>(path: string, onMessage: (message: T) => void, onState: (up: boolean, code?: number) => void): Live {
  let socket: WebSocket | undefined;
  let timer: number | undefined;
  let pause = 500;
  let closed = false;

  const open = (): void => {
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.onopen = () => {
      pause = 500;
      onState(true);
    };
    socket.onmessage = (event) => onMessage(JSON.parse(String(event.data)) as T);
    socket.onclose = (event) => {
      if (closed) return;
      onState(false, event.code);
      timer = window.setTimeout(open, pause);
      pause = Math.min(pause * 2, 5_000);
    };
  };

  open();
  return {
    close: () => {
      closed = true;
      window.clearTimeout(timer);
      socket?.close();
    },
  };
}
