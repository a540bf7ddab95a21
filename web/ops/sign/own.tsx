/** One's own account: roles, password, telephone, sessions. */
import { useState } from "preact/hooks";
import { del, post } from "../../shared/api";
import { day } from "../format";
import { enter } from "../shell/session";
import { useDocument, wordsOf } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Badge, Card, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import { Enrol, NewPassword, Recovery } from "./steps";
import "./sign.css";
import type { Own, OwnSession } from "./types";
import { roleName, t, wayName } from "./words";

export default function OwnPage() {
  const own = useDocument<Own>("/api/own", 60);
  const [open, setOpen] = useState<"" | "password" | "code" | "enrol">("");
  const [code, setCode] = useState("");
  const [recovery, setRecovery] = useState<string[]>([]);
  const [said, setSaid] = useState("");
  const value = own.value;
  const close = (): void => setOpen("");
  return (
    <>
      <PageHead title={t("own")} sub={value?.login} />
      <Loading from={own} />
      {said && <p role="status">{said}</p>}
      {value && (
        <div class="cards">
          <Card title={t("roles")}>
            <Table
              rows={value.duties}
              id={(duty) => `${duty.role} ${duty.given_by}`}
              empty="–"
              columns={[
                { head: t("role"), cell: (duty) => roleName(duty.role) },
                { head: t("units"), cell: (duty) => duty.units.join(" ") || t("county") },
                { head: t("givenBy"), cell: (duty) => duty.given_by || t("written_") },
                { head: t("until"), cell: (duty) => <When at={duty.until} ago={false} /> },
              ]}
            />
          </Card>
          <Card title={t("passwordAge")}>
            {value.account === null ? (
              <p class="quiet">{t("noAccount")}</p>
            ) : (
              <>
                <p>{value.account.password_until !== null && t("validUntil", { day: day(value.account.password_until) })}</p>
                <p>
                  {t("secondFactor")}:{" "}
                  {value.account.second_factor ? (
                    <Badge tone="up" words={t("enrolled", { n: value.account.recovery_left })} />
                  ) : (
                    <Badge tone={value.strong ? "down" : "plain"} words={t("notEnrolled")} />
                  )}
                </p>
                <p class="buttons">
                  <button onClick={() => setOpen("password")}>{t("changePassword")}</button>
                  <button onClick={() => (setCode(""), setOpen(value.account?.second_factor ? "code" : "enrol"))}>
                    {value.account.second_factor ? t("anotherPhone") : t("enrolPhone")}
                  </button>
                </p>
              </>
            )}
          </Card>
          <Card title={t("sessions")} count={value.sessions.length} wide>
            <Sessions rows={value.sessions} reload={own.reload} />
          </Card>
        </div>
      )}
      {open === "password" && (
        <Dialog title={t("changePassword")} close={close}>
          <NewPassword
            title=""
            old
            send={(password, old) => post("/api/own/password", { old, new: password })}
            done={() => (close(), setSaid(t("changed")), own.reload())}
          />
        </Dialog>
      )}
      {open === "code" && (
        <Dialog title={t("anotherPhone")} close={close}>
          <Form send={async ({ code: typed = "" }) => setCode(typed)} done={() => setOpen("enrol")} label={t("goOn")}>
            <Field name="code" label={t("oldCode")} autocomplete="one-time-code" required focus maxLength={32} />
          </Form>
        </Dialog>
      )}
      {open === "enrol" && (
        <Dialog title={t("enrolTitle")} close={close}>
          <Enrol code={code} done={(step) => (close(), setRecovery(step.recovery), void enter(), own.reload())} />
        </Dialog>
      )}
      {recovery.length > 0 && (
        <Dialog title={t("recoveryTitle")} close={() => setRecovery([])}>
          <Recovery codes={recovery} done={() => setRecovery([])} />
        </Dialog>
      )}
    </>
  );
}

function Sessions({ rows, reload }: { rows: readonly OwnSession[]; reload: () => void }) {
  const [problem, setProblem] = useState("");
  const end = (id: string): void =>
    void del(`/api/own/sessions/${id}`).then(reload, (error: unknown) => setProblem(wordsOf(error)));
  return (
    <>
      {problem && <p class="problem">{problem}</p>}
      <Table
        rows={rows}
        id={(row) => row.id}
        empty="–"
        columns={[
          { head: t("way"), cell: (row) => wayName(row.how) },
          { head: t("from"), cell: (row) => <span title={row.agent}>{row.address}</span> },
          { head: t("since"), cell: (row) => <When at={row.created_at} /> },
          { head: t("lastUsed"), cell: (row) => <When at={row.seen_at} /> },
          { head: "", cell: (row) => (row.this ? <Badge tone="up" words={t("thisOne")} /> : <button onClick={() => end(row.id)}>{t("endIt")}</button>) },
        ]}
      />
    </>
  );
}
