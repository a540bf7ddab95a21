/** What a cut would mean, computed by the server on top of what is broken now. */
import { useDocument } from "../ui/data";
import { Card, Empty, Loading } from "../ui/show";
import { now } from "../store";
import { hallNames, LinkRef, placesOf, serviceName, SiteRefs } from "./refs";
import type { WhatIf } from "./types";
import { t } from "./words";
import { rate } from "../format";

/** The consequences of cutting `name`: a link, duct, device or site. */
export function Consequences({ name, wide }: { name: string; wide?: boolean }) {
  const asked = useDocument<WhatIf>(`/api/net/impact?cut=${encodeURIComponent(name)}`, 0, now);
  const found = asked.value;
  return (
    <Card title={t("whatIf")} wide={wide ?? false}>
      <p class="quiet">{t("whatIfWhy")}</p>
      <Loading from={asked} />
      {found && <Told found={found} />}
    </Card>
  );
}

function Told({ found }: { found: WhatIf }) {
  const { impact, before } = found;
  const had = new Set([...before.sites_cut, ...before.sites_unprotected]);
  const fresh = (codes: string[]): string[] => codes.filter((code) => !had.has(code));
  const cut = impact.halls.filter((hall) => hall.state === "cut").map((hall) => hall.hall);
  const alone = impact.halls.filter((hall) => hall.state === "alone").map((hall) => hall.hall);
  const rerouted = impact.halls.filter((hall) => hall.state === "rerouted");
  const lost = impact.services.filter((one) => one.backend === "");
  const moved = impact.services.filter((one) => one.backend !== "");
  const nothing =
    impact.sites_cut.length + impact.sites_unprotected.length + impact.halls.length + impact.services.length + impact.networks_cut.length === 0;
  return (
    <dl class="told">
      {found.links_cut.length > 1 && (
        <>
          <dt>{t("linksIn")}</dt>
          <dd>
            {found.links_cut.map((name, index) => (
              <span key={name}>
                {index > 0 && " · "}
                <LinkRef name={name} short />
              </span>
            ))}
          </dd>
        </>
      )}
      {nothing && (
        <>
          <dt />
          <dd>
            <Empty words={t("noEffect")} />
          </dd>
        </>
      )}
      {!nothing && (
        <>
          <dt>{t("lost")}</dt>
          <dd class={impact.sites_cut.length ? "down" : "up"}>
            {impact.sites_cut.length ? <SiteRefs codes={impact.sites_cut} /> : t("stillUp")}
          </dd>
        </>
      )}
      {impact.networks_cut.length > 0 && (
        <>
          <dt>{t("cable")}</dt>
          <dd class="down">
            <SiteRefs codes={impact.networks_cut.map((one) => one.site)} />
          </dd>
        </>
      )}
      {impact.sites_unprotected.length > 0 && (
        <>
          <dt>{t("unprotected")}</dt>
          <dd class="degraded">
            <SiteRefs codes={[...fresh(impact.sites_unprotected), ...impact.sites_unprotected.filter((code) => had.has(code))]} />
          </dd>
        </>
      )}
      {cut.length > 0 && (
        <>
          <dt>{t("hallCut")}</dt>
          <dd class="down">{hallNames(cut)}</dd>
        </>
      )}
      {alone.length > 0 && (
        <>
          <dt>{t("hallAlone")}</dt>
          <dd class="degraded">{hallNames(alone)}</dd>
        </>
      )}
      {rerouted.length > 0 && (
        <>
          <dt>{t("hallRerouted")}</dt>
          <dd>
            <ul>
              {rerouted.slice(0, 8).map((hall) => (
                <li key={hall.hall}>
                  {hallNames([hall.hall])} <small>{placesOf(hall.hall, hall.after)}</small>{" "}
                  {hall.spare_bps !== null && (
                    <small class="figures">
                      {t("spare")} {rate(hall.spare_bps)}
                    </small>
                  )}
                </li>
              ))}
              {rerouted.length > 8 && <li class="quiet">+{rerouted.length - 8}</li>}
            </ul>
          </dd>
        </>
      )}
      {(lost.length > 0 || moved.length > 0) && (
        <>
          <dt>{t("moved")}</dt>
          <dd>
            {moved.map((one) => `${serviceName(one.service)} → ${one.backend}`).join(" · ")}
            {lost.length > 0 && <span class="down"> ✕ {lost.map((one) => serviceName(one.service)).join(" · ")}</span>}
          </dd>
        </>
      )}
      {impact.meetings.length > 0 && (
        <>
          <dt>{t("meetingsHit")}</dt>
          <dd>
            <ul>
              {impact.meetings.map((meeting) => {
                const gone = meeting.halls.filter((hall) => hall.state === "cut").length;
                return (
                  <li key={meeting.meeting} class={gone ? "down" : "degraded"}>
                    {meeting.title} · {gone ? t("hallsLost", { n: gone }) : t("goesOn")}
                  </li>
                );
              })}
            </ul>
          </dd>
        </>
      )}
    </dl>
  );
}
