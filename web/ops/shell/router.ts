/** Which page the address asks for. Everything behind `#` is ours: `#/link/ring-c1-c2?range=day`. */
import { computed, signal } from "@preact/signals";
import { PAGES, type PageRow } from "../pages";

export interface Route {
  /** The address without what stands behind `?`: `/link/ring-c1-c2`. */
  path: string;
  row: PageRow | null;
  params: Record<string, string>;
  query: URLSearchParams;
}

// A one-time link or an invitation is no address: the session takes it out, and who comes with it begins at the start.
const hash = signal(/^#(token|invite)=/.test(location.hash) ? "" : location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));

/** The parameters when `path` is of `pattern`, else null. */
function fits(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const found = given[index] ?? "";
    if (part.startsWith(":") && found !== "") params[part.slice(1)] = decoded(found);
    else if (part !== found) return null;
  }
  return params;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a broken escape is looked for as it stands, and not found
  }
}

export const route = computed<Route>(() => {
  const [asked = "", question = ""] = hash.value.replace(/^#/, "").split("?", 2);
  const path = asked || "/";
  const query = new URLSearchParams(question);
  for (const row of PAGES)
    for (const pattern of [row.path, ...(row.also ?? [])]) {
      const params = fits(pattern, path);
      if (params) return { path, row, params, query };
    }
  return { path, row: null, params: {}, query };
});

/** The address of a path, for `href`. */
export const to = (path: string): string => `#${path}`;

/** Go to a path, as if a link to it were pressed. */
export function go(path: string): void {
  location.hash = path;
}

/** Change what stands behind `?` without a step of the history; empty values are left out. */
export function ask(values: Record<string, string>): void {
  const path = hash.value.replace(/^#/, "").split("?", 1)[0] || "/";
  const query = new URLSearchParams(route.value.query);
  for (const [name, value] of Object.entries(values)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
  hash.value = location.hash;
}
