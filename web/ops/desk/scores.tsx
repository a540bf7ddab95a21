/** Published scores: everybody in the county's network may see them; the supervisor sees the month that runs and publishes. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named } from "../../shared/i18n";
import { day, time } from "../format";
import type { PageProps } from "../pages";
import { ask } from "../shell/router";
import { may } from "../shell/session";
import { clock } from "../store";
import { useDocument } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Card, Empty, Loading, PageHead } from "../ui/show";
import { Table } from "../ui/table";
import { Choice } from "./common";
import "./board.css";
import "./desk.css";
import "./lead.css";
import type { Score, ScoreMonth, Scores } from "./types";
import { t } from "./words-lead";

interface Published {
  months: (ScoreMonth & { at: number; who: string })[];
}

/** The months that a county may look at: this one and the eleven before it. */
export function lastMonths(): string[] {
  const today = new Date(clock.peek() * 1000);
  return Array.from({ length: 12 }, (_, back) => {
    const month = new Date(today.getFullYear(), today.getMonth() - back, 1);
    return `${month.getFullYear()}-${String(month.getMonth() + 1).padStart(2, "0")}`;
  });
}

export default function ScoresPage({ query }: PageProps) {
  const published = useDocument<Published>("/api/desk/published", 60);
  const months = published.value?.months ?? [];
  const sees = may(["supervise", "lead"]);
  const offered = sees ? lastMonths() : months.map((one) => one.month);
  const month = query.get("month") ?? months[0]?.month ?? (sees ? offered[0] : undefined) ?? "";
  const known = months.find((one) => one.month === month);
  const running = useDocument<Scores>(sees && !known && published.value && month ? `/api/desk/scores?month=${encodeURIComponent(month)}` : "", 30);
  const shown: ScoreMonth | null = known ?? running.value;
  const label = (one: string): string => (months.some((each) => each.month === one) ? one : t("current", { month: one }));
  return (
    <>
      <PageHead
        title={t("scores")}
        sub={known ? t("published", { who: known.who, time: `${day(known.at)} ${time(known.at, false)}` }) : shown && t("notPublished")}
      >
        {offered.length > 0 && <Choice label={t("month")} value={month} set={(value) => ask({ month: value })} options={offered.map((one): [string, string] => [one, label(one)])} />}
        {may("supervise") && !known && running.value && <Publish month={month} done={published.reload} />}
      </PageHead>
      <Loading from={published} />
      {published.value && !sees && months.length === 0 && <Empty words={t("nothingPublished")} />}
      {!known && month && sees && <Loading from={running} />}
      {shown && (
        <div class="cards">
          <Card title={t("units")} wide>
            <Ranking scores={shown.units} head={t("unit")} />
          </Card>
          <Card title={t("teams")} wide>
            <Ranking scores={shown.teams} head={t("team")} />
          </Card>
        </div>
      )}
    </>
  );
}

function Publish({ month, done }: { month: string; done: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class="main" data-action="publish" onClick={() => setOpen(true)}>
        {t("publish")}
      </button>
      {open && (
        <Dialog title={`${t("publish")} · ${month}`} close={() => setOpen(false)}>
          <p>{t("publishSure")}</p>
          <Form
            label={t("publish")}
            send={(values) => post(`/api/desk/scores/${month}/publish`, { why: values["why"] ?? "" })}
            done={() => {
              setOpen(false);
              done();
            }}
            cancel={() => setOpen(false)}
          >
            <Field name="why" label={t("remark")} />
          </Form>
        </Dialog>
      )}
    </>
  );
}

const percent = (share: number | null): string => (share === null ? "–" : `${(share * 100).toFixed(share === 1 || share === 0 ? 0 : 1)} %`);

/** Units by score, those without a ticket last and without a rank; a press shows how the score came about. */
function Ranking({ scores, head }: { scores: readonly Score[]; head: string }) {
  const [open, setOpen] = useState<Score | null>(null);
  const ranked = scores.toSorted((a, b) => (b.score ?? -1) - (a.score ?? -1) || a.name.localeCompare(b.name)).filter((one) => one.score !== null);
  const without = scores.length - ranked.length;
  const rank = (score: Score): number => 1 + ranked.filter((one) => (one.score ?? 0) > (score.score ?? 0)).length;
  return (
    <>
      <Table
        rows={ranked}
        id={(score) => score.name}
        open={setOpen}
        empty={t("noScore")}
        filter={(score) => `${score.zh} ${score.en} ${score.name}`}
        columns={[
          { head: t("rank"), cell: rank, sort: rank, figures: true },
          { head, cell: (score) => <b>{named(score)}</b>, sort: named },
          { head: t("score"), cell: (score) => <b class="score">{score.score}</b>, sort: (score) => score.score, figures: true },
          { head: t("tickets"), cell: (score) => `${score.finished}/${score.tickets}`, sort: (score) => score.tickets, figures: true },
          { head: t("onTime"), cell: (score) => percent(score.on_time_share), sort: (score) => score.on_time_share, figures: true },
          { head: t("cardsN"), cell: (score) => `${score.yellow} / ${score.red}`, sort: (score) => score.red * 100 + score.yellow, figures: true },
          { head: t("reopened"), cell: (score) => score.reopened, sort: (score) => score.reopened, figures: true },
          { head: t("satisfaction"), cell: (score) => (score.satisfaction === null ? "–" : score.satisfaction.toFixed(1)), sort: (score) => score.satisfaction, figures: true },
        ]}
      />
      {without > 0 && ranked.length > 0 && (
        <p class="quiet">
          {t("noScoreN", { n: without })}
        </p>
      )}
      {open && (
        <Dialog title={t("how", { name: named(open) })} close={() => setOpen(null)}>
          <ul class="inputs">
            {open.lines.map((line, index) => (
              <li key={index}>
                <p>
                  <span>{named(line)}</span>
                  <b class="figures">
                    {line.points > 0 && index > 0 ? "+" : ""}
                    {line.points} <i>{t("points")}</i>
                  </b>
                </p>
              </li>
            ))}
            <li>
              <p>
                <b>{t("score")}</b>
                <b class="figures">{open.score}</b>
              </p>
            </li>
          </ul>
        </Dialog>
      )}
    </>
  );
}
