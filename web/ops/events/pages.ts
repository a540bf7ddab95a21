/** The stream of events. */
import { ICONS } from "../icons";
import type { PageRow } from "../pages";

export const eventPages: readonly PageRow[] = [
  { path: "/events", icon: ICONS.list, words: ["事件", "Events"], right: "watch", load: () => import("./events"), key: "e" },
];
