/** What was changed, by whom, when, why and approved by whom; a version opens as the difference it made on a device. */
import { say } from "../../shared/i18n";
import { list } from "../format";
import type { PageProps } from "../pages";
import { ask } from "../shell/router";
import { county } from "../store";
import { useDocument } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Badge, Card, Empty, Loading, PageHead, When } from "../ui/show";
import { Table } from "../ui/table";
import type { ChangesDocument, Difference, PlanRow } from "./types";
import { RESULT, RISK, t } from "./words";
import "./net.css";

export default function ChangesPage({ query }: PageProps) {
  const device = query.get("device") ?? "";
  const asked = useDocument<ChangesDocument>(`/api/net/changes?device=${encodeURIComponent(device)}`, 30);
  const found = asked.value;
  const [commit, on, plan] = [query.get("commit") ?? "", query.get("on") ?? "", query.get("plan") ?? ""];
  return (
    <>
      <PageHead title={t("changesTitle")} sub={t("changesSub")}>
        <select aria-label={t("device")} value={device} onChange={(event) => ask({ device: event.currentTarget.value })}>
          <option value="">{t("allDevices")}</option>
          {county.value?.hosts
            .filter((host) => host.appliance)
            .map((host) => (
              <option key={host.name} value={host.name}>
                {host.name}
              </option>
            ))}
        </select>
      </PageHead>
      <Loading from={asked} />
      {found && (
        <div class="cards">
          <Plans rows={found.plans} />
          <Versions found={found} device={device} />
          {!device && (
            <Card title={t("acts")} count={found.acts.length} wide>
              <Table
                rows={found.acts}
                id={(act) => String(act.number)}
                empty={t("noActs")}
                page={15}
                filter={(act) => `${act.who} ${act.what} ${act.why} ${JSON.stringify(act.detail)}`}
                columns={[
                  { head: t("when"), cell: (act) => <When at={act.at} />, sort: (act) => act.at },
                  { head: t("who"), cell: (act) => act.who, sort: (act) => act.who },
                  { head: t("what"), cell: (act) => act.what, sort: (act) => act.what },
                  { head: t("devices"), cell: (act) => String(act.detail["host"] ?? act.detail["site"] ?? act.detail["plan"] ?? "") },
                  { head: t("why"), cell: (act) => act.why },
                ]}
              />
            </Card>
          )}
        </div>
      )}
      {commit && on && <Diff device={on} commit={commit} />}
      {plan && <Steps id={plan} />}
    </>
  );
}

function Plans({ rows }: { rows: PlanRow[] }) {
  const tone: Record<string, string> = { applied: "up", reverted: "degraded", "rolled back": "degraded", running: "degraded" };
  return (
    <Card title={t("plans")} count={rows.length}>
      <Table
        rows={rows}
        id={(plan) => plan.id}
        open={(plan) => ask({ plan: plan.id })}
        empty={t("noPlans")}
        page={10}
        filter={(plan) => `${plan.id} ${plan.author} ${plan.why} ${plan.hosts.join(" ")}`}
        columns={[
          { head: t("when"), cell: (plan) => <When at={plan.began_at || plan.made_at} />, sort: (plan) => plan.began_at || plan.made_at },
          {
            head: t("why"),
            cell: (plan) => (
              <>
                {plan.why} <small>{list(plan.hosts, 3)}</small>
              </>
            ),
          },
          { head: t("who"), cell: (plan) => plan.author, sort: (plan) => plan.author },
          { head: t("approvedBy"), cell: (plan) => list(plan.approvals.map((one) => one.login)) || "–" },
          { head: t("risk"), cell: (plan) => say(RISK[plan.risk] ?? [plan.risk, plan.risk]) },
          { head: t("result"), cell: (plan) => <Badge tone={tone[plan.result] ?? "plain"} words={RESULT[plan.result] ?? [plan.result, plan.result]} /> },
        ]}
      />
    </Card>
  );
}

function Versions({ found, device }: { found: ChangesDocument; device: string }) {
  const shown = (hosts: string[]): string[] => (device ? [device] : hosts.slice(0, 4));
  return (
    <Card title={t("configs")} count={found.versions.length}>
      <Table
        rows={found.versions}
        id={(version) => version.commit}
        empty={t("noVersions")}
        page={10}
        filter={(version) => `${version.commit} ${version.who} ${version.what} ${version.why} ${version.hosts.join(" ")}`}
        columns={[
          { head: t("when"), cell: (version) => <When at={version.at} />, sort: (version) => version.at },
          { head: t("who"), cell: (version) => version.who, sort: (version) => version.who },
          {
            head: t("why"),
            cell: (version) => (
              <>
                {version.why} <small>{version.what}</small>
              </>
            ),
          },
          {
            head: t("devices"),
            cell: (version) => (
              <>
                {shown(version.hosts).map((host) => (
                  <button key={host} class="chip" onClick={() => ask({ commit: version.commit, on: host })}>
                    {host}
                  </button>
                ))}
                {!device && version.hosts.length > 4 && <small>{t("andMore", { n: version.hosts.length })}</small>}
              </>
            ),
          },
        ]}
      />
    </Card>
  );
}

function Diff({ device, commit }: { device: string; commit: string }) {
  const asked = useDocument<Difference>(`/api/net/changes/diff?device=${encodeURIComponent(device)}&commit=${commit}`, 0);
  const found = asked.value;
  return (
    <Dialog title={t("diffOf", { device })} close={() => ask({ commit: "", on: "" })} wide>
      <Loading from={asked} />
      {found && (
        <>
          <p class="quiet">
            {found.who} · <When at={found.at} /> · {found.why} · {found.commit.slice(0, 12)}
          </p>
          {found.cut && <p class="problem">{t("diffCut")}</p>}
          {found.diff === "" ? (
            <Empty words={t("noDiff")} />
          ) : (
            <pre class="diff" tabIndex={0}>
              {found.diff.split("\n").map((line, index) => (
                <span key={index} class={line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : line.startsWith("@@") || line.startsWith("diff") ? "mark" : ""}>
                  {line}
                  {"\n"}
                </span>
              ))}
            </pre>
          )}
        </>
      )}
    </Dialog>
  );
}

function Steps({ id }: { id: string }) {
  const asked = useDocument<PlanRow>(`/api/net/changes/plan/${id}`, 0);
  const plan = asked.value;
  return (
    <Dialog title={plan ? plan.why : id} close={() => ask({ plan: "" })} wide>
      <Loading from={asked} />
      {plan && (
        <>
          <p class="quiet">
            {plan.author} · <When at={plan.made_at} /> · {t("approvedBy")} {list(plan.approvals.map((one) => one.login)) || "–"} · {id}
          </p>
          {plan.evidence.map((one) => (
            <p key={one.words} class={one.good ? "up" : "down"}>
              {t("evidence")}: {one.kind} · {one.words}
            </p>
          ))}
          <Table
            rows={plan.steps ?? []}
            id={(step) => `${step.at}/${step.what}/${step.host}`}
            empty={t("noActs")}
            columns={[
              { head: t("when"), cell: (step) => <When at={step.at} ago={false} /> },
              { head: t("steps"), cell: (step) => step.what },
              { head: t("device"), cell: (step) => step.host || step.stage },
              { head: t("result"), cell: (step) => step.words },
            ]}
          />
        </>
      )}
    </Dialog>
  );
}
