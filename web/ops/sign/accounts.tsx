/** Everybody and their accounts. What a press offers follows from one's own right: make and lock, or release and hand out. */
import { useState } from "preact/hooks";
import { named } from "../../shared/i18n";
import { post } from "../../shared/api";
import { may } from "../shell/session";
import { useDocument } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Badge, Card, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import "./sign.css";
import type { Somebody } from "./types";
import { roleName, t } from "./words";

interface Invited {
  login: string;
  invite?: string;
}

export default function AccountsPage() {
  const people = useDocument<{ people: Somebody[] }>("/api/accounts", 30);
  const [chosen, setChosen] = useState<string | null>(null);
  const [adding, setAdding] = useState<string | null>(null);
  const [link, setLink] = useState<Invited | null>(null);
  const rows = people.value?.people ?? [];
  const somebody = rows.find((row) => row.login === chosen);
  const acts = may(["accounts", "grant"]);
  const after = (answer: Invited): void => {
    setChosen(null);
    setAdding(null);
    if (answer.invite) setLink(answer);
    people.reload();
  };
  return (
    <>
      <PageHead title={t("accounts")}>{may("accounts") && <button onClick={() => setAdding("")}>{t("addAccount")}</button>}</PageHead>
      <Loading from={people} />
      <Card title={t("person")} count={rows.length} wide>
        <Table
          rows={rows}
          id={(row) => row.login}
          filter={(row) => `${row.login} ${row.zh} ${row.en} ${row.home.join(" ")} ${row.duties.map((duty) => roleName(duty.role)).join(" ")}`}
          {...(acts && { open: (row: Somebody) => (may("accounts") && row.account === null ? setAdding(row.login) : setChosen(row.login)) })}
          empty="–"
          columns={[
            { head: t("login"), cell: (row) => <b>{row.login}</b>, sort: (row) => row.login },
            { head: t("person"), cell: (row) => named(row), sort: named },
            { head: t("units"), cell: (row) => row.home.join(" ") || t("county"), sort: (row) => row.home.join(" ") },
            { head: t("roles"), cell: (row) => row.duties.map((duty) => roleName(duty.role)).join("、") || "–" },
            { head: t("state"), cell: (row) => <State of={row} />, sort: (row) => stateOf(row)[1] },
            { head: t("secondFactor"), cell: (row) => <Factor of={row} /> },
            { head: t("lastSeen"), cell: (row) => <When at={row.account?.seen_at ?? null} />, sort: (row) => row.account?.seen_at ?? null },
          ]}
        />
      </Card>
      {adding !== null && <Add login={adding} known={rows.find((row) => row.login === adding)} close={() => setAdding(null)} done={after} />}
      {somebody && <Acts of={somebody} close={() => setChosen(null)} done={after} />}
      {link?.invite && <Link of={link.login} token={link.invite} close={() => setLink(null)} />}
    </>
  );
}

function stateOf({ account, strong, conflict }: Somebody): [tone: string, words: string] {
  if (conflict) return ["down", t("conflict")];
  if (account === null) return ["unknown", t("none")];
  if (account.locked_at !== null) return ["down", t("locked")];
  if (account.waits_until !== null) return ["degraded", t("waits")];
  if (!account.password) return ["degraded", t("noPassword")];
  if (strong && !account.released_by) return ["degraded", t("unreleased")];
  return ["up", t("good")];
}

function State({ of }: { of: Somebody }) {
  const [tone, words] = stateOf(of);
  return (
    <span title={of.account?.locked_why}>
      <Badge tone={tone} words={words} />
    </span>
  );
}

function Factor({ of }: { of: Somebody }) {
  if (of.account?.second_factor) return <Badge tone="up" words={t("phone")} />;
  return of.strong && of.account ? <Badge tone="degraded" words={t("missing")} /> : <span class="quiet">–</span>;
}

function Add({ login, known, close, done }: { login: string; known: Somebody | undefined; close: () => void; done: (answer: Invited) => void }) {
  return (
    <Dialog title={t("addAccount")} close={close}>
      <Form send={(values) => post<Invited>("/api/accounts", values)} done={done} label={t("makeAccount")} cancel={close} keep>
        <Field name="login" label={t("login")} value={login} required maxLength={32} focus={login === ""} />
        {!known && (
          <>
            <Field name="zh" label={t("zh")} maxLength={64} />
            <Field name="en" label={t("en")} maxLength={64} />
            <Field name="unit" label={t("unit")} maxLength={8} />
          </>
        )}
        <Field name="why" label={t("why")} required maxLength={500} focus={login !== ""} />
      </Form>
    </Dialog>
  );
}

/** One person: what may be done, each with its reason. */
function Acts({ of, close, done }: { of: Somebody; close: () => void; done: (answer: Invited) => void }) {
  const [act, setAct] = useState("");
  const { account } = of;
  const offered: [path: string, words: string, danger: boolean][] = [];
  if (account && may("accounts")) {
    if (account.locked_at === null) offered.push(["lock", t("lock"), true]);
    if (account.locked_at !== null || account.waits_until !== null) offered.push(["unlock", t("unlock"), false]);
    offered.push(["reset", t("reset"), true], ["must-change", t("mustChange"), false]);
  }
  if (account && may("grant")) {
    if (of.strong && !account.released_by) offered.push(["release", t("release"), false]);
    if (account.second_factor) offered.push(["factor", t("forgetPhone"), true]);
  }
  const chosen = offered.find(([path]) => path === act);
  return (
    <Dialog title={`${named(of)} · ${of.login}`} close={close}>
      <p class="buttons">
        {offered.map(([path, words]) => (
          <button key={path} aria-pressed={act === path} onClick={() => setAct(path)}>
            {words}
          </button>
        ))}
        {may("grant") && <a href={`#/roles?login=${of.login}`}>{t("grantRole")}</a>}
      </p>
      {chosen && (
        <Form send={(values) => post<Invited>(`/api/accounts/${of.login}/${chosen[0]}`, values)} done={done} label={chosen[1]} danger={chosen[2]} cancel={close}>
          <Field key={act} name="why" label={t("why")} required focus maxLength={500} />
        </Form>
      )}
    </Dialog>
  );
}

function Link({ of, token, close }: { of: string; token: string; close: () => void }) {
  const link = `${location.origin}/ops/#invite=${token}`;
  return (
    <Dialog title={t("linkTitle", { login: of })} close={close}>
      <p>{t("linkHelp")}</p>
      <p class="one-time figures" data-link={link}>
        {link}
      </p>
      <button class="main" onClick={() => void navigator.clipboard.writeText(link)}>
        {t("copy")}
      </button>
    </Dialog>
  );
}
