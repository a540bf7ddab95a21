/** What a site's users get: availability of the month against its target, and the site's tickets. */
import { say } from "../../shared/i18n";
import { ClockBadge, titleOf } from "../desk/parts";
import type { Tickets } from "../desk/types";
import { STATE } from "../desk/words-ticket";
import { duration } from "../format";
import { to } from "../shell/router";
import { useDocument } from "../ui/data";
import { percent } from "./refs";
import { t } from "./words";

interface Level {
  site: string;
  target: number;
  availability: number | null;
  cut_s: number;
  met: boolean;
}

export function SiteService({ code }: { code: string }) {
  const levels = useDocument<{ month: string; sites: Level[] }>("/api/desk/sla", 60);
  const tickets = useDocument<Tickets>(`/api/desk/tickets?state=all&site=${code}&limit=8`, 30);
  const level = levels.value?.sites.find((one) => one.site === code);
  const rows = tickets.value?.tickets ?? [];
  if (!level && rows.length === 0) return null;
  return (
    <section class="card">
      <h3 class="with-switch">
        <span>{t("service")}</span>
        {level && (
          <span class={`pill ${level.met ? "up" : "down"}`}>
            {percent(level.availability, 3)} / {percent(level.target, 2)}
          </span>
        )}
      </h3>
      {level && level.cut_s > 0 && <p class="quiet">{t("outThisMonth", { time: duration(level.cut_s) })}</p>}
      <ul class="rows">
        {rows.map((ticket) => (
          <li key={ticket.id}>
            <a class="row" href={to(`/tickets/${ticket.id}`)}>
              <b>
                {titleOf(ticket)} <ClockBadge ticket={ticket} />
              </b>
              <small class="figures">
                #{ticket.id} · {say(STATE[ticket.state] ?? [ticket.state, ticket.state])}
              </small>
            </a>
          </li>
        ))}
      </ul>
      {rows.length === 0 && <p class="quiet">{t("noTickets")}</p>}
    </section>
  );
}
