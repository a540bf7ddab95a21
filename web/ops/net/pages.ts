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
  {
    path: "/link/:name",
    icon: ICONS.link,
    words: ["链路", "Link"],
    right: "watch",
    load: () => import("./link"),
    menu: false,
  },
  {
    path: "/meetings",
    icon: ICONS.meeting,
    words: ["会议", "Meetings"],
    right: "watch",
    load: () => import("./meetings"),
    key: "v",
  },
  {
    path: "/capacity",
    icon: ICONS.capacity,
    words: ["容量", "Capacity"],
    right: "watch",
    load: () => import("./capacity"),
    key: "c",
  },
  {
    path: "/light",
    icon: ICONS.light,
    words: ["光功率", "Light"],
    right: "watch",
    load: () => import("./light"),
    key: "f",
  },
  {
    path: "/cut",
    also: ["/cut/:name"],
    icon: ICONS.cut,
    words: ["推演", "What if"],
    right: "watch",
    load: () => import("./cut"),
    key: "w",
  },
  {
    path: "/changes",
    icon: ICONS.history,
    words: ["变更", "Changes"],
    right: "watch",
    load: () => import("./changes"),
    key: "h",
  },
  {
    path: "/screen",
    icon: ICONS.screen,
    words: ["大屏", "Big screen"],
    right: "watch",
    load: () => import("./screen"),
    key: "b",
    bare: true,
  },
];
