/**
 * The table of pages: one row a page. Each area keeps its own rows; this file only says their order.
 *
 *     { path: "/links/:name", icon: ICONS.link, words: t.link, right: "watch", load: () => import("./link"), menu: false }
 */
import type { ComponentType } from "preact";
import type { Pair } from "../shared/i18n";
import { bookPages } from "./book/pages";
import { deskPages, leadPages } from "./desk/pages";
import { eventPages } from "./events/pages";
import { netPages } from "./net/pages";
import type { Right } from "./shell/session";
import { signPages } from "./sign/pages";

export interface PageProps {
  /** What stands in the path at its `:names`. */
  params: Record<string, string>;
  /** What stands behind `?` in the address. */
  query: URLSearchParams;
}

export interface PageRow {
  /** Behind `#`: "/tickets", or with parameters "/ticket/:id". */
  path: string;
  /** Other paths of the same component: going from one to the other keeps it on the screen. */
  also?: readonly string[];
  /** Path of a 24 x 24 picture, drawn by its lines. */
  icon: string;
  /** Name in the menu, the title of the window and the search. */
  words: Pair;
  /** Right, or any one of several, that the page needs; null: every person signed in. */
  right: Right | readonly Right[] | null;
  /** Its file, loaded when first opened; the page is the default export. */
  load: () => Promise<{ default: ComponentType<PageProps> }>;
  /** False: reached from other pages only. */
  menu?: boolean;
  /** Letter after "g" that goes there. */
  key?: string;
  /** The whole room below the heading is the page's, with the status strip above; the map has it. */
  full?: boolean;
  /** Nothing stands around it: the wall of the operations room. */
  bare?: boolean;
}

const [map, ...network] = netPages;

/** Where a leader begins; then the map, a shift's daily work, the network's other pages. */
export const PAGES: readonly PageRow[] = [...leadPages, ...(map ? [map] : []), ...deskPages, ...network, ...bookPages, ...eventPages, ...signPages];
