import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

// Every folder with an index.html is a page; it is built to dist/<folder>/index.html.
const root = import.meta.dirname;
const pages = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !["dist", "node_modules"].includes(entry.name))
  .map((entry) => join(root, entry.name, "index.html"))
  .filter((page) => existsSync(page));

export default defineConfig({
  root,
  base: "/",
  build: {
    target: "chrome111",
    outDir: "dist",
    emptyOutDir: true,
    // The pages' Content-Security-Policy allows no data: scripts or styles, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: pages },
  },
});
