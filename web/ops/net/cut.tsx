/** What the cut of a link, a duct or a site would mean: `#/cut/north`. */
import { named } from "../../shared/i18n";
import type { PageProps } from "../pages";
import { go, to } from "../shell/router";
import { county, links, linkState, sites } from "../store";
import { Card, Empty, PageHead } from "../ui/show";
import { ductName, LinkRef, linkWords } from "./refs";
import { Consequences } from "./whatif";
import { t } from "./words";

export default function CutPage({ params }: PageProps) {
  const name = params["name"] ?? "";
  const duct = county.value?.ducts.find((one) => one.name === name);
  const inside = [...links.value.values()].filter((link) => link.ducts.includes(name));
  const site = sites.value.get(name);
  const title = duct ? ductName(name) : site ? named(site) : linkWords(name);
  return (
    <>
      <PageHead title={name ? title : t("cutTitle")} sub={name && t("cutTitle")}>
        <Choose name={name} />
      </PageHead>
      <div class="cards">
        {name === "" && <Empty words={t("cutChoose")} />}
        {name !== "" && <Consequences key={name} name={name} />}
        {inside.length > 0 && (
          <Card title={t("linksIn")} count={inside.length}>
            <ul class="rows">
              {inside.map((link) => (
                <li key={link.name} class={`row ${linkState(link.name)}`}>
                  <LinkRef name={link.name} /> <small>{link.name}</small>
                </li>
              ))}
            </ul>
          </Card>
        )}
        {site && <a href={to(`/site/${name}`)}>{named(site)}</a>}
      </div>
    </>
  );
}

/** Ducts first: nobody knows them by heart. */
function Choose({ name }: { name: string }) {
  const model = county.value;
  if (!model) return null;
  const trunk = model.links.filter((link) => link.kind === "ring" || link.kind === "access");
  return (
    <select aria-label={t("cutChoose")} value={name} onChange={(event) => go(`/cut/${event.currentTarget.value}`)}>
      <option value="">{t("cutChoose")}</option>
      <optgroup label={t("ducts")}>
        {model.ducts.map((duct) => (
          <option key={duct.name} value={duct.name}>
            {named(duct)}
          </option>
        ))}
      </optgroup>
      <optgroup label={t("link")}>
        {trunk.map((link) => (
          <option key={link.name} value={link.name}>
            {linkWords(link.name)}
          </option>
        ))}
      </optgroup>
    </select>
  );
}
