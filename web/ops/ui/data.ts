/** A document of the API, kept fresh: what it says, how old that is, and why there is none. */
import type { ReadonlySignal } from "@preact/signals";
import { useCallback, useEffect, useState } from "preact/hooks";
import { ApiError, get } from "../../shared/api";
import { signedOut } from "../shell/session";

export interface Loaded<T> {
  /** The last answer, also while a newer one cannot be had; null before the first. */
  value: T | null;
  /** Why the last question was not answered, in the server's words; "" when it was. */
  problem: string;
  /** When the value came, seconds UTC. */
  at: number;
  /** Ask again now, after a change. */
  reload: () => void;
}

export const wordsOf = (problem: unknown): string => (problem instanceof ApiError ? problem.message : String(problem));

/**
 * Ask `path` now, every `everyS` seconds (0: once) and whenever `wake` changes; "" asks nothing.
 *
 *     const tickets = useDocument<Tickets>("/api/desk/tickets", 10, now);
 */
export function useDocument<T>(path: string, everyS = 15, wake?: ReadonlySignal<unknown>): Loaded<T> {
  const [answer, setAnswer] = useState<{ path: string; value: T; at: number } | null>(null);
  const [problem, setProblem] = useState("");
  const [asked, setAsked] = useState(0);
  const reload = useCallback(() => setAsked((count) => count + 1), []);
  const woken = wake?.value;
  useEffect(() => {
    if (path === "") return;
    let gone = false;
    const load = (): void => {
      if (document.hidden) return; // nobody looks; the next look asks at once
      get<T>(path).then(
        (value) => {
          if (gone) return;
          setAnswer({ path, value, at: Date.now() / 1000 });
          setProblem("");
        },
        (error: unknown) => {
          if (error instanceof ApiError && error.status === 401) signedOut();
          else if (!gone) setProblem(wordsOf(error));
        },
      );
    };
    load();
    const timer = everyS > 0 ? window.setInterval(load, everyS * 1000) : undefined;
    document.addEventListener("visibilitychange", load);
    return () => {
      gone = true;
      window.clearInterval(timer);
      document.removeEventListener("visibilitychange", load);
    };
  }, [path, everyS, asked, woken]);
  const mine = answer?.path === path ? answer : null;
  return { value: mine?.value ?? null, problem, at: mine?.at ?? 0, reload };
}
