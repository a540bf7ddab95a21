/**
 * The servers that answer this page: the one it came from, then those that one has named (docs/protocol.md, `also`).
 * A township's node names its county: while the node is away its halls' pages speak to the county themselves.
 */
let also: readonly string[] = [];

/** What the newest answer named; each an origin, "https://10.32.2.6". */
export function nameServers(named: readonly string[] | undefined): void {
  if (named) also = named.filter((one) => one !== location.origin);
}

/** The page's own server first. */
export const servers = (): readonly string[] => [location.origin, ...also];
