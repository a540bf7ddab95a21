/** A request: a new site, more bandwidth, a firewall opening, a meeting. Each kind asks for what it needs. */
import { useState } from "preact/hooks";
import { post } from "../../shared/api";
import { named } from "../../shared/i18n";
import { person } from "../shell/session";
import { Field, Form, type Values } from "../ui/form";
import { Organisations, type Filed } from "./report";
import { limitWords } from "./quantity";
import type { Classes, Unit } from "./types";
import { word } from "./words";
import { t } from "./words-report";
import { REQUEST } from "./words-ticket";

const NETWORKS = ["gov", "edu", "tv"];

export function RequestForm({ unit, classes, done }: { unit: Unit; classes: Classes; done: (filed: Filed) => void }) {
  const offered = [...new Set(classes.classes.filter((one) => one.kind === "request").map((one) => one.request))];
  const [kind, setKind] = useState("");
  const [halls, setHalls] = useState<string[]>([]);
  const limit = classes.classes.find((one) => one.kind === "request" && one.request === kind);
  const send = (values: Values): Promise<Filed> =>
    post<Filed>("/api/desk/requests", {
      site: unit.site,
      organisation: values["organisation"] ?? "",
      request: kind,
      text: values["text"] ?? "",
      contact: values["contact"] ?? "",
      detail: detailOf(kind, values, halls),
    }).then((filed) => ({ ...filed, known: null }));
  const contact = unit.contact ? `${unit.contact.name}, ${unit.contact.phone}` : person.value ? named(person.value) : "";
  return (
    <section class="ask">
      <h3>{t("kindOf")}</h3>
      <div class="choices">
        {offered.map((one) => (
          <button key={one} aria-pressed={kind === one} onClick={() => setKind(one)}>
            {word(REQUEST, one)}
          </button>
        ))}
      </div>
      {kind && (
        <Form key={kind} label={t("send")} send={send} done={done}>
          {limit && <p class="quiet">{t("limit", { respond: limitWords(limit.respond), restore: limitWords(limit.restore) })}</p>}
          <Fields kind={kind} classes={classes} halls={halls} setHalls={setHalls} />
          <Field name="text" label={t("why")} required multi maxLength={1000} />
          {unit.organisations.length > 0 && <Organisations unit={unit} />}
          <Field name="contact" label={t("whom")} value={contact} maxLength={100} />
        </Form>
      )}
    </section>
  );
}

function Fields({ kind, classes, halls, setHalls }: { kind: string; classes: Classes; halls: string[]; setHalls: (halls: string[]) => void }) {
  switch (kind) {
    case "new-site":
      return (
        <>
          <Field name="name" label={t("siteName")} required maxLength={60} />
          <Field name="address" label={t("address")} required maxLength={120} />
          <Field name="networks" label={t("networks")} value="gov" options={NETWORKS.map((one): [string, string] => [one, one])} />
        </>
      );
    case "bandwidth":
      return <Field name="rate" label={t("rateWanted")} value="1G" options={["200M", "500M", "1G", "10G"].map((one): [string, string] => [one, one])} />;
    case "opening":
      return (
        <>
          <Field name="source" label={t("source")} required maxLength={64} />
          <Field name="target" label={t("target")} required maxLength={64} />
          <Field name="protocol" label={t("protocol")} value="tcp" options={["tcp", "udp", "icmp"].map((one): [string, string] => [one, one.toUpperCase()])} />
          <Field name="ports" label={t("ports")} placeholder="443" maxLength={64} />
          <Field name="until" label={t("until")} type="date" />
        </>
      );
    case "meeting":
      return (
        <>
          <Field name="title" label={t("title")} required maxLength={100} />
          <Field name="start" label={t("start")} required type="datetime-local" />
          <Field name="minutes" label={t("minutes")} required type="number" value="60" min={5} max={720} />
          <fieldset class="choices">
            <legend>{t("halls")}</legend>
            {classes.halls.map((hall) => (
              <button
                key={hall.code}
                type="button"
                aria-pressed={halls.includes(hall.code)}
                onClick={() => setHalls(halls.includes(hall.code) ? halls.filter((one) => one !== hall.code) : [...halls, hall.code])}
              >
                {named(hall)}
              </button>
            ))}
          </fieldset>
        </>
      );
    default:
      return null;
  }
}

function detailOf(kind: string, values: Values, halls: string[]): Record<string, unknown> {
  const only = (...names: string[]): Record<string, unknown> => Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
  switch (kind) {
    case "new-site":
      return { ...only("name", "address"), networks: [values["networks"] ?? "gov"] };
    case "bandwidth":
      return only("rate");
    case "opening":
      return only("source", "target", "protocol", "ports", "until");
    default:
      return { title: values["title"] ?? "", start_at: Date.parse(values["start"] ?? "") / 1000, minutes: Number(values["minutes"]), halls };
  }
}
