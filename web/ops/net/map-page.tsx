/** The map with its panel, or a site's page (`#/site/CODE`) in the panel's place. */
import { useEffect } from "preact/hooks";
import { CountyMap } from "../map";
import type { PageProps } from "../pages";
import { Panel } from "../panel";
import { go } from "../shell/router";
import { SitePage } from "../site";
import { sites } from "../store";

const open = (code: string): void => go(code ? `/site/${code}` : "/");

export default function MapPage({ params }: PageProps) {
  const code = params["code"] ?? "";
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && !event.defaultPrevented && code) open("");
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [code]);
  const site = sites.value.get(code);
  return (
    <main class={site ? "beside with-site" : "beside"}>
      <CountyMap selected={code} open={open} />
      {site ? <SitePage key={code} site={site} open={open} /> : <Panel open={open} />}
    </main>
  );
}
