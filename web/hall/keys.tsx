/**
 * A remote control has arrows, OK, Back and ten digits. Every button of the page wears its digit, so that the legend is
 * the page itself: a digit presses the button that wears it, Back the one that wears "Escape", in the dialog if one is open.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

const typing = (element: Element | null): boolean =>
  element instanceof HTMLInputElement || element instanceof HTMLSelectElement || element instanceof HTMLTextAreaElement;

const NAMES: Record<string, string> = { Escape: "Esc", Enter: "OK" };
const BACK = new Set(["Escape", "GoBack", "BrowserBack"]);

export function digitKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented || event.repeat) return;
    const key = BACK.has(event.key) ? "Escape" : event.key;
    if (!/^[0-9]$/.test(key) && key !== "Escape" && key !== "Enter") return;
    if (key !== "Escape" && typing(document.activeElement)) return;
    if (key === "Enter" && document.activeElement instanceof HTMLButtonElement) return; // it is pressed by itself
    const root = document.querySelector("[data-dialog]") ?? document;
    const button = root.querySelector<HTMLButtonElement>(`button[data-key="${key}"]:not([disabled])`) ??
      (key === "Enter" ? root.querySelector<HTMLButtonElement>("button[data-first]:not([disabled])") : null);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
}

interface KeyProps {
  k: string;
  onPress: () => void;
  children: ComponentChildren;
  kind?: string;
  act?: string;
  first?: boolean; // has the focus when it appears: OK is enough
  disabled?: boolean;
  data?: Record<`data-${string}`, string>;
}

/** A button with the key that presses it. */
export function Key({ k, onPress, children, kind = "", act, first = false, disabled = false, data = {} }: KeyProps) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (first && !typing(document.activeElement)) button.current?.focus();
  }, [first]);
  return (
    <button
      ref={button}
      class={`key ${kind}`}
      data-key={k}
      {...(act ? { "data-act": act } : {})}
      {...(first ? { "data-first": "" } : {})}
      {...data}
      disabled={disabled}
      onClick={onPress}
    >
      <kbd>{NAMES[k] ?? k}</kbd>
      <span>{children}</span>
    </button>
  );
}
