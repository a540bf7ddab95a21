/** Meetings that run or are booked, on the network: each hall's way, what protects it, its figures, and the verdict. */
import { useState } from "preact/hooks";
import { say } from "../../shared/i18n";
import { hallName } from "../banner";
import { enterDesk } from "../book/desk";
import { rate, time, day } from "../format";
import type { PageProps } from "../pages";
import { to } from "../shell/router";
import { clock, now } from "../store";
import { may } from "../shell/session";
import { useDocument, wordsOf } from "../ui/data";
import { Badge, Card, Empty, Loading, PageHead } from "../ui/show";
import { Table, type Column } from "../ui/table";
import { ms, percent, placesOf } from "./refs";
import type { HallOnNet, MeetingOnNet, Verdict } from "./types";
import { t, VERDICT, WHY } from "./words";

const TONE: Record<Verdict, string> = { good: "up", weak: "degraded", bad: "down" };

export default function MeetingsPage({ query }: PageProps) {
  const asked = useDocument<{ meetings: MeetingOnNet[]; silent: string[] }>("/api/net/meetings", 5, now);
  const wanted = query.get("meeting");
  const meetings = (asked.value?.meetings ?? []).filter((one) => !wanted || one.id === wanted);
  return (
    <>
      <PageHead title={t("meetingsTitle")} sub={t("meetingsSub")} />
      <Loading from={asked} />
      {asked.value?.silent.map((words) => (
        <p key={words} class="problem">
          {words}
        </p>
      ))}
      {asked.value && meetings.length === 0 && <Empty words={t("noMeetings")} />}
      <div class="stack">
        {meetings.map((meeting) => (
          <MeetingCard key={meeting.id} meeting={meeting} />
        ))}
      </div>
    </>
  );
}

function MeetingCard({ meeting }: { meeting: MeetingOnNet }) {
  const running = meeting.starts_at <= clock.value;
  const when = `${day(meeting.starts_at)} ${time(meeting.starts_at, false)}–${time(meeting.ends_at, false)}`;
  return (
    <Card
      title={meeting.title}
      count={meeting.halls.length}
      wide
      tools={
        <span class="card-tools">
          <span class="figures">{when}</span>
          <Badge tone={running ? "up" : "plain"} words={running ? t("running") : t("booked")} />
          <Badge tone={TONE[meeting.verdict]} words={VERDICT[meeting.verdict] ?? ["", ""]} />
          {may("meet") && <ChairsDesk meeting={meeting.id} />}
        </span>
      }
    >
      <p class="quiet">{t("need", { rate: rate(meeting.need_bps) })}</p>
      <Table rows={meeting.halls} columns={columns} id={(hall) => hall.code} href={(hall) => to(`/site/${hall.site}`)} tone={(hall) => TONE[hall.verdict]} empty={t("noMeetings")} filter={(hall) => `${hall.code} ${hallName(hall.code)}`} />
    </Card>
  );
}

/** Opens the chair's page in the reader's own name. */
function ChairsDesk({ meeting }: { meeting: string }) {
  const [problem, setProblem] = useState("");
  const open = async (): Promise<void> => {
    try {
      await enterDesk(meeting);
      setProblem("");
    } catch (refused) {
      setProblem(wordsOf(refused));
    }
  };
  return (
    <>
      {problem && <span class="down">{problem}</span>}
      <button data-chair={meeting} onClick={() => void open()}>
        {t("chairsDesk")}
      </button>
    </>
  );
}

const columns: Column<HallOnNet>[] = [
  {
    get head() {
      return t("hall");
    },
    cell: (hall) => (
      <>
        {hallName(hall.code)} {hall.present && <small>● {t("inNow")}</small>}
      </>
    ),
    sort: (hall) => hall.code,
  },
  {
    get head() {
      return t("way");
    },
    cell: (hall) => (hall.way === null ? <span class="down">{say(WHY["no-way"] ?? ["", ""])}</span> : placesOf(hall.code, hall.way)),
  },
  {
    get head() {
      return t("protection");
    },
    cell: (hall) => (hall.second === null ? <span class="degraded">{t("noSecond")}</span> : <small>{placesOf(hall.code, hall.second)}</small>),
  },
  {
    get head() {
      return t("loss");
    },
    figures: true,
    cell: (hall) => percent(hall.figures?.loss_ratio ?? null),
    sort: (hall) => hall.figures?.loss_ratio ?? null,
  },
  {
    get head() {
      return t("jitter");
    },
    figures: true,
    cell: (hall) => ms(hall.figures?.jitter_ms),
    sort: (hall) => hall.figures?.jitter_ms ?? null,
  },
  {
    head: "MOS",
    figures: true,
    cell: (hall) => hall.figures?.mos?.toFixed(2) ?? "–",
    sort: (hall) => hall.figures?.mos ?? null,
  },
  {
    get head() {
      return t("spare");
    },
    figures: true,
    cell: (hall) => (hall.spare_bps === null ? "–" : rate(hall.spare_bps)),
    sort: (hall) => hall.spare_bps,
  },
  {
    get head() {
      return t("verdict");
    },
    cell: (hall) => (
      <>
        <Badge tone={TONE[hall.verdict]} words={hall.why.length ? hall.why.map((why) => say(WHY[why] ?? [why, why])).join(" · ") : (VERDICT["good"] ?? ["", ""])} />
      </>
    ),
    sort: (hall) => ["bad", "weak", "good"].indexOf(hall.verdict),
  },
];
