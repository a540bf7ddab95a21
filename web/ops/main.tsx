/** The operations page: map and panel, or a site's page (`#/site/CODE`) in the panel's place. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { remoteControl } from "../shared/focus";
import { Banner } from "./banner";
import { CountyMap } from "./map";
import { Panel } from "./panel";
import { SitePage } from "./site";
import { connection, county, refusal, sites, start } from "./store";
import { StatusStrip, Top } from "./top";
import { t } from "./words";

function useSite(): [string, (code: string) => void] {
  const read = (): string => /^#\/site\/([a-z0-9]+)$/.exec(location.hash)?.[1] ?? "";
  const [code, setCode] = useState(read);
  useEffect(() => {
    const onHash = (): void => setCode(read());
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);
  return [code, (next) => (location.hash = next ? `#/site/${next}` : "#/")];
}

function Page() {
  const [code, open] = useSite();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") open("");
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  if (connection.value === "refused") return <SignIn />;
  if (!county.value) return <p class="waiting">{t(connection.value === "signing-in" ? "signingIn" : "connecting")}</p>;
  const site = sites.value.get(code);
  return (
    <div class={site ? "page with-site" : "page"}>
      <Top />
      <StatusStrip />
      <Banner />
      <main>
        <CountyMap selected={code} open={open} />
        {site ? <SitePage key={code} site={site} open={open} /> : <Panel open={open} />}
      </main>
    </div>
  );
}

function SignIn() {
  return (
    <main class="sign-in">
      <h1>{t("signInTitle")}</h1>
      {refusal.value && <p class="refusal">{refusal.value}</p>}
      <p>{t("signInHow")}</p>
      <pre>sanwang ops-link</pre>
    </main>
  );
}

const root = document.getElementById("page");
if (root) {
  render(<Page />, root);
  remoteControl();
  void start();
}
