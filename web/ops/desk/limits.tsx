/** Limits that come near: days until a fibre's light margin is gone, days until a line is full. Their trends are on their own pages. */
import { to } from "../shell/router";
import { useDocument } from "../ui/data";
import { Card, Empty, Loading } from "../ui/show";
import { t } from "./words";

interface Optics {
  weak_db: number;
  ends: { link: string; host: string; port: string; rx_dbm: number; margin_db: number; sure: boolean; days: number | null }[];
}

interface Capacity {
  links: { link: string; peak: number; days: number | null }[];
}

const SOON = 90; // days
const URGENT = 14;

interface Limit {
  key: string;
  days: number;
  href: string;
  what: string;
  more: string;
}

export function Limits() {
  const optics = useDocument<Optics>("/api/net/optics", 120);
  const capacity = useDocument<Capacity>("/api/net/capacity", 120);
  const limits: Limit[] = [];
  for (const end of optics.value?.ends ?? [])
    if (end.days !== null && end.sure && end.days <= SOON)
      limits.push({
        key: `${end.host}/${end.port}`,
        days: end.days,
        href: to("/light"),
        what: `${end.link} ${t("lightDays", { n: Math.round(end.days) })}`,
        more: `${end.host} ${t("lightMore", { rx: end.rx_dbm.toFixed(1), margin: end.margin_db.toFixed(1) })}`,
      });
  for (const link of capacity.value?.links ?? [])
    if (link.days !== null && link.days <= SOON)
      limits.push({
        key: link.link,
        days: link.days,
        href: to(`/link/${link.link}`),
        what: `${link.link} ${t("fullDays", { n: Math.round(link.days) })}`,
        more: t("fullMore", { share: (link.peak * 100).toFixed(0) }),
      });
  limits.sort((a, b) => a.days - b.days);
  return (
    <Card title={t("limits")} count={limits.length}>
      <Loading from={optics} />
      {capacity.problem && <Loading from={capacity} />}
      {optics.value && capacity.value && limits.length === 0 && <Empty words={t("noLimits")} />}
      <ul class="rows">
        {limits.slice(0, 8).map((limit) => (
          <li key={limit.key} class={`row ${limit.days <= URGENT ? "down" : "degraded"}`}>
            <a href={limit.href}>{limit.what}</a>
            <small>{limit.more}</small>
          </li>
        ))}
      </ul>
    </Card>
  );
}
