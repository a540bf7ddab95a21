/** The leaders' page: what is, what is used, how well, what it spares. Every figure opens its explanation. */
import { useState } from "preact/hooks";
import { named, say } from "../../shared/i18n";
import { day, time } from "../format";
import { Badge, Card, Loading, PageHead } from "../ui/show";
import { Table } from "../ui/table";
import { to } from "../shell/router";
import { clock } from "../store";
import type { Named, SiteKind, State } from "../types";
import { useDocument } from "../ui/data";
import { KIND, SITE_STATE } from "../words";
import { faultWake } from "./common";
import "./desk.css";
import "./lead.css";
import { Explanation } from "./explain";
import { quantity } from "./quantity";
import type { LeadFigure, LeadFigures } from "./types";
import { t } from "./words-lead";

export default function Leaders() {
  const figures = useDocument<LeadFigures>("/api/figures", 15, faultWake);
  const [open, setOpen] = useState("");
  const found = figures.value;
  const all = found?.groups.flatMap((group) => group.figures) ?? [];
  const opened = all.find((figure) => figure.key === open);
  return (
    <>
      <PageHead
        title={t("leaders")}
        sub={found && `${t("asOf", { month: found.month, time: time(found.at, false) })} · ${t("pressFigure")}`}
      />
      <Loading from={figures} />
      {found?.groups.map((group) => (
        <section key={group.key} class={`lead-group ${group.key}`}>
          <h3>{t(group.key)}</h3>
          <div class="lead-figures">
            {group.figures.map((figure) => (
              <Tile key={figure.key} figure={figure} open={() => setOpen(figure.key)} />
            ))}
          </div>
        </section>
      ))}
      {found && <Units />}
      {opened && <Explanation figure={opened} close={() => setOpen("")} />}
    </>
  );
}

interface UnitRow extends Named {
  site: string;
  kind: SiteKind;
  state: State;
  busy_bps: number | null;
  rate_bps: number | null;
  availability: number | null;
  met: boolean | null;
  tickets: number;
  score: number | null;
  saved_cny: number | null;
}

const ORDER: Record<State, number> = { down: 0, degraded: 1, unknown: 2, up: 3 };

/** Each unit's state, use, quality and cost; the worst first. */
function Units() {
  const units = useDocument<{ units: UnitRow[] }>("/api/figures/units", 30);
  const words = (value: number | null, unit: string): string => (value === null ? "–" : quantity(value, unit).join(" ").trim());
  return (
    <div class="each-unit">
      <Card title={t("eachUnit")} wide>
        <Loading from={units} />
        {units.value && (
          <Table
            rows={units.value.units}
            id={(row) => row.site}
            href={(row) => to(`/site/${row.site}`)}
            filter={(row) => `${row.zh} ${row.en} ${row.site} ${say(KIND[row.kind] ?? ["", ""])}`}
            empty={t("none")}
            page={12}
            sorted={2}
            columns={[
              { head: t("unit"), cell: (row) => <b>{named(row)}</b>, sort: named },
              { head: t("kindOf"), cell: (row) => say(KIND[row.kind] ?? ["", ""]), sort: (row) => row.kind },
              { head: t("stateOf"), cell: (row) => <Badge tone={row.state} words={SITE_STATE[row.state]} />, sort: (row) => ORDER[row.state] },
              {
                head: t("busy"),
                cell: (row) => (row.busy_bps === null || row.rate_bps === null ? "–" : `${words(row.busy_bps, "bit/s")} (${words(row.busy_bps / row.rate_bps, "ratio")})`),
                sort: (row) => row.busy_bps,
                figures: true,
              },
              { head: t("available"), cell: (row) => <span class={row.met === false ? "late" : undefined}>{words(row.availability, "ratio")}</span>, sort: (row) => row.availability, figures: true },
              { head: t("tickets"), cell: (row) => row.tickets, sort: (row) => row.tickets, figures: true },
              { head: t("score"), cell: (row) => row.score ?? "–", sort: (row) => row.score, figures: true },
              { head: t("saves"), cell: (row) => words(row.saved_cny, "CNY/year"), sort: (row) => row.saved_cny, figures: true },
            ]}
          />
        )}
      </Card>
    </div>
  );
}

const sinceWords = (at: number): string => (clock.value - at > 43_200 ? `${day(at)} ${time(at, false)}` : time(at, false));

function Tile({ figure, open }: { figure: LeadFigure; open: () => void }) {
  const [text, unit] = quantity(figure.value, figure.unit);
  return (
    <button class={`figure ${figure.tone === "plain" ? "" : figure.tone}`} data-figure={figure.key} title={t("explain", { name: named(figure) })} onClick={open}>
      <small>{named(figure)}</small>
      <b class="figures">
        {figure.value === null ? "–" : text} {unit && <i>{unit}</i>}
      </b>
      {figure.since !== null && <small class="since">{t("measuredSince", { time: sinceWords(figure.since) })}</small>}
      <small class="more-words">{named(figure.why ?? figure.note)}</small>
    </button>
  );
}
