/** The audit log: search, and whether its chain holds. */
import { useState } from "preact/hooks";
import { get } from "../../shared/api";
import type { PageProps } from "../pages";
import { ask } from "../shell/router";
import { useDocument, wordsOf } from "../ui/data";
import { Card, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import "./sign.css";
import type { AuditEntry } from "./types";
import { t } from "./words";

interface Verdict {
  ok: boolean;
  entries: number;
  head: string;
  problems: string[];
}

export default function AuditPage({ query }: PageProps) {
  const wanted = new URLSearchParams({ limit: "200" });
  for (const name of ["who", "what", "text", "before"]) {
    const value = query.get(name);
    if (value) wanted.set(name, value);
  }
  const found = useDocument<{ entries: AuditEntry[]; more: boolean }>(`/api/audit?${wanted}`, 0);
  const rows = found.value?.entries ?? [];
  const last = rows.at(-1);
  return (
    <>
      <PageHead title={t("audit")}>
        <Verify />
      </PageHead>
      <form
        class="audit-search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const values = new FormData(event.currentTarget);
          ask({ who: String(values.get("who")), what: String(values.get("what")), text: String(values.get("text")), before: "" });
        }}
      >
        {(["who", "what", "text"] as const).map((name) => (
          <input key={name} name={name} type="search" placeholder={t(name)} aria-label={t(name)} defaultValue={query.get(name) ?? ""} />
        ))}
        <button class="main">{t("search")}</button>
      </form>
      <Loading from={found} />
      <Card title={t("audit")} count={rows.length} wide>
        <Table
          rows={rows}
          id={(row) => String(row.number)}
          empty={t("noEntries")}
          page={200}
          columns={[
            { head: "#", cell: (row) => row.number, figures: true },
            { head: t("time"), cell: (row) => <When at={row.at} ago={false} /> },
            { head: t("who"), cell: (row) => row.who },
            { head: t("what"), cell: (row) => <code>{row.what}</code> },
            { head: t("why"), cell: (row) => row.why },
            { head: t("detail"), cell: (row) => <Detail of={row.detail} /> },
          ]}
        />
        {found.value?.more && last && <button onClick={() => ask({ before: String(last.number) })}>{t("older")}</button>}
      </Card>
    </>
  );
}

function Detail({ of }: { of: Record<string, unknown> }) {
  const parts = Object.entries(of).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return <small class="detail">{parts.join(" · ")}</small>;
}

function Verify() {
  const [verdict, setVerdict] = useState<Verdict | string>("");
  const run = (): void => void get<Verdict>("/api/audit/verify").then(setVerdict, (error: unknown) => setVerdict(wordsOf(error)));
  return (
    <>
      {typeof verdict === "string" ? (
        verdict && <span class="problem">{verdict}</span>
      ) : (
        <span class={verdict.ok ? "pill up" : "pill down"} title={`${t("head")} ${verdict.head}`}>
          {verdict.ok ? t("holds", { n: verdict.entries }) : t("broken", { problem: verdict.problems[0] ?? "" })}
        </span>
      )}
      <button onClick={run}>{t("verify")}</button>
    </>
  );
}
