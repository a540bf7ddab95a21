/** Keys of the chair's page: each action's own, and a few for the page itself. */
import { useEffect } from "preact/hooks";
import { switchLanguage } from "../shared/i18n";
import { press, ROWS } from "./actions";
import { box } from "./box";
import { chosen, order, pictures, session } from "./seat";

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;

/** Choose the venue that stands `by` places further, and bring it into sight. */
export function step(by: number): void {
  const all = order.value;
  if (all.length) choose(all[(all.indexOf(chosen.value) + by + all.length) % all.length] ?? "");
}

export function choose(venue: string): void {
  chosen.value = venue;
  document.querySelector<HTMLElement>(`[data-venue="${CSS.escape(venue)}"]`)?.focus();
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "l") switchLanguage();
  else if (session.phase.value !== "in") return;
  else if (event.key === "?") box.value = { kind: "help", venue: "" };
  else if (event.key === "/") box.value = { kind: "find", venue: "" };
  else if (event.key === "[") step(-1);
  else if (event.key === "]") step(1);
  else if (event.key === "r") pictures.value = !pictures.value;
  else {
    const row = ROWS.find((one) => one.key === event.key);
    if (!row || event.repeat) return;
    press(row);
  }
  event.preventDefault();
}

export function useKeys(): void {
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
