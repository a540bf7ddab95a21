/** Booking: the form, what is booked, and the calendars. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { say } from "../../shared/i18n";
import { day, time } from "../format";
import { useDocument, wordsOf } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Badge, Card, Empty, Loading, PageHead } from "../ui/show";
import "./book.css";
import { Calendars } from "./calendars";
import { enterDesk } from "./desk";
import { BookingForm, nameOf } from "./form";
import type { Booked, Halls } from "./types";
import { t } from "./words";

export default function BookPage() {
  const halls = useDocument<Halls>("/api/meet/groups", 0);
  const [past, setPast] = useState(false);
  const found = useDocument<{ meetings: Booked[] }>(`/api/meet/meetings${past ? "?all=true" : ""}`, 15);
  const [said, setSaid] = useState("");
  const [fresh, setFresh] = useState(0); // a form anew after each booking
  return (
    <>
      <PageHead title={t("title")} sub={t("sub")} />
      <Loading from={halls} />
      {halls.value && (
        <div class="book">
          <Card title={t("book")}>
            {said && (
              <p class="up" role="status" data-said="booked">
                {said}
              </p>
            )}
            <BookingForm
              key={fresh}
              halls={halls.value}
              send={async (asked) => {
                const { meeting } = await post<{ meeting: Booked }>("/api/meet/meetings", asked);
                setSaid(t("booked", { what: meeting.title, n: meeting.id }));
              }}
              done={() => {
                setFresh(fresh + 1);
                found.reload();
              }}
            />
          </Card>
          <div class="stack">
            <Card
              title={t("upcoming")}
              count={found.value?.meetings.length ?? 0}
              tools={
                <label>
                  <input type="checkbox" checked={past} onChange={(event) => setPast(event.currentTarget.checked)} /> {t("past")}
                </label>
              }
            >
              <Loading from={found} />
              {found.value?.meetings.length === 0 && <Empty words={t("none")} />}
              <ul class="rows">
                {(past ? found.value?.meetings.slice().reverse() : found.value?.meetings)?.map((one) => (
                  <Row key={one.id} meeting={one} halls={halls.value!} changed={found.reload} />
                ))}
              </ul>
            </Card>
            <Calendars halls={halls.value.halls} changed={found.reload} />
          </div>
        </div>
      )}
    </>
  );
}

function Row({ meeting, halls, changed }: { meeting: Booked; halls: Halls; changed: () => void }) {
  const [open, setOpen] = useState<"" | "change" | "cancel">("");
  const [problem, setProblem] = useState("");
  const shut = (): void => setOpen("");
  const done = (): void => {
    shut();
    changed();
  };
  const start = Date.parse(meeting.start) / 1000;
  const end = Date.parse(meeting.end) / 1000;
  const now = Date.now() / 1000;
  const over = meeting.ended || end < now;
  const console_ = async (): Promise<void> => {
    try {
      await enterDesk(meeting.id);
    } catch (refused) {
      setProblem(wordsOf(refused));
    }
  };
  const short = !over && !meeting.cancelled && meeting.capacity && !meeting.capacity.ok;
  return (
    <li class={`row ${short ? "degraded" : "plain"}`} data-meeting={meeting.id}>
      <b>{meeting.title}</b> <span class="figures">{`${day(start)} ${time(start, false)}–${time(end, false)}`}</span>{" "}
      {meeting.cancelled && <Badge tone="plain" words={t("cancelled")} />}
      {over && !meeting.cancelled && <Badge tone="plain" words={t("over")} />}
      {meeting.series !== null && <Badge tone="plain" words={t("ofSeries")} />}
      {short && <Badge tone="down" words={t("short")} />}
      <small>
        {t("hallsN", { n: meeting.halls.length, main: nameOf(halls.halls, meeting.main) })} · {meeting.id}
        <span class="book-do">
          {!over && !meeting.cancelled && (
            <>
              <button class="chip" data-console={meeting.id} onClick={() => void console_()}>
                {t("console")}
              </button>
              {start > now && (
                <button class="chip" data-change={meeting.id} onClick={() => setOpen("change")}>
                  {t("change")}
                </button>
              )}
              <button class="chip" data-cancel={meeting.id} onClick={() => setOpen("cancel")}>
                {t("cancel")}
              </button>
            </>
          )}
          {start < now && !meeting.cancelled && (
            <>
              <a class="chip" href={`/api/meet/meetings/${meeting.id}/report.html`} target="_blank" rel="noopener">
                {t("report")}
              </a>
              <a class="chip" href={`/api/meet/meetings/${meeting.id}/report.zip`} download={`meeting-${meeting.id}.zip`}>
                {t("pdf")}
              </a>
            </>
          )}
        </span>
      </small>
      {short && meeting.capacity?.words.map((one) => <small key={one.en} class="down">{say([one.zh, one.en])}</small>)}
      {problem && <small class="down">{problem}</small>}
      {open === "change" && (
        <Dialog title={`${t("change")} · ${meeting.title}`} close={shut} wide>
          <BookingForm
            halls={halls}
            meeting={meeting}
            cancel={shut}
            done={done}
            send={({ title, start: from, minutes, halls: wanted, main, force }, values) =>
              post(`/api/meet/meetings/${meeting.id}/change`, { title, start: from, minutes, halls: wanted, main, force, series: values["series"] === "on" })
            }
          />
        </Dialog>
      )}
      {open === "cancel" && (
        <Dialog title={`${t("cancel")} · ${meeting.title}`} close={shut}>
          <Form
            label={t("cancel")}
            danger
            cancel={shut}
            done={done}
            send={(values) => post(`/api/meet/meetings/${meeting.id}/cancel`, { why: values["why"] ?? "", series: values["series"] === "on" })}
          >
            <Field name="why" label={t("why")} maxLength={500} focus />
            {meeting.series !== null && (
              <label class="book-force">
                <input type="checkbox" name="series" /> {t("series")}
              </label>
            )}
          </Form>
        </Dialog>
      )}
    </li>
  );
}

