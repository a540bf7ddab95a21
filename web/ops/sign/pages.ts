/** Pages about people: accounts, roles, audit. */
import type { PageRow } from "../pages";

export const signPages: readonly PageRow[] = [];
