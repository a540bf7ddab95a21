/** Signing in: password, then what is still asked for. Keys alone do: Enter goes on. */
import { useEffect, useState } from "preact/hooks";
import { del, get, post } from "../../shared/api";
import { language, say, switchLanguage } from "../../shared/i18n";
import { enter, refusal } from "../shell/session";
import { wordsOf } from "../ui/data";
import { Field, Form } from "../ui/form";
import { t as common } from "../words";
import { Enrol, NewPassword, Recovery } from "./steps";
import "./sign.css";
import type { Step, Ways } from "./types";
import { t } from "./words";

const INVITE = "sanwang.invite";

/** The token of an account's one-time link, kept out of the address bar and the history. */
function invitation(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get("invite");
  if (token) {
    history.replaceState(null, "", location.pathname);
    sessionStorage.setItem(INVITE, token);
  }
  return sessionStorage.getItem(INVITE) ?? "";
}

export function SignIn() {
  const [ways, setWays] = useState<Ways | null>(null);
  const [stage, setStage] = useState("");
  const [token, setToken] = useState(invitation);
  const [invited, setInvited] = useState("");
  const [problem, setProblem] = useState(refusal.value);
  const [recovery, setRecovery] = useState<string[]>([]);

  useEffect(() => {
    get<Ways>("/api/sign").then(
      (found) => {
        setWays(found);
        setStage(found.stage);
      },
      (error: unknown) => setProblem(wordsOf(error)),
    );
  }, []);
  useEffect(() => {
    if (!token) return;
    post<Step>("/api/sign/invite", { token }).then(
      (step) => setInvited(step.login),
      (error: unknown) => {
        setProblem(wordsOf(error));
        forgetToken();
      },
    );
  }, [token]);

  const forgetToken = (): void => {
    sessionStorage.removeItem(INVITE);
    setToken("");
  };
  const next = (step: Step): void => {
    setProblem("");
    if (token) forgetToken();
    setInvited("");
    setStage(step.stage);
    if (step.recovery.length > 0) setRecovery(step.recovery);
    else if (step.stage === "in") void enter();
  };
  const restart = (): void => void del("/api/session").finally(() => (setStage(""), setProblem("")));

  return (
    <main class="sign-in">
      <header>
        <h1>{common("product")}</h1>
        <button class="language" lang={language.value === "zh" ? "en" : "zh-CN"} onClick={switchLanguage}>
          {common("otherLanguage")}
        </button>
      </header>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {recovery.length > 0 ? (
        <Recovery codes={recovery} done={() => (setRecovery([]), stage === "in" && void enter())} />
      ) : invited ? (
        <NewPassword title={t("inviteTitle", { login: invited })} send={(password) => post<Step>("/api/sign/invite", { token, password })} done={next} />
      ) : stage === "code" ? (
        <Code done={next} restart={restart} />
      ) : stage === "password" ? (
        <NewPassword title={t("passwordTitle")} send={(password) => post<Step>("/api/sign/new-password", { password })} done={next} />
      ) : stage === "enrol" ? (
        <Enrol code="" done={next} />
      ) : stage === "release" ? (
        <section>
          <h2>{t("releaseTitle")}</h2>
          <p>{t("releaseHelp")}</p>
          <button onClick={restart}>{t("again")}</button>
        </section>
      ) : (
        ways && <First ways={ways} done={next} />
      )}
    </main>
  );
}

function First({ ways, done }: { ways: Ways; done: (step: Step) => void }) {
  return (
    <>
      <Form send={(values) => post<Step>("/api/sign/password", values)} done={done} label={t("signIn")} keep>
        <Field name="login" label={t("login")} autocomplete="username" required focus maxLength={32} />
        <Field name="password" label={t("password")} type="password" autocomplete="current-password" required maxLength={256} />
      </Form>
      {(ways.certificate !== null || ways.oidc !== null) && (
        <section class="other-ways">
          <h2>{t("otherWays")}</h2>
          {ways.oidc !== null && <a href="/api/sign/oidc">{say([ways.oidc.zh, ways.oidc.en])}</a>}
          {ways.certificate !== null && <ByCertificate port={ways.certificate} />}
        </section>
      )}
      <p class="quiet">{t("console")}</p>
      <pre>sanwang ops-link</pre>
    </>
  );
}

/** Another port asks for the certificate, so that nobody else is asked; it hands the person back here. */
function ByCertificate({ port }: { port: number }) {
  const back = location.port || "443";
  return <a href={`https://${location.hostname}:${port}/?back=${back}`}>{t("byCertificate")}</a>;
}

function Code({ done, restart }: { done: (step: Step) => void; restart: () => void }) {
  return (
    <section>
      <h2>{t("codeTitle")}</h2>
      <Form send={(values) => post<Step>("/api/sign/code", values)} done={done} label={t("goOn")} cancel={restart}>
        <Field name="code" label={t("code")} help={t("codeHelp")} autocomplete="one-time-code" required focus maxLength={32} />
      </Form>
    </section>
  );
}
