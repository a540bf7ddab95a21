/** Which box is open. */
import { signal } from "@preact/signals";
import type { Box, Row } from "./actions";

/** The box that is open, which row opened it, and for which venue. */
export const box = signal<{ kind: Box; row?: Row; venue: string } | undefined>(undefined);

export const close = (): void => {
  box.value = undefined;
};
