/** The leaders' page: what is, what is used, how well, what it spares. Every figure opens its explanation. */
import { useState } from "preact/hooks";
import { named } from "../../shared/i18n";
import { time } from "../format";
import { PageHead, Loading } from "../ui/show";
import { useDocument } from "../ui/data";
import "./desk.css";
import { Explanation } from "./explain";
import { quantity } from "./quantity";
import type { LeadFigure, LeadFigures } from "./types";
import { t } from "./words-lead";

export default function Leaders() {
  const figures = useDocument<LeadFigures>("/api/figures", 15);
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
      {opened && <Explanation figure={opened} close={() => setOpen("")} />}
    </>
  );
}

function Tile({ figure, open }: { figure: LeadFigure; open: () => void }) {
  const [text, unit] = quantity(figure.value, figure.unit);
  return (
    <button class={`figure ${figure.tone === "plain" ? "" : figure.tone}`} data-figure={figure.key} title={t("explain", { name: named(figure) })} onClick={open}>
      <small>{named(figure)}</small>
      <b class="figures">
        {text} {unit && <i>{unit}</i>}
      </b>
      <small class="more-words">{named(figure.note)}</small>
    </button>
  );
}
