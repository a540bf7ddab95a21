/** Which box is open. */
import { signal } from "@preact/signals";
import type { Box, Row } from "./actions";

/** The box that is open, which row opened it, and for which venue. */
export const box = signal<{ kind: Box; row?: Row; venue: string } | undefined>(undefined);

const POLLED = "sanwang.chair.polled";

/** The list that this desk last polled: the next polling begins with it. */
export const polled = (): string[] => (sessionStorage.getItem(POLLED) ?? "").split(" ").filter(Boolean);
export const keepPolled = (venues: string[]): void => sessionStorage.setItem(POLLED, venues.join(" "));

export const close = (): void => {
  box.value = undefined;
};
