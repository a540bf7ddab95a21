/** The service desk's pages. */
import type { PageRow } from "../pages";

export const deskPages: readonly PageRow[] = [];
