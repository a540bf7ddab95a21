/** Maintenance windows: what is worked on, until when, and by whom; faults in them call nobody. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named } from "../../shared/i18n";
import { linkName } from "../banner";
import { may } from "../shell/session";
import { county, links } from "../store";
import { useDocument } from "../ui/data";
import { Dialog } from "../ui/dialog";
import { Field, Form, type Values } from "../ui/form";
import { Badge, Card, Empty, Loading, When } from "../ui/show";
import { faultWake } from "./common";
import { t } from "./words";

interface Window {
  id: number;
  hosts: string[];
  links: string[];
  start_at: number;
  end_at: number;
  state: "planned" | "running" | "over";
  who: string;
  why: string;
  plan: string;
}

const TONE = { planned: "plain", running: "degraded", over: "plain" } as const;
const WORDS = { planned: "planned", running: "running", over: "overNow" } as const;

export function Windows() {
  const found = useDocument<{ windows: Window[] }>("/api/maintenance", 30, faultWake);
  const [opening, setOpening] = useState(false);
  const [ending, setEnding] = useState<Window | null>(null);
  const shut = (): void => {
    setOpening(false);
    setEnding(null);
    found.reload();
  };
  return (
    <Card
      title={t("windows")}
      tools={
        may("handle") && (
          <button data-action="window" onClick={() => setOpening(true)}>
            {t("openWindow")}
          </button>
        )
      }
    >
      <Loading from={found} />
      {found.value?.windows.length === 0 && <Empty words={t("noWindows")} />}
      <ul class="rows">
        {found.value?.windows.map((one) => (
          <li key={one.id} class={`row ${one.state === "running" ? "degraded" : "plain"}`}>
            <b>{one.why}</b> <Badge tone={TONE[one.state]} words={t(WORDS[one.state])} />
            <small>
              {[...one.links, ...one.hosts].slice(0, 8).join(" · ")} — <When at={one.start_at} ago={false} /> → <When at={one.end_at} ago={false} /> · {one.who}
              {one.state !== "over" && may("handle") && (
                <button class="chip" onClick={() => setEnding(one)}>
                  {t("endWindow")}
                </button>
              )}
            </small>
          </li>
        ))}
      </ul>
      {opening && (
        <Dialog title={t("openWindow")} close={() => setOpening(false)}>
          <Form label={t("openWindow")} send={begin} done={shut} cancel={() => setOpening(false)}>
            <Field name="site" label={t("windowSite")} options={[["", "–"], ...(county.value?.sites ?? []).map((site): [string, string] => [site.code, `${named(site)} (${site.code})`])]} />
            <Field
              name="link"
              label={t("windowLink")}
              options={[["", "–"], ...[...links.value.values()].filter((link) => link.kind !== "lan").map((link): [string, string] => [link.name, `${link.name} (${linkName(link)})`])]}
            />
            <Field name="minutes" label={t("windowMinutes")} type="number" value="60" min={5} max={7 * 1440} required />
            <Field name="why" label={t("windowWhy")} required multi maxLength={500} />
          </Form>
        </Dialog>
      )}
      {ending && (
        <Dialog title={`${t("endWindow")}:${ending.why}`} close={() => setEnding(null)}>
          <Form label={t("endWindow")} send={(values) => post(`/api/maintenance/${ending.id}/end`, { why: values["why"] ?? "" })} done={shut} cancel={() => setEnding(null)}>
            <Field name="why" label={t("windowEndWhy")} focus />
          </Form>
        </Dialog>
      )}
    </Card>
  );
}

const begin = (values: Values): Promise<Window> =>
  post<Window>("/api/maintenance", {
    sites: values["site"] ? [values["site"]] : [],
    links: values["link"] ? [values["link"]] : [],
    minutes: Number(values["minutes"]),
    why: values["why"] ?? "",
  });
