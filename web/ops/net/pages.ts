/** The network's pages. */
import { ICONS } from "../icons";
import type { PageRow } from "../pages";

export const netPages: readonly PageRow[] = [
  {
    path: "/",
    also: ["/site/:code"],
    icon: ICONS.map,
    words: ["网络图", "Map"],
    right: "watch",
    load: () => import("./map-page"),
    key: "m",
    full: true,
  },
];
