/** Roles handed out: by the security administrator to anybody, by a unit's head within the own unit. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import type { PageProps } from "../pages";
import { may } from "../shell/session";
import { useDocument } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form } from "../ui/form";
import { Badge, Card, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import "./sign.css";
import type { Grants, RoleGrant, Somebody } from "./types";
import { roleName, t } from "./words";

export default function RolesPage({ query }: PageProps) {
  const [ended, setEnded] = useState(false);
  const found = useDocument<Grants>(`/api/grants?ended=${ended}`, 30);
  const people = useDocument<{ people: Somebody[] }>("/api/accounts", 0);
  const [giving, setGiving] = useState(query.get("login") !== null && may("grant"));
  const [taking, setTaking] = useState<RoleGrant | null>(null);
  const value = found.value;
  const done = (): void => {
    setGiving(false);
    setTaking(null);
    found.reload();
  };
  return (
    <>
      <PageHead title={t("grants")}>
        <label>
          <input type="checkbox" checked={ended} onChange={(event) => setEnded(event.currentTarget.checked)} /> {t("showEnded")}
        </label>
        {may("grant") && <button onClick={() => setGiving(true)}>{t("grantRole")}</button>}
      </PageHead>
      <Loading from={found} />
      {value && (
        <Card title={t("grants")} count={value.grants.length} wide>
          <Table
            rows={value.grants}
            id={(row) => String(row.id)}
            filter={(row) => `${row.login} ${roleName(row.role)} ${row.units.join(" ")} ${row.why} ${row.given_by}`}
            empty={t("noGrants")}
            columns={[
              { head: t("login"), cell: (row) => <b>{row.login}</b>, sort: (row) => row.login },
              { head: t("role"), cell: (row) => roleName(row.role), sort: (row) => roleName(row.role) },
              { head: t("units"), cell: (row) => row.units.join(" ") || t("county") },
              { head: t("until"), cell: (row) => <When at={row.expires_at} />, sort: (row) => row.expires_at },
              { head: t("givenBy"), cell: (row) => row.given_by },
              { head: t("why"), cell: (row) => row.why },
              {
                head: "",
                cell: (row) =>
                  row.ended_at !== null || row.expires_at * 1000 < Date.now() ? (
                    <Badge tone="unknown" words={t("ended")} />
                  ) : (
                    may("grant") && <button onClick={() => setTaking(row)}>{t("takeBack")}</button>
                  ),
              },
            ]}
          />
        </Card>
      )}
      {giving && value && people.value && (
        <Dialog title={t("grantRole")} close={() => setGiving(false)}>
          <Form
            send={({ days, units = "", ...rest }) => post("/api/grants", { ...rest, days: Number(days), units: units.split(/[\s,，]+/).filter(Boolean) })}
            done={done}
            label={t("grantRole")}
            cancel={() => setGiving(false)}
            keep
          >
            <Field
              name="login"
              label={t("person")}
              value={query.get("login") ?? ""}
              options={people.value.people.map((person) => [person.login, `${person.login} · ${person.zh}`] as const)}
              required
            />
            <Field name="role" label={t("role")} options={value.roles.map((role) => [role, roleName(role)] as const)} required />
            <Field name="units" label={t("units")} help={t("unitsHelp")} value={value.units.join(" ")} />
            <Field name="days" label={t("days")} type="number" value="365" min={1} max={366} required />
            <Field name="why" label={t("why")} required maxLength={500} />
          </Form>
        </Dialog>
      )}
      {taking && (
        <Dialog title={`${t("takeBack")}: ${taking.login} · ${roleName(taking.role)}`} close={() => setTaking(null)}>
          <Form send={(values) => post(`/api/grants/${taking.id}/end`, values)} done={done} label={t("takeBack")} danger cancel={() => setTaking(null)}>
            <Field name="why" label={t("why")} required focus maxLength={500} />
          </Form>
        </Dialog>
      )}
    </>
  );
}
