/** Booking of meetings. */
import { ICONS } from "../icons";
import type { PageRow } from "../pages";

export const bookPages: readonly PageRow[] = [
  { path: "/book", icon: ICONS.book, words: ["会议预订", "Booking"], right: "meet", load: () => import("./book"), key: "k" },
];
