/**
 * Arrow keys move the focus as a television's remote control does: to the nearest focusable thing in that direction.
 * Enter and Space act natively on buttons and links, and on elements with role="button" through `press()`.
 */

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), [tabindex="0"]';
const DIRECTIONS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function centre(element: Element): { x: number; y: number } {
  const box = element.getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
}

function nearest(from: Element, dx: number, dy: number, root: ParentNode): Element | undefined {
  const here = centre(from);
  let best: Element | undefined;
  let bestCost = Infinity;
  for (const candidate of root.querySelectorAll(FOCUSABLE)) {
    if (candidate === from || candidate.getClientRects().length === 0) continue;
    const there = centre(candidate);
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    if (along < 4) continue;
    const across = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    const cost = along + 2.5 * across;
    if (cost < bestCost) [best, bestCost] = [candidate, cost];
  }
  return best;
}

/** Let the arrow keys move the focus inside `root`; returns how to stop. Text fields keep their own arrows. */
export function remoteControl(root: HTMLElement = document.body): () => void {
  const onKey = (event: KeyboardEvent): void => {
    const direction = DIRECTIONS[event.key];
    if (!direction || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const from = document.activeElement;
    if (from instanceof HTMLInputElement || from instanceof HTMLSelectElement || from instanceof HTMLTextAreaElement) return;
    const target =
      from && from !== document.body ? nearest(from, direction[0], direction[1], root) : root.querySelector(FOCUSABLE);
    if (target instanceof HTMLElement || target instanceof SVGElement) {
      target.focus();
      event.preventDefault();
    }
  };
  root.addEventListener("keydown", onKey);
  return () => root.removeEventListener("keydown", onKey);
}

/** Key handler that lets Enter and Space press an element that is no native button. */
export function press(action: () => void): (event: KeyboardEvent) => void {
  return (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    action();
  };
}
