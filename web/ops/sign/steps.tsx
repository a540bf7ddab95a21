/** Steps that signing in and one's own account share: a new password, a telephone, recovery codes. */
import { useEffect, useState } from "preact/hooks";
import { ApiError, post } from "../../shared/api";
import { wordsOf } from "../ui/data";
import { Field, Form } from "../ui/form";
import type { Enrolment, Step } from "./types";
import { t } from "./words";

export function NewPassword<T>({ title, old, send, done }: {
  title: string;
  old?: boolean;
  send: (password: string, old: string) => Promise<T>;
  done: (answer: T) => void;
}) {
  return (
    <section>
      <h2>{title}</h2>
      <p class="quiet">{t("passwordRule")}</p>
      <Form
        send={({ old: present = "", password = "", repeat }) => {
          if (password !== repeat) throw new ApiError(0, t("different"));
          return send(password, present);
        }}
        done={done}
        label={t("goOn")}
        keep
      >
        {old && <Field name="old" label={t("oldPassword")} type="password" autocomplete="current-password" required />}
        <Field name="password" label={t("newPassword")} type="password" autocomplete="new-password" required focus maxLength={128} />
        <Field name="repeat" label={t("repeat")} type="password" autocomplete="new-password" required maxLength={128} />
      </Form>
    </section>
  );
}

/** `code`: of the old telephone, where there is one. */
export function Enrol({ code, done }: { code: string; done: (step: Step) => void }) {
  const [begun, setBegun] = useState<Enrolment | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    post<Enrolment>("/api/sign/enrol", { code }).then(setBegun, (error: unknown) => setProblem(wordsOf(error)));
  }, []);
  return (
    <section class="enrol">
      <h2>{t("enrolTitle")}</h2>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {begun && (
        <>
          <p>{t("enrolHelp")}</p>
          <img class="qr" src={begun.qr} alt={begun.uri} width="220" height="220" />
          <p class="quiet">
            {t("bySecret")}: <code>{begun.secret.replace(/(.{4})/g, "$1 ").trim()}</code>
          </p>
          <Form send={({ code: shown }) => post<Step>("/api/sign/enrol/confirm", { pending: begun.pending, code: shown })} done={done} label={t("goOn")}>
            <Field name="code" label={t("code")} autocomplete="one-time-code" required focus maxLength={6} />
          </Form>
        </>
      )}
    </section>
  );
}

export function Recovery({ codes, done }: { codes: readonly string[]; done: () => void }) {
  return (
    <section>
      <h2>{t("recoveryTitle")}</h2>
      <p>{t("recoveryHelp")}</p>
      <ol class="recovery figures">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ol>
      <button class="main" onClick={done} autoFocus>
        {t("written")}
      </button>
    </section>
  );
}
